import Base
import Policy
import TestSupport
import Testing

@Suite struct LearnedQuotaTests {
  private static func limited(_ name: String, shared: Bool = false, keys: Int = 1) -> Provider {
    provider(name) {
      $0.keys = (0..<keys).map { Secret("\($0)") }
      $0.quotaIsShared = shared
      $0.quotaHeaders = QuotaHeaders([
        .init(
          remaining: "x-ratelimit-remaining-requests", reset: "x-ratelimit-reset-requests", unit: .requests),
        .init(remaining: "x-ratelimit-remaining-tokens", reset: "x-ratelimit-reset-tokens", unit: .tokens),
      ])
    }
  }

  /// An attempt that learns what is left of its requests.
  private func attempt(_ world: World, left: Quantity, reset: Interval, pair: Int = 0, tokens: Quantity = 10)
  {
    let ticket = world.health.begin(world.choice(tokens: tokens)!, now: world.now)
    world.health.learn(ticket, pair: pair, remaining: left, resetAt: world.now + reset, now: world.now)
    world.health.end(ticket, AttemptOutcome(), now: world.now)
  }

  @Test func atZeroItIsLeftAloneUntilItsReset() {
    var world = World([Self.limited("a")])
    attempt(world, left: 0, reset: .seconds(20))
    #expect(world.next() == .exhausted(.allRateLimited(until: world.now + .seconds(20))))
    #expect(world.health.status(of: 0, now: world.now).reason == "has used up its quota, as its answers said")
    world.pass(.seconds(20))
    #expect(world.choice() != nil)
  }

  @Test func aBurstDoesNotOverrun() {
    let world = World([Self.limited("a")])
    attempt(world, left: 3, reset: .seconds(20))
    var begun = 0
    while let choice = world.choice() {
      _ = world.health.begin(choice, now: world.now)
      begun += 1
    }
    #expect(begun == 3)
  }

  @Test func reportsInAnyOrderGiveTheSame() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
      let world = World([Self.limited("a")])
      let tickets = (0..<3).map { _ in world.health.begin(world.choice()!, now: world.now) }
      for n in order {
        world.health.learn(
          tickets[n], pair: 0, remaining: Quantity(9 - n), resetAt: world.now + .seconds(20), now: world.now)
      }
      #expect(world.health.status(of: 0, now: world.now).quota.requests == 7, "\(order)")
    }
  }

  @Test func afterTheResetABurstIsHeldToWhatWasSeenBefore() {
    var world = World([Self.limited("a")])
    attempt(world, left: 4, reset: .seconds(20))
    world.pass(.seconds(30))
    var tickets: [AttemptTicket] = []
    while let choice = world.choice() { tickets.append(world.health.begin(choice, now: world.now)) }
    #expect(tickets.count == 5)
    // A report says that there is more.
    world.health.learn(tickets[4], pair: 0, remaining: 2, resetAt: world.now + .seconds(9), now: world.now)
    #expect(world.choice() != nil)
    // Nothing under way: somebody has to ask.
    for ticket in tickets { world.health.end(ticket, AttemptOutcome(), now: world.now) }
    #expect(world.choice() != nil)
  }

  @Test func tokensCountToo() {
    let world = World([Self.limited("a")])
    attempt(world, left: 5_000, reset: .seconds(20), pair: 1)
    attempt(world, left: 100, reset: .seconds(20), pair: 1)
    #expect(world.choice(tokens: 101) == nil)
    #expect(world.choice(tokens: 100) != nil)
  }

  @Test(arguments: [Interval.zero, .seconds(-5)])
  func aResetThatIsPastIsIgnored(_ reset: Interval) {
    let world = World([Self.limited("a")])
    attempt(world, left: 0, reset: reset)
    #expect(world.choice() != nil)
  }

  @Test func aPairThatThePresetDoesNotHaveIsIgnored() {
    let world = World([Self.limited("a")])
    attempt(world, left: 0, reset: .seconds(20), pair: 7)
    #expect(world.choice() != nil)
  }

  @Test func rateLimitWithoutATimeWaitsForTheLearnedReset() {
    let world = World([Self.limited("a")])
    attempt(world, left: 50, reset: .seconds(17))
    #expect(world.attempt(.rate(until: nil))?.until == world.now + .seconds(17))
  }

  @Test(arguments: [(false, true), (true, false)])
  func aSharedQuotaIsLearnedForAllKeys(_ shared: Bool, _ usable: Bool) {
    let world = World([Self.limited("a", shared: shared, keys: 3)])
    attempt(world, left: 0, reset: .seconds(20))
    #expect((world.choice() != nil) == usable)
  }

  @Test func anAbsurdResetIsCapped() {
    var world = World([Self.limited("a")])
    attempt(world, left: 0, reset: .seconds(400 * 86_400))
    world.pass(.seconds(86_400))
    #expect(world.choice() != nil)
  }
}
