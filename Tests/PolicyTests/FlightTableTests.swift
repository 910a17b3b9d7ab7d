import Base
import Policy
import Testing

private let head = AnswerHead(
  status: 200, contentType: [], fields: [], provider: 3, providerName: "groq", isStream: true)

private struct Refused: Error {}

private func key(_ n: UInt64) -> Fingerprint { Fingerprint(high: n, low: n) }

private func table(recording: Int = 100_000, flights: Int = 8, followers: Int = 8, lag: Int = 80_000)
  -> FlightTable
{
  var bounds = FlightTable.Bounds(recording: recording, memory: 1 << 24)
  bounds.flights = flights
  bounds.followers = followers
  bounds.lag = lag
  return FlightTable(bounds: bounds, pool: BlockPool())
}

extension FlightTable {
  /// Joins as the n-th client.
  fileprivate mutating func subscription(_ n: UInt64, _ wanted: UInt64 = 1) throws(Refused) -> Subscription {
    switch join(key(wanted), follower: FollowerID(n)) {
    case .lead(let subscription), .follow(let subscription): return subscription
    case .refused: throw Refused()
    }
  }

  fileprivate func record(_ flight: FlightID, _ count: Int) {
    recording(of: flight)?.append([UInt8](repeating: 7, count: count).span)
  }

  /// The head and everything that is there so far.
  fileprivate mutating func readAll(_ subscription: Subscription) {
    if case .head = step(subscription) { headSent(subscription) }
    if case .bytes(let range) = step(subscription) { advance(subscription, by: range.count) }
  }
}

@Suite struct FlightTableTests {
  @Test func atRestNoNameOfBeforeIsAnybodys() throws {
    var table = table()
    let kept = try table.subscription(1)
    table.rest()
    let first = table.flight(of: kept)
    #expect(table.recording(of: first) != nil)
    _ = table.leave(kept)
    table.rest()
    let next = try table.subscription(2)
    #expect(next != kept && table.flight(of: next) != first)
    #expect(table.recording(of: first) == nil)
    // Its key is found again.
    let second = try table.subscription(3)
    #expect(table.flight(of: second) == table.flight(of: next))
  }

  @Test func otherBoundsHoldForWhatBeginsThen() throws {
    var table = table(flights: 2)
    let first = try table.subscription(1, 1)
    _ = try table.subscription(2, 2)
    #expect(throws: Refused.self) { try table.subscription(3, 3) }
    var bounds = table.bounds
    bounds.flights = 40
    bounds.recording = 5
    table.adopt(bounds)
    for n in UInt64(3)..<40 { _ = try table.subscription(n, n) }
    // The flights of before are still found, and keep what they were given.
    let joined = try table.subscription(50, 1)
    #expect(table.flight(of: joined) == table.flight(of: first))
    table.commit(table.flight(of: first), head: head)
    table.record(table.flight(of: first), 100)
    #expect(table.recording(of: table.flight(of: first))?.isOverflown == false)
    bounds.flights = 1
    table.adopt(bounds)
    #expect(try table.subscription(51, 39) != joined)
    #expect(throws: Refused.self) { try table.subscription(52, 52) }
  }

  @Test func theFirstLeadsAndTheOthersFollow() throws {
    var table = table()
    guard case .lead(let first) = table.join(key(1), follower: FollowerID(10)),
      case .follow(let second) = table.join(key(1), follower: FollowerID(11)),
      case .lead(let other) = table.join(key(2), follower: FollowerID(12))
    else {
      Issue.record("wrong places")
      return
    }
    let flight = table.flight(of: first)
    #expect(flight == table.flight(of: second) && flight != table.flight(of: other))
    #expect(
      table.flightCount == 2 && table.subscriptionCount == 3 && table.subscriptionCount(of: flight) == 2)
    #expect(table.follower(of: second) == FollowerID(11))
    var walked: Set<Subscription> = []
    var at = table.firstSubscription(of: flight)
    while let subscription = at {
      walked.insert(subscription)
      at = table.subscription(after: subscription)
    }
    #expect(walked == [first, second])
    #expect(table.figures.flights == 2 && table.figures.joined == 1)
  }

  @Test func aFollowerGoesThroughHeadBytesAndEnd() throws {
    var table = table()
    let subscription = try table.subscription(1)
    let flight = table.flight(of: subscription)
    #expect(table.step(subscription) == .wait && table.head(of: flight) == nil)
    table.commit(flight, head: head)
    table.record(flight, 10)
    #expect(table.step(subscription) == .head(head) && table.head(of: flight) == head)
    table.headSent(subscription)
    #expect(table.step(subscription) == .bytes(0..<10))
    table.advance(subscription, by: 4)
    #expect(table.step(subscription) == .bytes(4..<10))
    let late = try table.subscription(2)
    #expect(table.step(late) == .head(head))
    table.advance(subscription, by: 6)
    #expect(table.step(subscription) == .wait)
    table.record(flight, 5)
    #expect(table.end(flight, .complete)?.end == 15)
    table.readAll(late)
    #expect(table.step(late) == .ended(.complete) && table.step(subscription) == .bytes(10..<15))
    table.advance(subscription, by: 5)
    #expect(table.step(subscription) == .ended(.complete))
    #expect(table.leave(subscription) == .othersRemain && table.leave(late) == .flightOver)
    #expect(table.flightCount == 0 && table.subscriptionCount == 0 && table.bytes == 0)
  }

  @Test func aFailureBeforeCommitReachesAll() throws {
    var table = table()
    let subscriptions = try (1...5).map { try table.subscription($0) }
    let flight = table.flight(of: subscriptions[0])
    #expect(table.end(flight, .failed(code: 7)) == nil)
    for subscription in subscriptions { #expect(table.step(subscription) == .ended(.failed(code: 7))) }
    // Who comes now starts anew.
    let next = try table.subscription(9)
    #expect(table.flight(of: next) != flight && table.step(next) == .wait)
  }

  @Test func aCutAnswerIsNotForTheCache() throws {
    var table = table()
    let subscription = try table.subscription(1)
    let flight = table.flight(of: subscription)
    table.commit(flight, head: head)
    table.record(flight, 10)
    #expect(table.end(flight, .cut) == nil)
    table.readAll(subscription)
    #expect(table.step(subscription) == .ended(.cut))
  }

  @Test func theLastToLeaveCancels() throws {
    var table = table()
    let first = try table.subscription(1)
    let second = try table.subscription(2)
    let flight = table.flight(of: first)
    #expect(table.leave(first) == .othersRemain)
    #expect(table.leave(second) == .cancelUpstream(flight))
    // Events that were on their way find nothing.
    #expect(table.recording(of: flight) == nil && table.end(flight, .complete) == nil)
    #expect(table.settle(flight) == .run && table.figures.cancelled == 1 && table.bytes == 0)
    let third = try table.subscription(3)
    #expect(table.flight(of: third) != flight)
  }

  @Test func boundsRefuse() throws {
    var table = table(flights: 2, followers: 2)
    for (n, wanted) in [(1, 1), (2, 1), (3, 2)] as [(UInt64, UInt64)] {
      _ = try table.subscription(n, wanted)
    }
    #expect(table.join(key(1), follower: FollowerID(4)) == .refused(.followers))
    #expect(table.join(key(3), follower: FollowerID(5)) == .refused(.flights))
    #expect(table.figures.refused == 2 && table.subscriptionCount == 3)
  }

  @Test func aSubscriberAloneGoesDirectUntilAnotherJoins() throws {
    var table = table()
    let first = try table.subscription(1)
    let flight = table.flight(of: first)
    guard let recording = table.recording(of: flight) else {
      Issue.record("a flight has a recording")
      return
    }
    #expect(table.goDirect(first) == false && recording.isFollowed)
    table.commit(flight, head: head)
    table.record(flight, 10)
    table.headSent(first)
    #expect(table.goDirect(first) == false)
    table.advance(first, by: 10)
    #expect(table.goDirect(first) == true && !recording.isFollowed && table.goDirect(first) == false)
    table.record(flight, 90)
    #expect(table.step(first) == .wait && table.settle(flight) == .run)
    let second = try table.subscription(2)
    #expect(recording.isFollowed && table.step(first) == .wait)
    table.record(flight, 5)
    #expect(table.step(first) == .bytes(100..<105))
    table.advance(first, by: 5)
    #expect(table.goDirect(first) == false)
    #expect(table.leave(second) == .othersRemain)
    #expect(table.goDirect(first) == true)
    _ = table.end(flight, .complete)
    #expect(table.step(first) == .ended(.complete))
  }

  @Test func aSubscriberAloneAndDirectNeedsNoBytesKept() throws {
    var table = table(recording: 1_000)
    let first = try table.subscription(1)
    let flight = table.flight(of: first)
    table.commit(flight, head: head)
    table.headSent(first)
    #expect(table.goDirect(first) == true)
    table.record(flight, 5_000)
    #expect(table.recording(of: flight)?.extent == .nothing)
    // Nobody can join that any more: the next one leads a flight of its own.
    guard case .lead(let second) = table.join(key(1), follower: FollowerID(2)),
      case .follow(let third) = table.join(key(1), follower: FollowerID(3))
    else {
      Issue.record("joined what is gone")
      return
    }
    #expect(table.flight(of: second) != flight && table.flight(of: third) == table.flight(of: second))
    #expect(table.end(flight, .complete) == nil && table.step(first) == .ended(.complete))
  }

  @Test func aSlowFollowerFallsBehindAlone() throws {
    var table = table(recording: 50_000, lag: 40_000)
    let fast = try table.subscription(1)
    let slow = try table.subscription(2)
    let flight = table.flight(of: fast)
    table.commit(flight, head: head)
    for _ in 0..<100 {
      table.record(flight, 1_000)
      table.readAll(fast)
      #expect(table.settle(flight) == .run)
    }
    #expect(table.step(slow) == .head(head))
    table.headSent(slow)
    #expect(table.step(slow) == .fellBehind && table.step(slow) == .fellBehind)
    #expect(table.figures.fellBehind == 1 && table.leave(slow) == .othersRemain)
    #expect(table.bytes <= 40_000 + 2 * BlockPool.room)
    #expect(table.settle(flight) == .run && table.step(fast) == .wait)
    #expect(table.bytes <= 2 * BlockPool.room)
  }

  @Test func onlyTheFastestSetsThePace() throws {
    var table = table(recording: 1 << 20, lag: 80_000)
    let fast = try table.subscription(1)
    let slow = try table.subscription(2)
    let flight = table.flight(of: fast)
    table.commit(flight, head: head)
    table.headSent(fast)
    table.headSent(slow)
    table.record(flight, 20_000)
    #expect(table.settle(flight) == .run)
    table.record(flight, 1)
    #expect(table.settle(flight) == .pause)
    table.advance(fast, by: 10_000)
    #expect(table.settle(flight) == .pause)
    table.advance(fast, by: 1)
    #expect(table.settle(flight) == .run)
    table.record(flight, 9_000)
    #expect(table.settle(flight) == .run && table.step(slow) == .bytes(0..<29_001))
  }
}
