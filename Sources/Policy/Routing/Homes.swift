package import Base

/// Where conversations were answered last: their homes. A fixed number of them, the one used longest ago out first.
///
/// Nothing of a conversation is kept but its fingerprint. Candidates and keys are known by numbers that they keep over a
/// reload (`HomeNumbers`), so that the health stores before and after it share one table.
final class Homes {
  /// A candidate and a key. Numbers begin with 1.
  struct Place: Equatable {
    var candidate: UInt32
    var key: UInt32
  }

  /// An attempt's place among those that its conversation has at its home; none to begin with.
  struct Seat {
    fileprivate var slot: Int32 = -1
    fileprivate var generation: UInt32 = 0
  }

  struct Home {
    var place: Place
    /// As many attempts as may be are under way there: one more goes where any other request would.
    var isFull: Bool
  }

  private struct Entry {
    var place: Place
    var usedAt: Instant
    /// Neighbours in the order of use; -1 at either end.
    var newer: Int32 = -1
    var older: Int32 = -1
    /// Another number with each place and each conversation: seats of before count no more.
    var generation: UInt32 = 0
    var attempts: Int32 = 0
  }

  private var settings: AffinitySettings
  private var index: CacheIndex
  private var entries: [Entry] = []
  private var newest: Int32 = -1
  private var oldest: Int32 = -1
  private var lastNumber: UInt32 = 0

  init(_ settings: AffinitySettings) {
    self.settings = settings
    index = CacheIndex(capacity: settings.entries)
  }

  /// Conversations that have a home.
  var count: Int { entries.count }

  /// A number that nothing had before.
  func newNumber() -> UInt32 {
    lastNumber &+= 1
    return lastNumber
  }

  /// Nil where there is none, or where it was used too long ago for its provider to remember.
  func home(of conversation: Fingerprint, now: Instant) -> Home? {
    guard let slot = index.find(conversation), now - entries[slot].usedAt <= settings.ttl else { return nil }
    return Home(
      place: entries[slot].place, isFull: entries[slot].attempts >= Int32(Limits.attemptsAtHome))
  }

  /// An attempt begins: where its conversation is at home there, it takes a seat.
  func enter(_ conversation: Fingerprint, at place: Place, now: Instant) -> Seat {
    guard let slot = index.find(conversation), entries[slot].place == place else { return Seat() }
    use(slot, now: now)
    return seat(in: slot)
  }

  /// The conversation was answered there: it is at home there from now on, and the attempt has its seat.
  func settle(_ conversation: Fingerprint, at place: Place, seat: inout Seat, now: Instant) {
    let slot = index.find(conversation) ?? take(for: conversation, place)
    use(slot, now: now)
    if entries[slot].place != place {
      entries[slot].place = place
      entries[slot].generation &+= 1
      entries[slot].attempts = 0
    }
    if seat.slot == Int32(slot), seat.generation == entries[slot].generation { return }
    leave(seat)
    seat = self.seat(in: slot)
  }

  /// The attempt ended.
  func leave(_ seat: Seat) {
    guard seat.slot >= 0, entries.indices.contains(Int(seat.slot)),
      entries[Int(seat.slot)].generation == seat.generation
    else { return }
    entries[Int(seat.slot)].attempts -= 1
  }

  private func seat(in slot: Int) -> Seat {
    entries[slot].attempts += 1
    return Seat(slot: Int32(slot), generation: entries[slot].generation)
  }

  /// A slot for a conversation that has none: an empty one, or that of the conversation used longest ago.
  private func take(for conversation: Fingerprint, _ place: Place) -> Int {
    let slot: Int
    if entries.count < index.capacity {
      slot = entries.count
      entries.append(Entry(place: place, usedAt: .distantPast))
    } else {
      slot = Int(oldest)
      unlink(slot)
      index.remove(index.key(of: slot))
      entries[slot].place = place
      entries[slot].generation &+= 1
      entries[slot].attempts = 0
    }
    index.insert(conversation, slot: slot)
    link(slot)
    return slot
  }

  private func use(_ slot: Int, now: Instant) {
    entries[slot].usedAt = now
    if newest == Int32(slot) { return }
    unlink(slot)
    link(slot)
  }

  /// Puts it before all others.
  private func link(_ slot: Int) {
    entries[slot].newer = -1
    entries[slot].older = newest
    if newest >= 0 { entries[Int(newest)].newer = Int32(slot) } else { oldest = Int32(slot) }
    newest = Int32(slot)
  }

  private func unlink(_ slot: Int) {
    let (newer, older) = (entries[slot].newer, entries[slot].older)
    if newer >= 0 { entries[Int(newer)].older = older } else { newest = older }
    if older >= 0 { entries[Int(older)].newer = newer } else { oldest = newer }
  }

  /// A reload. Of a table that becomes smaller the newest stay.
  func adopt(_ settings: AffinitySettings) {
    let isSameSize = settings.entries == self.settings.entries
    self.settings = settings
    if isSameSize { return }
    let (former, keys) = (entries, index)
    var at = oldest
    index = CacheIndex(capacity: settings.entries)
    entries = []
    (newest, oldest) = (-1, -1)
    // Seats of before are none of the new table's.
    let generation = (former.map { $0.generation }.max() ?? 0) &+ 1
    while at >= 0 {
      let entry = former[Int(at)]
      let slot = take(for: keys.key(of: Int(at)), entry.place)
      entries[slot].usedAt = entry.usedAt
      entries[slot].generation = max(entries[slot].generation, generation)
      at = entry.newer
    }
  }
}

/// What a health store's candidates and keys are called in `Homes`: by their places in the health store.
struct HomeNumbers {
  private(set) var candidates: [UInt32]
  private(set) var keys: [UInt32]

  /// New ones.
  init(_ homes: Homes, candidates: Int, keys: Int) {
    self.candidates = (0..<candidates).map { _ in homes.newNumber() }
    self.keys = (0..<keys).map { _ in homes.newNumber() }
  }

  mutating func keep(candidate: Int, as former: Int, of old: HomeNumbers) {
    candidates[candidate] = old.candidates[former]
  }

  mutating func keep(key: Int, as former: Int, of old: HomeNumbers) { keys[key] = old.keys[former] }
}

extension HealthStore {
  func bearings(of request: RouteRequest, now: Instant) -> Bearings {
    var bearings = Bearings()
    if !hasOnePlace(request.route) {
      bearings.home = request.conversation.flatMap { memory.homes.home(of: $0, now: now) }
    }
    bearings.isAboutNoModel = request.route.kind == .everyone
    bearings.answerTokens = request.answerTokens
    guard let response = request.response else { return bearings }
    bearings.maker = memory.makers.home(of: response, now: now).flatMap {
      maker(numbered: $0.place.key, request.route)
    }
    bearings.asksEveryKey = bearings.maker == nil
    return bearings
  }

  /// All of a route's conversations go to the same place: nothing of them is remembered.
  func hasOnePlace(_ route: Route) -> Bool {
    if route.count != 1 { return false }
    return keyPlaces[catalog.candidates[catalog.candidate(0, of: route).index].provider].count == 1
  }

  /// That is so of every route there can be: no conversation has to be known.
  package var eachHasOnePlace: Bool {
    catalog.modelLists.allSatisfy { $0.range.count == 1 } && keyPlaces.allSatisfy { $0.count == 1 }
  }

  /// A key by its number, if it is one of a route's providers; nil where a reload has taken it away.
  private func maker(numbered number: UInt32, _ route: Route) -> Int? {
    guard let key = numbers.keys.firstIndex(of: number) else { return nil }
    for n in 0..<route.count {
      let provider = catalog.candidates[catalog.candidate(n, of: route).index].provider
      if keyPlaces[provider].contains(key) { return key }
    }
    return nil
  }

  /// A response is kept by who made it: what asks for it or continues it goes there.
  package func remember(_ response: Fingerprint, madeBy choice: Choice, now: Instant) {
    let key = keyPlaces[choice.provider].lowerBound + choice.key
    let place = Homes.Place(
      candidate: numbers.candidates[choice.candidate.index], key: numbers.keys[key])
    var seat = Homes.Seat()
    memory.makers.settle(response, at: place, seat: &seat, now: now)
    memory.makers.leave(seat)
  }

  /// Whether an attempt with that key would find what the conversation's last left in the provider's cache.
  func isHome(_ home: Homes.Home?, _ candidate: CandidateID, key: Int) -> Bool {
    guard let home, !home.isFull, numbers.candidates[candidate.index] == home.place.candidate else {
      return false
    }
    let provider = catalog.candidates[candidate.index].provider
    return numbers.keys[keyPlaces[provider].lowerBound + key] == home.place.key
  }

  func enterHome(_ index: Int, _ conversation: Fingerprint?, now: Instant) {
    slots[index].conversation = conversation
    slots[index].seat = Homes.Seat()
    guard let conversation else { return }
    slots[index].seat = memory.homes.enter(conversation, at: place(of: slots[index]), now: now)
  }

  func settleHome(_ index: Int, now: Instant) {
    guard let conversation = slots[index].conversation else { return }
    memory.homes.settle(conversation, at: place(of: slots[index]), seat: &slots[index].seat, now: now)
  }

  private func place(of slot: Slot) -> Homes.Place {
    Homes.Place(candidate: numbers.candidates[slot.candidate], key: numbers.keys[slot.key])
  }
}
