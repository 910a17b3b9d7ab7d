import Base
import Policy
import TestSupport
import Testing

/// What answers cost, and the limit of a day.
@Suite struct SpendingTests {
  private static func dollars(_ amount: Double) -> Money { Money(dollars: amount) }

  private static let priced: [Provider] = [
    provider("cheap") { $0.cost = Cost(input: 0.5, output: 1.5, cachedInput: 0.05) },
    provider("dear", tier: 1) { $0.cost = Cost(input: 3, output: 15) },
    provider("free", tier: 2) { $0.free = true },
    provider("unknown", tier: 3),
  ]

  @Test(arguments: [
    // 800 fresh tokens, 200 cached ones, 100 of the answer: 400 + 10 + 150 millionths.
    (0, 0.000_56, 0.000_09, 0.003_85), (1, 0.004_5, 0, 0), (2, 0, 0, 0.004_5), (3, 0, 0, 0),
  ])
  func bills(_ provider: Int, _ spent: Double, _ prompt: Double, _ tier: Double) {
    let world = World(Self.priced)
    let route = world.route("m")!
    let tokens = TokenCounts(input: 1000, cached: 200, output: 100)
    let bill = world.catalog.bill(tokens, at: world.catalog.candidate(provider, of: route), of: route)
    #expect(bill.spent == Self.dollars(spent))
    #expect(bill.savedByPrompt == Self.dollars(prompt))
    #expect(bill.savedByTier == Self.dollars(tier))
    #expect(bill.worth == Self.dollars(0.004_5))
  }

  @Test func nothingDriftsAndNothingTraps() {
    let world = World([provider("a") { $0.cost = Cost(input: 0.0375, output: 1e6) }])
    let route = world.route("m")!
    let id = world.catalog.candidate(0, of: route)
    // 0.0375 millionths a token.
    let one = world.catalog.bill(TokenCounts(input: 1000), at: id, of: route).spent
    #expect(one == Money(billionths: 37_500))
    var sum = Money.none
    for _ in 0..<10_000 { sum += one }
    #expect(sum == Money(billionths: 375_000_000))
    let most = TokenCounts(
      input: Quantity(Int64.max), cached: Quantity(Int64.max), output: Quantity(Int64.max))
    let absurd = world.catalog.bill(most, at: id, of: route).spent
    #expect(absurd + absurd + absurd > absurd && absurd - absurd - absurd == .none)
    #expect(Money(dollars: .nan) == .none && Money(dollars: -1) == .none && Money(dollars: 1e30) > .none)
  }

  private static let noon = WallTime(milliseconds: 20_000 * 86_400_000 + 43_200_000)

  /// A provider that may cost a dollar a day; a request of 100,000 tokens with as many of an answer costs 0.20.
  private static func limited() -> World {
    let world = World([
      provider("a") {
        $0.cost = Cost(input: 1, output: 1)
        $0.spendPerDay = Self.dollars(1)
      }
    ])
    world.health.note(Day(Moment(instant: world.now, wall: noon)))
    return world
  }

  private func choice(_ world: World) -> Choice? {
    var history = AttemptHistory()
    var request = world.request(tokens: 200_000)
    request.answerTokens = 100_000
    guard case .attempt(let choice) = world.health.next(for: request, history: &history, now: world.now)
    else {
      return nil
    }
    return choice
  }

  private func end(_ world: World, _ ticket: AttemptTicket, tokens: Quantity?, fault: Fault? = nil) {
    if let tokens {
      _ = world.health.charge(ticket, TokenCounts(input: tokens), of: world.route("m")!)
    }
    world.health.end(ticket, AttemptOutcome(fault: fault), now: world.now)
  }

  @Test func aBurstOverrunsByNothing() {
    let world = Self.limited()
    var open: [AttemptTicket] = []
    while let choice = choice(world) { open.append(world.health.begin(choice, now: world.now)) }
    #expect(open.count == 5)
    // What costs less than it might have makes room at once.
    end(world, open.removeFirst(), tokens: 50_000)
    end(world, open.removeFirst(), tokens: 50_000)
    #expect(choice(world) != nil)
    for ticket in open { end(world, ticket, tokens: 200_000) }
    #expect(world.health.status(of: 0, now: world.now).spentToday == Self.dollars(0.7))
  }

  /// Whatever is told: no more than the answers that were under way when the limit was reached cost more than was
  /// estimated.
  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func theLimitHolds(_ seed: UInt64) {
    var world = Self.limited()
    var random = RandomSource(seed: seed)
    var open: [AttemptTicket] = []
    for _ in 0..<400 {
      world.pass(.milliseconds(50))
      if random.below(2) == 0, let choice = choice(world) {
        open.append(world.health.begin(choice, now: world.now))
      } else if !open.isEmpty {
        // Up to what was estimated, or nothing told of a client that left.
        let ticket = open.remove(at: random.below(open.count))
        let isGone = random.below(8) == 0
        end(
          world, ticket, tokens: isGone ? nil : Quantity(random.below(200_001)),
          fault: isGone ? .clientGone : nil)
      }
      #expect(world.health.status(of: 0, now: world.now).spentToday <= Self.dollars(1))
    }
    for ticket in open { end(world, ticket, tokens: 0) }
  }

  @Test func atTheLimitItIsLeftAloneUntilMidnight() {
    var world = Self.limited()
    let ticket = world.health.begin(choice(world)!, now: world.now)
    end(world, ticket, tokens: 1_300_000)
    #expect(choice(world) == nil)
    let status = world.health.status(of: 0, now: world.now)
    #expect(status.state == .cooling && status.cooldownUntil == world.now + .seconds(12 * 3600))
    #expect(status.reason == "has spent what its `spend.day` allows until midnight UTC")
    guard case .exhausted(.allRateLimited(let until)) = world.next(tokens: 200_000) else {
      Issue.record("not a rate")
      return
    }
    #expect(until == world.now + .seconds(12 * 3600))
    // A reload, even of the limit, forgets nothing; midnight does.
    world.health = HealthStore(world.catalog, keeping: world.health)
    #expect(choice(world) == nil)
    world.pass(.seconds(12 * 3600))
    let midnight = WallTime(milliseconds: Self.noon.milliseconds + 43_200_000)
    world.health.note(Day(Moment(instant: world.now, wall: midnight)))
    #expect(choice(world) != nil)
    #expect(world.health.status(of: 0, now: world.now).spentToday == .none)
    #expect(world.health.status(of: 0, now: world.now).bill.spent == Self.dollars(1.3))
  }

  @Test func anAttemptThatSpansAReloadIsCounted() {
    let world = Self.limited()
    let ticket = world.health.begin(choice(world)!, now: world.now)
    let next = HealthStore(world.catalog, keeping: world.health)
    end(world, ticket, tokens: 400_000)
    #expect(next.status(of: 0, now: world.now).spentToday == Self.dollars(0.4))
  }

  @Test func whatIsRefusedCostsNothing() {
    let world = Self.limited()
    for fault in [Fault.clientFault, .raceLost, .unreachable, .tooLong] {
      end(world, world.health.begin(choice(world)!, now: world.now), tokens: nil, fault: fault)
    }
    #expect(world.health.status(of: 0, now: world.now).spentToday == .none)
  }
}
