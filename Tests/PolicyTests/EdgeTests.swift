import Base
import Policy
import TestSupport
import Testing

/// Numbers at the ends of what fits, as a client, a provider or the file may tell them.
@Suite struct EdgeTests {
  private static let told: [Quantity] = [
    0, 1, Quantity(Int32.max), Quantity(UInt32.max), Quantity(Int64.max),
  ]

  private static func world(_ seed: UInt64) -> World {
    World(
      [
        provider("a") {
          $0.keys = [Secret("0"), Secret("1")]
          $0.budgets.requestsPerMinute = Quantity(Int64.max)
          $0.budgets.requestsPerDay = Quantity(Int64.max)
          $0.budgets.tokensPerMinute = Quantity(Int64.max)
          $0.budgets.tokensPerDay = Quantity(Int64.max)
          $0.quotaHeaders = QuotaHeaders([
            .init(remaining: "r", reset: "s", unit: .requests),
            .init(remaining: "t", reset: "u", unit: .tokens),
          ])
        }
      ], seed: seed)
  }

  /// Whatever is told of usage and quotas, the figures stay in order, and a day later all is as new.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func whateverIsToldTheStoreGoesOn(_ seed: UInt64) {
    var world = Self.world(seed)
    var random = RandomSource(seed: seed)
    func some() -> Quantity { Self.told[random.below(Self.told.count)] }
    var open: [AttemptTicket] = []
    for _ in 0..<3_000 {
      world.pass(.milliseconds(Int64(random.below(4_000))))
      if random.below(2) == 0, let choice = world.choice(tokens: some()) {
        open.append(world.health.begin(choice, now: world.now))
      } else if !open.isEmpty {
        let ticket = open.remove(at: random.below(open.count))
        let reset = Interval(nanoseconds: Int64.max >> Int64(random.below(40)))
        world.health.learn(
          ticket, pair: random.below(2), remaining: some(), resetAt: world.now + reset, now: world.now)
        world.health.end(ticket, AttemptOutcome(tokens: some() + some()), now: world.now)
      }
      let quota = world.health.status(of: 0, now: world.now).quota
      #expect(quota.requests != nil && quota.tokens != nil)
    }
    for ticket in open { world.health.end(ticket, AttemptOutcome(tokens: some()), now: world.now) }
    world.pass(.seconds(26 * 3600))
    let quota = world.health.status(of: 0, now: world.now).quota
    // Both keys' whole budget.
    #expect(quota.tokens == Quantity(Int64.max) + Quantity(Int64.max))
    #expect(world.choice(tokens: Quantity(Int64.max)) != nil)
  }

  @Test func aWindowTakesTheMostAndGivesItBack() {
    var window = RollingWindow.day
    let most = Quantity(Int64.max)
    var buckets: [Int64] = []
    for n in 0..<48 { buckets.append(window.add(most, now: start + .seconds(Int64(n) * 1800))) }
    let now = start + .seconds(47 * 1800)
    #expect(window.due(most, limit: most, now: now) > now)
    for bucket in buckets { window.takeBack(most, from: bucket, now: now) }
    #expect(window.total(now: now) == 0)
    #expect(window.due(most, limit: most, now: now) == now)
  }

  /// Two keys without a known end have no end together.
  @Test func unlimitedTwiceIsNoTrap() {
    let world = Self.world(1)
    for _ in 0..<2 {
      let ticket = world.health.begin(world.choice(tokens: 1)!, now: world.now)
      world.health.learn(
        ticket, pair: 0, remaining: Quantity(Int64.max), resetAt: .distantFuture, now: world.now)
      world.health.end(ticket, AttemptOutcome(tokens: Quantity(Int64.max)), now: world.now)
    }
    #expect(world.health.status(of: 0, now: world.now).quota.requests! > Quantity(Int64.max))
  }
}
