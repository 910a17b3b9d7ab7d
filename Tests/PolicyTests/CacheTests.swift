import Base
import Policy
import Testing

private func key(_ n: Int) -> Fingerprint {
  Fingerprint(high: UInt64(n) &* 0x9e37_79b9_7f4a_7c15, low: UInt64(n) &* 0xd6e8_feb8_6659_fd93)
}

private func head(_ status: Int = 200) -> AnswerHead {
  AnswerHead(
    status: status, contentType: Array("application/json".utf8), fields: [], provider: 1,
    providerName: "groq", isStream: false)
}

private func body(_ text: String, meter: MemoryMeter = MemoryMeter(limit: .max), cap: Int = 1 << 24)
  -> Recording
{
  let recording = Recording(cap: cap, window: 0, meter: meter)
  recording.append(Array(text.utf8).span)
  return recording
}

private func body(_ size: Int) -> Recording {
  let recording = Recording(cap: 1 << 24, window: 0, meter: MemoryMeter(limit: .max))
  recording.append([UInt8](repeating: 1, count: size).span)
  return recording
}

private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: 1_000) + .seconds(seconds) }

extension ResponseCache {
  /// How many steps of `steps` entries it took.
  @discardableResult fileprivate mutating func settleAll(steps: Int = 8) -> Int {
    var turns = 0
    while !isSettled, turns < 10_000 {
      settle(steps: steps)
      turns += 1
    }
    return turns
  }

  fileprivate mutating func put(_ n: Int, _ text: String, _ seconds: Int64 = 0) {
    #expect(insert(key(n), head: head(), recording: body(text), now: at(seconds)) == .stored)
  }

  fileprivate mutating func text(_ n: Int, _ seconds: Int64 = 0, maxAge: Interval? = nil) -> String? {
    lookup(key(n), now: at(seconds), maxAge: maxAge)?.recording.withBytes(from: 0) { $0.text }
  }
}

@Suite struct CacheTests {
  @Test func givesBackWhatWasStored() {
    var cache = ResponseCache(budget: 1 << 20, ttl: .seconds(300), pool: BlockPool())
    #expect(cache.text(1) == nil)
    cache.put(1, "one")
    cache.put(2, "two")
    #expect(cache.text(1) == "one" && cache.text(2) == "two" && cache.text(3) == nil)
    cache.put(1, "uno")
    #expect(cache.text(1) == "uno" && cache.count == 2)
    cache.remove(key(1))
    #expect(cache.text(1) == nil && cache.count == 1)
    let answer = cache.lookup(key(2), now: at(7))
    #expect(answer?.age(at: at(7)) == .seconds(7) && answer?.head == head())
    #expect(cache.figures.hits == 4 && cache.figures.misses == 3 && cache.figures.inserts == 3)
  }

  @Test(
    arguments: [
      (0, nil, true), (299, nil, true), (300, nil, false), (10, 10, true), (11, 10, false), (0, 0, true),
      (1, 0, false), (400, 1_000, false),
    ] as [(Int64, Int64?, Bool)])
  func ageIsBounded(_ age: Int64, _ maxAge: Int64?, _ isHit: Bool) {
    var cache = ResponseCache(budget: 1 << 20, ttl: .seconds(300), pool: BlockPool())
    cache.put(1, "one")
    #expect((cache.text(1, age, maxAge: maxAge.map { .seconds($0) }) != nil) == isHit)
    // A request that wants a younger one leaves it for the others; one that has expired is gone.
    #expect(cache.count == (age >= 300 ? 0 : 1))
    #expect(cache.figures.expirations == (age >= 300 ? 1 : 0))
  }

  @Test func theLeastRecentlyUsedGoesFirst() {
    var cache = ResponseCache(budget: 100_000, ttl: .seconds(300), pool: BlockPool())
    var stored = 0
    while cache.figures.evictions == 0 {
      _ = cache.text(0)
      cache.put(stored, String(repeating: "x", count: 3_000))
      stored += 1
    }
    #expect(stored > 15 && stored < 35)
    #expect(cache.text(0) != nil && cache.text(1) == nil && cache.text(2) != nil)
  }

  @Test func takesOnlyWholeAnswersOfAQuarterAtMost() {
    var cache = ResponseCache(budget: 200_000, ttl: .seconds(300), pool: BlockPool())
    #expect(cache.insert(key(1), head: head(), recording: body(60_000), now: at(0)) == .unfit)
    #expect(cache.insert(key(1), head: head(500), recording: body(10), now: at(0)) == .unfit)
    #expect(
      cache.insert(key(1), head: head(), recording: body("too long", cap: 5), now: at(0)) == .unfit)
    #expect(cache.insert(key(1), head: head(), recording: body(40_000), now: at(0)) == .stored)
    #expect(cache.figures.refusals == 3 && cache.count == 1)
    var none = ResponseCache(budget: 0, ttl: .seconds(300), pool: BlockPool())
    #expect(none.insert(key(1), head: head(), recording: body(1), now: at(0)) == .unfit && none.bytes == 0)
  }

  @Test func anEntryLivesOnForItsReplayAndStaysCounted() {
    var cache = ResponseCache(budget: 100_000, ttl: .seconds(300), pool: BlockPool())
    cache.put(1, "one")
    let empty = cache.bytes
    cache.remove(key(1))
    let bare = cache.bytes
    cache.put(1, String(repeating: "a", count: 4_000))
    var replay = cache.lookup(key(1), now: at(1))
    let full = cache.bytes
    cache.clear()
    #expect(cache.count == 0 && cache.text(1, 1) == nil && !cache.isSettled)
    cache.settleAll()
    #expect(cache.count == 0 && cache.bytes == full && full > empty)
    #expect(replay?.recording.withBytes(from: 3_000) { $0.count } == 1_000)
    replay = nil
    #expect(cache.bytes == bare)
  }

  @Test func whatIsBeingReplayedIsNotEvicted() {
    var cache = ResponseCache(budget: 100_000, ttl: .seconds(300), pool: BlockPool())
    cache.put(1, String(repeating: "a", count: 3_000))
    let replay = cache.lookup(key(1), now: at(0))
    cache.put(2, String(repeating: "b", count: 3_000))
    // A follower of the flight that made the answer still reads its recording.
    let followed = cache.lookup(key(2), now: at(0))?.recording
    for n in 3..<200 { cache.put(n, String(repeating: "c", count: 3_000)) }
    #expect(cache.bytes <= 100_000 && cache.figures.evictions > 150)
    #expect(cache.text(1)?.utf8.count == 3_000 && cache.text(2)?.utf8.count == 3_000)
    withExtendedLifetime((replay, followed)) {}
  }

  @Test func withEverythingBeingReplayedThereIsNoRoom() {
    var cache = ResponseCache(budget: 60_000, ttl: .seconds(300), pool: BlockPool())
    var replays: [CachedAnswer?] = []
    var insertion = ResponseCache.Insertion.stored
    var n = 0
    while insertion == .stored, n < 100 {
      insertion = cache.insert(key(n), head: head(), recording: body(3_000), now: at(0))
      replays.append(cache.lookup(key(n), now: at(0)))
      n += 1
    }
    #expect(insertion == .noRoom && cache.figures.evictions == 0 && cache.bytes <= 60_000)
    replays = []
    #expect(cache.insert(key(n), head: head(), recording: body(3_000), now: at(0)) == .stored)
  }

  @Test func aSmallerBudgetKeepsTheLatest() {
    var cache = ResponseCache(budget: 8 << 20, ttl: .seconds(300), pool: BlockPool())
    for n in 0..<1_000 { cache.put(n, "answer \(n)") }
    _ = cache.text(0)
    cache.adopt(budget: 256 << 10, ttl: .seconds(300))
    // Bit by bit, and it can be used meanwhile.
    cache.settle(steps: 8)
    #expect(cache.count == 992 && !cache.isSettled && cache.text(0) == "answer 0")
    #expect(cache.settleAll() > 50)
    #expect(cache.bytes <= 256 << 10 && cache.count <= 256 && cache.count > 150)
    let first = 1_001 - cache.count
    #expect(cache.text(0) == "answer 0" && cache.text(first - 1) == nil)
    for n in first..<1_000 { #expect(cache.text(n) == "answer \(n)") }
    // Grown again, it has room for as many as before.
    cache.adopt(budget: 8 << 20, ttl: .seconds(300))
    cache.settleAll()
    for n in 2_000..<3_000 { cache.put(n, "later") }
    #expect(cache.text(999) == "answer 999" && cache.text(2_000) == "later" && cache.isSettled)
  }

  @Test func withoutABudgetNothingIsHeld() {
    var cache = ResponseCache(budget: 1 << 20, ttl: .seconds(300), pool: BlockPool())
    for n in 0..<100 { cache.put(n, String(repeating: "x", count: 5_000)) }
    var replay = cache.lookup(key(99), now: at(0))
    cache.adopt(budget: 0, ttl: .seconds(300))
    #expect(cache.count == 0 && cache.text(98) == nil)
    cache.settleAll()
    #expect(cache.bytes > 5_000 && cache.bytes < 10_000 && replay?.recording.end == 5_000)
    replay = nil
    #expect(cache.bytes == 0)
    #expect(cache.insert(key(1), head: head(), recording: body(1), now: at(0)) == .unfit)
    cache.adopt(budget: 1 << 20, ttl: .seconds(300))
    cache.settleAll()
    cache.put(1, "again")
    #expect(cache.text(1) == "again")
  }

  @Test func anotherAgeHoldsForWhatIsStored() {
    var cache = ResponseCache(budget: 1 << 20, ttl: .seconds(300), pool: BlockPool())
    cache.put(1, "one")
    cache.put(2, "two")
    cache.adopt(budget: 1 << 20, ttl: .seconds(10))
    #expect(cache.text(1, 9) == "one" && cache.text(1, 10) == nil)
    cache.adopt(budget: 1 << 20, ttl: .seconds(1_000))
    #expect(cache.text(2, 999) == "two" && cache.text(2, 1_000) == nil)
  }

  @Test func whatWasClearedMakesRoomAtOnce() {
    var cache = ResponseCache(budget: 100_000, ttl: .seconds(300), pool: BlockPool())
    var n = 0
    while cache.figures.evictions == 0 {
      cache.put(n, String(repeating: "x", count: 3_000))
      n += 1
    }
    cache.clear()
    let evictions = cache.figures.evictions
    for later in 100..<110 { cache.put(later, String(repeating: "y", count: 3_000)) }
    #expect(cache.count == 10 && cache.figures.evictions == evictions && cache.bytes <= 100_000)
    cache.settleAll()
    for later in 100..<110 { #expect(cache.text(later) != nil) }
  }

  @Test func makingRoomIsBounded() {
    var cache = ResponseCache(budget: 4 << 20, ttl: .seconds(300), pool: BlockPool())
    var n = 0
    while cache.figures.evictions == 0 {
      cache.put(n, "x")
      n += 1
    }
    #expect(n > 1_000)
    let before = cache.figures.evictions
    var tries = 1
    while cache.insert(key(1 << 40), head: head(), recording: body(900_000), now: at(0)) != .stored {
      tries += 1
    }
    // One insert never drops more than its bound; what it dropped makes room for the next.
    #expect(tries >= 2 && cache.figures.evictions - before <= tries * Limits.evictionsPerInsert)
    #expect(cache.bytes <= 4 << 20)
  }

  @Test func theSweepDropsWhatHasExpired() {
    var cache = ResponseCache(budget: 1 << 20, ttl: .seconds(10), pool: BlockPool())
    for n in 0..<50 { cache.put(n, "x", Int64(n % 2) * 100) }
    var looked = 0
    while looked < 50 {
      cache.sweep(now: at(105), steps: 7)
      looked += 7
    }
    #expect(cache.count == 25 && cache.figures.expirations == 25)
    #expect(cache.text(1, 105) == "x" && cache.text(0, 105) == nil)
    cache.sweep(now: at(1_000), steps: 1_000)
    #expect(cache.count == 0)
    cache.sweep(now: at(1_000), steps: 1_000)
  }

  /// Random operations against a dictionary: what the cache still has is what was stored last, and it forgets
  /// only what it counts as evicted, expired or removed. Keys share few homes, so that probes run long.
  @Test(arguments: UInt64(1)...20)
  func agreesWithADictionary(_ seed: UInt64) {
    var state = seed &* 0x9e37_79b9_7f4a_7c15
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var cache = ResponseCache(budget: 150_000, ttl: .seconds(50), pool: BlockPool())
    var model: [Int: (text: String, stored: Int64)] = [:]
    var clock: Int64 = 0
    var dropped = 0
    func crowded(_ n: Int) -> Fingerprint { Fingerprint(high: UInt64(n), low: UInt64(n % 5)) }
    for step in 0..<3_000 {
      let n = next(60)
      clock += next(20) == 0 ? 3 : 0
      switch next(6) {
      case 0, 1:
        let text = "\(step)" + String(repeating: ".", count: next(6_000))
        let insertion = cache.insert(crowded(n), head: head(), recording: body(text), now: at(clock))
        #expect(insertion == .stored)
        model[n] = (text, clock)
      case 2 where next(10) == 0:
        cache.remove(crowded(n))
        model[n] = nil
      case 3 where next(200) == 0:
        cache.clear()
        model = [:]
      case 4 where next(100) == 0:
        cache.adopt(budget: 100_000 + next(50_000), ttl: .seconds(50))
      case 5:
        cache.settle(steps: next(3))
      default:
        if let answer = cache.lookup(crowded(n), now: at(clock)) {
          var bytes: [UInt8] = []
          while bytes.count < answer.recording.end {
            answer.recording.withBytes(from: bytes.count) { span in
              span.withUnsafeBufferPointer { bytes += $0 }
            }
          }
          #expect(bytes == model[n].map { Array($0.text.utf8) } && clock - (model[n]?.stored ?? 0) < 50)
        } else if model.removeValue(forKey: n) != nil {
          dropped += 1
        }
      }
      #expect(cache.bytes <= 150_000)
      #expect(cache.count <= model.count)
    }
    #expect(dropped <= cache.figures.evictions + cache.figures.expirations && dropped > 0)
    #expect(cache.figures.hits > 100)
  }
}
