package import Base

/// Complete answers by request, least recently used out first, bounded by bytes and by age.
///
/// Everything counts against the budget: bodies with their blocks' slack, heads, the index and the slots. A
/// lookup allocates nothing. An entry that is being replayed is not evicted, since that would free nothing;
/// one that is replaced, expired or cleared meanwhile lives on for its replay and stays counted until the
/// replay lets go, so the budget holds for what is really in memory.
///
/// `clear` and `adopt` only say what shall be; `settle` does it bit by bit, so that the loop never waits for it.
package struct ResponseCache {
  package struct Figures: Hashable, Sendable {
    package var hits: Int64 = 0
    package var misses: Int64 = 0
    package var inserts: Int64 = 0
    /// Entries dropped to make room.
    package var evictions: Int64 = 0
    /// Entries dropped because of their age.
    package var expirations: Int64 = 0
    /// Answers not taken: too large, or no room could be made.
    package var refusals: Int64 = 0
    package init() {}
  }

  package enum Insertion: Sendable {
    case stored
    /// Over a quarter of the budget, not whole, or not a 200.
    case unfit
    /// No room could be made within the bound of evictions.
    case noRoom
  }

  private struct Slot {
    var answer: CachedAnswer?
    /// Toward the more recently used; for a free slot, the next free one.
    var newer: Int32
    var older: Int32
  }

  private static let none: Int32 = -1

  package private(set) var budget: Int
  package private(set) var ttl: Interval
  package private(set) var figures = Figures()
  /// Entries that can be found.
  package private(set) var count = 0
  /// Entries that were cleared and are still to be dropped. They are at the old end of the list, since none of
  /// them is used again.
  private var doomed = 0
  /// Raised by `clear`: entries of another era are doomed.
  private var era: UInt32 = 0

  private let meter: MemoryMeter
  private var index: CacheIndex
  private var slots: [Slot] = []
  private var newest = none
  private var oldest = none
  private var free = none
  /// Where the sweep for expired entries goes on.
  private var hand = 0
  /// Bytes of index and slots, as they were counted; 0 before the first insert.
  private var overhead = 0
  /// Entries, index or slots do not fit the budget yet.
  private var isResizing = false

  /// - Parameters:
  ///   - budget: bytes for everything; zero or less stores nothing.
  ///   - ttl: age at which an entry is no longer used.
  ///   - pool: the same as the flights', since their recordings come over from there.
  package init(budget: Int, ttl: Interval, pool: BlockPool) {
    self.budget = max(0, budget)
    self.ttl = ttl
    meter = MemoryMeter(limit: max(0, budget), pool: pool)
    index = CacheIndex(capacity: Self.entries(of: self.budget))
  }

  private static func entries(of budget: Int) -> Int { min(max(budget / 1024, 16), Limits.cacheEntries) }

  /// Bytes held: also by entries that are out but still being replayed.
  package var bytes: Int { meter.used }

  /// The largest answer that is stored, with everything that belongs to it.
  package var largestAnswer: Int { min(budget / 4, Limits.recordedAnswer) }

  // MARK: - Looking up

  /// The answer to a request, if there is one that is young enough; it becomes the most recently used.
  ///
  /// 1. Nothing stored, or cleared: a miss.
  /// 2. Older than `ttl`: dropped, a miss.
  /// 3. Older than the request's own `maxAge` (RFC 9111 §5.2.1.1): a miss, and the entry stays for others.
  package mutating func lookup(_ key: Fingerprint, now: Instant, maxAge: Interval? = nil) -> CachedAnswer? {
    guard let slot = index.find(key), let answer = slots[slot].answer, answer.era == era else {  // 1
      figures.misses += 1
      return nil
    }
    let age = answer.age(at: now)
    if age >= ttl {  // 2
      figures.expirations += 1
      figures.misses += 1
      drop(slot)
      return nil
    }
    if let maxAge, age > maxAge {  // 3
      figures.misses += 1
      return nil
    }
    figures.hits += 1
    if Int32(slot) != newest {
      unlink(slot)
      link(slot)
    }
    return answer
  }

  // MARK: - Storing

  /// Stores a complete answer under a key, instead of what was there. Seals the recording.
  package mutating func insert(
    _ key: Fingerprint, head: AnswerHead, recording: Recording, usage: AnswerUsage = AnswerUsage(),
    now: Instant
  ) -> Insertion {
    if recording.isOverflown || head.status != 200 {
      figures.refusals += 1
      return .unfit
    }
    recording.seal()
    let cost = recording.footprint + CachedAnswer.cost(of: head)
    if cost > largestAnswer {
      figures.refusals += 1
      return .unfit
    }
    remove(key)
    guard makeRoom(for: cost), let slot = takeSlot() else {
      figures.refusals += 1
      return .noRoom
    }
    slots[slot].answer = CachedAnswer(
      head: head, usage: usage, recording: recording, storedAt: now, era: era, meter: meter)
    index.insert(key, slot: slot)
    link(slot)
    count += 1
    figures.inserts += 1
    return .stored
  }

  package mutating func remove(_ key: Fingerprint) {
    if let slot = index.find(key) { drop(slot) }
  }

  /// Drops every entry: none is found any more. Replays under way go on.
  package mutating func clear() {
    doomed += count
    count = 0
    era &+= 1
  }

  /// Another budget and age. The age holds for what is stored already, too: who shortens it wants nothing older.
  package mutating func adopt(budget: Int, ttl: Interval) {
    self.budget = max(0, budget)
    self.ttl = ttl
    meter.limit = self.budget
    if self.budget == 0 { clear() }
    isResizing = true
  }

  /// Nothing of `clear` or `adopt` is left to do.
  package var isSettled: Bool { doomed == 0 && !isResizing }

  /// Drops up to `steps` entries, cleared ones first; then index and slots take their new size.
  package mutating func settle(steps: Int) {
    var left = steps
    while mustDrop {
      if left == 0 { return }
      if doomed == 0 { figures.evictions += 1 }
      drop(Int(oldest))
      left -= 1
    }
    guard isResizing else { return }
    if overhead > 0, budget == 0 || index.capacity != Self.entries(of: budget) { rebuild() }
    // More slots may have left less room for entries.
    isResizing = mustDrop
  }

  private var mustDrop: Bool {
    if doomed > 0 { return true }
    if count == 0 { return false }
    let wanted = min(overhead, Self.overhead(of: CacheIndex(capacity: Self.entries(of: budget))))
    return meter.used - overhead + wanted > budget || count > Self.entries(of: budget)
  }

  /// Moves the entries over into an index and slots of the right size, or gives all up where nothing is kept.
  private mutating func rebuild() {
    let old = (slots: slots, index: index)
    var at = oldest
    meter.give(overhead)
    overhead = 0
    slots = []
    index = CacheIndex(capacity: Self.entries(of: budget))
    (newest, oldest, free, hand) = (Self.none, Self.none, Self.none, 0)
    if budget == 0 { meter.pool.empty() }
    if at == Self.none { return }
    setUp()
    while at != Self.none {
      let slot = slots.count
      slots.append(old.slots[Int(at)])
      index.insert(old.index.key(of: Int(at)), slot: slot)
      link(slot)
      at = old.slots[Int(at)].newer
    }
  }

  /// Looks at a few slots, round and round, and drops what has expired, so that an idle process gives its
  /// memory back. `steps` slots are looked at.
  package mutating func sweep(now: Instant, steps: Int) {
    for _ in 0..<min(steps, slots.count) {
      hand = hand + 1 < slots.count ? hand + 1 : 0
      if let answer = slots[hand].answer, answer.age(at: now) >= ttl {
        if answer.era == era { figures.expirations += 1 }
        drop(hand)
      }
    }
  }

  /// Evicts from the old end until `cost` fits and a slot is free.
  ///
  /// 1. It fits: done.
  /// 2. The bound of evictions, or the list, is used up: no room.
  /// 3. A cleared one goes.
  /// 4. An entry that is being replayed counts as just used, and is passed over.
  /// 5. Any other goes.
  private mutating func makeRoom(for cost: Int) -> Bool {
    if overhead == 0, budget > 0 { setUp() }
    let entries = min(index.capacity, Self.entries(of: budget))
    for _ in 0..<Limits.evictionsPerInsert {
      if cost <= budget - meter.used, count + doomed < entries { return true }  // 1
      if oldest == Self.none { return false }  // 2
      let slot = Int(oldest)
      if doomed > 0 {  // 3
        drop(slot)
      } else if isInUse(slot) {  // 4
        unlink(slot)
        link(slot)
      } else {  // 5
        figures.evictions += 1
        drop(slot)
      }
    }
    return cost <= budget - meter.used && count + doomed < entries
  }

  private mutating func isInUse(_ slot: Int) -> Bool {
    if !isKnownUniquelyReferenced(&slots[slot].answer) { return true }
    return slots[slot].answer?.isBeingRead() ?? false
  }

  /// Reserves the slots for good: their memory is touched only as they are used, but counted at once.
  private mutating func setUp() {
    slots.reserveCapacity(index.capacity)
    overhead = Self.overhead(of: index)
    meter.takeAnyway(overhead)
  }

  private static func overhead(of index: CacheIndex) -> Int {
    index.footprint + index.capacity * MemoryLayout<Slot>.stride + 32
  }

  // MARK: - Slots

  private mutating func takeSlot() -> Int? {
    if free != Self.none {
      let slot = Int(free)
      free = slots[slot].newer
      return slot
    }
    guard slots.count < index.capacity else { return nil }
    slots.append(Slot(answer: nil, newer: Self.none, older: Self.none))
    return slots.count - 1
  }

  private mutating func drop(_ slot: Int) {
    index.remove(index.key(of: slot))
    unlink(slot)
    if slots[slot].answer?.era == era { count -= 1 } else { doomed -= 1 }
    slots[slot].answer = nil
    slots[slot].newer = free
    free = Int32(slot)
  }

  private mutating func link(_ slot: Int) {
    slots[slot].older = newest
    slots[slot].newer = Self.none
    if newest != Self.none { slots[Int(newest)].newer = Int32(slot) } else { oldest = Int32(slot) }
    newest = Int32(slot)
  }

  private mutating func unlink(_ slot: Int) {
    let newer = slots[slot].newer
    let older = slots[slot].older
    if newer != Self.none { slots[Int(newer)].older = older } else { newest = older }
    if older != Self.none { slots[Int(older)].newer = newer } else { oldest = newer }
  }
}
