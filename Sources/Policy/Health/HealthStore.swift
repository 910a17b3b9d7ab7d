package import Base

/// All that is known of the providers' health: per provider, per key, per account and per candidate.
///
/// One per catalog, changed by the one loop only. An attempt is begun and ended exactly once; the ticket says
/// which it was. Nothing here reads a clock, and nothing grows but with the file and with attempts in flight.
///
/// States are objects: the health store of a reloaded file goes on with those of its predecessor (`CarryOver`), whose
/// exchanges end their attempts in them.
package final class HealthStore {
  final class ProviderState {
    var breaker = Breaker()
    /// As it was measured, for people. What failures count as is the candidates'.
    var latency = Latency()
    var inFlight = 0
    /// When the first stale connection since the last success was seen.
    var staleSince: Instant?
    var lastOutcome: Instant?
    /// Its latest failure; nil once it has answered well.
    var failure: Cause?
    /// The candidate whose model it last said it does not have.
    var missing: CandidateState?
    var good = RollingWindow(width: Limits.statusWindow, buckets: 10)
    var bad = RollingWindow(width: Limits.statusWindow, buckets: 10)
    /// Endpoints at which it has answered well, a bit each.
    var endpoints: UInt64 = 0
    /// Smoothed round trip of its path; nil until one was measured.
    var roundTrip: Interval?
    /// What it answered last is what a server that starts would answer.
    var isStarting = false
    /// Attempts under way whose connection is overdue.
    var suspects = 0
    let spending = Spending()
  }

  final class KeyState {
    var cooldown = Cooldown()
    var inFlight = 0
    /// The number of the latest attempt: the key used longest ago is next.
    var lastUsed: UInt64 = 0
  }

  final class CandidateState {
    /// Our name of its model.
    let name: String
    var cooldown = Cooldown()
    var latency = Latency()
    init(name: String) { self.name = name }
  }

  /// What is of no one provider: shared by all health stores of a process.
  final class Memory {
    var lacks: [Lack] = []
    /// Attempts that were ever begun.
    var attempts: UInt64 = 0
    /// Where conversations were answered last.
    let homes: Homes
    /// Who made the responses that providers keep.
    let makers = Homes(Memory.stored)
    /// As it was last told.
    var day = Day(number: 0, ends: .distantPast)

    init(_ affinity: AffinitySettings) { homes = Homes(affinity) }

    /// OpenAI keeps responses for 30 days.
    private static var stored: AffinitySettings {
      var settings = AffinitySettings()
      settings.ttl = .seconds(30 * 86400)
      settings.entries = Limits.storedResponses
      return settings
    }
  }

  /// An attempt under way.
  struct Slot {
    var generation: UInt32 = 0
    var isOpen = false
    var candidate = 0
    var provider = 0
    var key = 0
    var begun = Instant.distantPast
    var probe: UInt32 = 0
    var nameHash: UInt64 = 0
    var endpoint: UInt8 = 0
    var isCommitted = false
    var isSuspect = false
    /// How long it takes says how fast the model is.
    var isTimed = true
    /// What it belongs to, and its seat there: see `Homes`.
    var conversation: Fingerprint?
    /// What it may cost, where its provider's day has a limit, and what it did where that was told.
    var reserved = Money.none
    var cost: Money?
    var seat = Homes.Seat()
    var reservation = RateLimitState.Reservation()
    /// Others make the same attempt.
    var shared: SharedAttempt?
  }

  package let catalog: Catalog
  var providers: [ProviderState] = []
  /// Per provider, the places of its keys in `keys` and `accounts`; one where it has none.
  private(set) var keyPlaces: [Range<Int>] = []
  var keys: [KeyState] = []
  /// Per key; one object for all keys of a provider that share their quota.
  var accounts: [RateLimitState] = []
  var candidates: [CandidateState]
  let memory: Memory
  var random: RandomSource
  /// What candidates and keys are called in the memory's homes.
  var numbers: HomeNumbers
  var slots: [Slot] = []
  private var freeSlots: [Int32] = []
  /// See `rest`.
  private var firstGeneration: UInt32 = 0

  /// `seed` decides the jitter and the choices of two: equal seeds and equal calls give equal answers.
  package convenience init(
    _ catalog: Catalog, seed: UInt64, affinity: AffinitySettings = AffinitySettings()
  ) {
    self.init(catalog, random: RandomSource(seed: seed), memory: Memory(affinity))
  }

  /// One that has learned nothing of what is in the catalog.
  init(_ catalog: Catalog, random: RandomSource, memory: Memory) {
    self.catalog = catalog
    self.random = random
    self.memory = memory
    candidates = catalog.candidates.map { CandidateState(name: $0.name) }
    for provider in catalog.providers {
      let first = keys.count
      for n in 0..<max(1, provider.keys.count) {
        let isShared = n > 0 && provider.quotaIsShared
        accounts.append(isShared ? accounts[first] : RateLimitState(pairs: provider.quotaHeaders.pairs.count))
        keys.append(KeyState())
      }
      keyPlaces.append(first..<keys.count)
      providers.append(ProviderState())
    }
    numbers = HomeNumbers(memory.homes, candidates: candidates.count, keys: keys.count)
  }

  /// Attempts that were begun and not yet ended.
  package var inFlight: Int { slots.count - freeSlots.count }

  /// The key to show for a choice; nil where the provider wants none.
  package func secret(for choice: Choice) -> Secret? {
    let keys = catalog.providers[choice.provider].keys
    return choice.key < keys.count ? keys[choice.key] : nil
  }

  // MARK: An attempt's life

  /// The attempt starts: directly after the router chose it. Counts it in flight, reserves its budgets, and
  /// takes the probe's place where the provider's breaker has one to give.
  package func begin(_ choice: Choice, now: Instant) -> AttemptTicket {
    let provider = choice.provider
    let key = keyPlaces[provider].lowerBound + choice.key
    let index = takeSlot()
    memory.attempts += 1
    keys[key].inFlight += 1
    keys[key].lastUsed = memory.attempts
    providers[provider].inFlight += 1
    slots[index].candidate = choice.candidate.index
    slots[index].provider = provider
    slots[index].key = key
    slots[index].begun = now
    slots[index].nameHash = choice.nameHash
    slots[index].endpoint = choice.endpoint
    slots[index].isCommitted = false
    slots[index].isSuspect = false
    slots[index].isTimed = choice.isTimed
    slots[index].probe = providers[provider].breaker.takeProbe(now: now)
    slots[index].reservation = accounts[key].reserve(
      tokens: choice.tokens, budgets: catalog.providers[provider].budgets,
      quota: catalog.providers[provider].quotaHeaders, now: now)
    enterHome(index, choice.conversation, now: now)
    reserveMoney(index, choice)
    return AttemptTicket(slot: Int32(index), generation: slots[index].generation)
  }

  /// What an answer's rate-limit header said: `pair` is its place in the preset's `QuotaHeaders`. Call it when
  /// the head has come, before `end`. Resets that are past are ignored.
  package func learn(_ ticket: AttemptTicket, pair: Int, remaining: Quantity, resetAt: Instant, now: Instant)
  {
    let index = open(ticket)
    let provider = slots[index].provider
    guard catalog.providers[provider].quotaHeaders.pairs.indices.contains(pair) else { return }
    accounts[slots[index].key].learn(
      pair: pair, unit: catalog.providers[provider].quotaHeaders.pairs[pair].unit, remaining: remaining,
      resetAt: resetAt, from: slots[index].reservation, now: now)
  }

  /// The first content came: the attempt succeeded as far as its provider's health goes, while a stream may go
  /// on for long. Optional; `end` does the same for an attempt that was not committed.
  package func commit(_ ticket: AttemptTicket, timeToFirstToken: Interval, now: Instant) {
    let index = open(ticket)
    guard !slots[index].isCommitted else { return }
    slots[index].isCommitted = true
    settleHome(index, now: now)
    succeed(slots[index], timeToFirstToken: timeToFirstToken, now: now)
  }

  /// The attempt ended, one way or another. Exactly once per ticket.
  @discardableResult
  package func end(_ ticket: AttemptTicket, _ outcome: AttemptOutcome, now: Instant) -> Consequence? {
    let index = open(ticket)
    let slot = slots[index]
    if outcome.fault == nil, !slot.isCommitted { settleHome(index, now: now) }
    memory.homes.leave(slots[index].seat)
    settleMoney(slot, outcome.fault?.charge ?? .estimate)
    slots[index].isOpen = false
    slots[index].generation &+= 1
    slots[index].shared = nil
    freeSlots.append(Int32(index))
    let (isLast, counts) = slot.shared?.leave(outcome.fault) ?? (true, true)
    if isLast {
      keys[slot.key].inFlight -= 1
      providers[slot.provider].inFlight -= 1
    }
    if slot.isSuspect { providers[slot.provider].suspects -= 1 }
    let consequence = counts ? record(outcome, of: slot, now: now) : nil
    if let fault = outcome.fault, counts {
      remember(Cause(fault, status: outcome.status, words: outcome.words), consequence, of: slot)
    }
    accounts[slot.key].settle(
      slot.reservation, isLast: isLast, tokens: outcome.tokens, charge: outcome.fault?.charge ?? .estimate,
      now: now)
    return consequence
  }

  // MARK: The path

  /// The attempt's connection is overdue. Until the attempt ends its provider comes after the others, so that
  /// a host that went silent is not asked first again and again while nobody knows yet what ails it.
  package func suspect(_ ticket: AttemptTicket) {
    let index = open(ticket)
    guard !slots[index].isSuspect else { return }
    slots[index].isSuspect = true
    providers[slots[index].provider].suspects += 1
  }

  /// A round trip to a provider was measured. Smoothed as TCP does it (RFC 6298 §2, gain 1/8).
  package func noteRoundTrip(_ sample: Interval, provider: Int) {
    guard sample > .zero else { return }
    guard let known = providers[provider].roundTrip else {
      providers[provider].roundTrip = sample
      return
    }
    providers[provider].roundTrip = Interval(
      nanoseconds: known.nanoseconds + (sample.nanoseconds - known.nanoseconds) / 8)
  }

  /// How long a provider's path may be silent before it is looked at: `floor`, or what its round trip allows.
  package func silenceThreshold(of provider: Int, atLeast floor: Interval) -> Interval {
    guard let roundTrip = providers[provider].roundTrip else { return floor }
    return max(floor, Self.silence(allowedAt: roundTrip))
  }

  /// Twice the round trip and 40 ms, the longest that a receiver on Linux delays an acknowledgement.
  package static func silence(allowedAt roundTrip: Interval) -> Interval {
    roundTrip * 2 + .milliseconds(40)
  }

  func takeSlot() -> Int {
    let index: Int
    if let free = freeSlots.popLast() {
      index = Int(free)
    } else {
      index = slots.count
      slots.append(Slot(generation: firstGeneration))
      freeSlots.reserveCapacity(slots.capacity)
    }
    slots[index].isOpen = true
    return index
  }

  /// Gives all places of attempts back where none is under way. No ticket of before names one of those to come.
  package func rest() {
    if inFlight > 0 || slots.isEmpty { return }
    firstGeneration = slots.reduce(firstGeneration) { max($0, $1.generation) } &+ 1
    slots = []
    freeSlots = []
  }

  /// A ticket's slot. A ticket that was given back already is a mistake of ours and stops the program.
  func open(_ ticket: AttemptTicket) -> Int {
    let index = Int(ticket.slot)
    precondition(
      slots.indices.contains(index) && slots[index].isOpen && slots[index].generation == ticket.generation,
      "an attempt is ended once")
    return index
  }
}
