import Base
import Policy
import TestSupport
import Testing

/// Thousands of random steps; after each one what must always hold is looked at.
@Suite struct HealthStorePropertyTests {
  private static let faults: [Fault?] = [
    nil, nil, nil, nil, .serverError, .serverError, .reset, .unreachable, .tooSlow, .cut, .clientGone,
    .staleConnection, .raceLost, .clientFault, .tooLong, .modelMissing, .keyRejected, .rate(until: nil),
    .quota(until: nil),
  ]

  private static func world(_ seed: UInt64) -> World {
    World(
      [
        provider("a") { $0.keys = [Secret("0"), Secret("1"), Secret("2")] },
        provider("b") {
          $0.keys = [Secret("0"), Secret("1")]
          $0.quotaIsShared = true
          $0.models.append(Model(name: "n", upstreamName: "n"))
        },
        provider("c", tier: 1) { $0.budgets.concurrent = 4 },
        provider("d", tier: 1) {
          $0.models = []
          $0.passesAnyModel = true
          $0.keys = []
        },
      ],
      aliases: [
        Alias(
          name: "x",
          targets: [
            .init(provider: "a", model: "m"), .init(provider: "b", model: "m"),
            .init(provider: "c", model: "m"), .init(provider: "d", model: "m"),
          ])
      ], seed: seed)
  }

  private struct Open {
    var ticket: AttemptTicket
    var choice: Choice
    var isProbe: Bool
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func invariantsHold(_ seed: UInt64) {
    var world = Self.world(seed)
    var random = RandomSource(seed: seed &* 977)
    var open: [Open] = []
    var cooling = Array(repeating: Instant.distantPast, count: 4)
    for _ in 0..<3_000 {
      world.pass(.milliseconds(Int64(random.below(random.below(40) == 0 ? 400_000 : 300))))
      if open.count < 30, random.below(2) == 0 {
        let model = ["x", "m", "n", "free"][random.below(4)]
        guard let choice = world.choice(model) else { continue }
        if !world.route(model)!.isLone {
          #expect(
            world.health.status(of: choice.provider, now: world.now).state == .online, "nobody else is sent")
        }
        let isProbe = world.isDueForProbe(choice.provider)
        if isProbe {
          #expect(
            !open.contains { $0.isProbe && $0.choice.provider == choice.provider }, "one probe at a time")
        }
        open.append(
          Open(ticket: world.health.begin(choice, now: world.now), choice: choice, isProbe: isProbe))
      } else if !open.isEmpty {
        let ended = open.remove(at: random.below(open.count))
        var fault = Self.faults[random.below(Self.faults.count)]
        if case .rate = fault, random.below(2) == 0 {
          fault = .rate(until: world.now + .milliseconds(Int64(random.below(90_000))))
        }
        if random.below(4) == 0 {
          world.health.commit(ended.ticket, timeToFirstToken: .milliseconds(50), now: world.now)
        }
        let consequence = world.health.end(ended.ticket, AttemptOutcome(fault: fault), now: world.now)
        if let consequence, consequence.scope == .account {
          // A cooldown is never shortened.
          let wanted = cooling[ended.choice.provider]
          if world.catalog.providers[ended.choice.provider].quotaIsShared {
            #expect(consequence.until >= wanted)
            cooling[ended.choice.provider] = consequence.until
          }
        }
      }
      #expect(world.health.inFlight == open.count)
      if random.below(20) == 0 { Self.checkOrder(world) }
    }
    for left in open { world.health.end(left.ticket, AttemptOutcome(fault: .clientGone), now: world.now) }
    #expect(world.health.inFlight == 0)
    for place in 0..<world.health.statusCount {
      #expect(world.health.status(at: place, now: world.now).inFlight == 0)
    }
    // Whatever happened, all of them come back.
    world.pass(.seconds(2 * 86_400))
    #expect(world.health.usableProviders(now: world.now) == 4)
  }

  /// Every candidate is in the order once, twice the same; ready ones stand before the others.
  private static func checkOrder(_ world: World) {
    let route = world.route("x")!
    let order = world.health.order(route, now: world.now)
    #expect(order == world.health.order(route, now: world.now))
    #expect(order.sorted() == (0..<route.count).map { world.catalog.candidate($0, of: route) }.sorted())
    let rows = world.health.explain(Array("x".utf8).span, now: world.now)!
    #expect(rows.drop { $0.isReady }.allSatisfy { !$0.isReady })
    let ready = rows.prefix { $0.isReady }.map(\.tier)
    #expect(ready == ready.sorted())
  }

  /// Breaker cooldowns, rates, quotas: what a status page shows as the end never moves nearer by a fault.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func cooldownsAreNeverShortened(_ seed: UInt64) {
    var random = RandomSource(seed: seed)
    var cooldown = Cooldown()
    var now = start
    for _ in 0..<5_000 {
      now = now + .milliseconds(Int64(random.below(2_000)))
      let before = cooldown.until
      let wasActive = cooldown.isActive(at: now)
      let until = now + .milliseconds(Int64(random.below(100_000)))
      #expect(cooldown.extend(until: until, for: .rate(until: nil), now: now) != wasActive)
      #expect(cooldown.until == max(before, until))
    }
  }

  /// Any exchange ends: in bounded attempts and waits, whatever each attempt brings.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func everyExchangeEnds(_ seed: UInt64) {
    var world = Self.world(seed)
    var random = RandomSource(seed: seed &* 31)
    for _ in 0..<400 {
      world.pass(.milliseconds(Int64(random.below(20_000))))
      var history = AttemptHistory()
      let request = world.request(["x", "m", "n", "zz"][random.below(4)])
      let began = world.now
      var steps = 0
      loop: while true {
        steps += 1
        #expect(steps < 100)
        switch world.health.next(for: request, history: &history, now: world.now) {
        case .attempt(let choice):
          history.note(choice)
          let ticket = world.health.begin(choice, now: world.now)
          let fault = Self.faults[random.below(Self.faults.count)]
          world.health.end(ticket, AttemptOutcome(fault: fault), now: world.now)
          guard let fault, fault != .clientFault, fault != .clientGone else { break loop }
          history.note(fault, of: choice)
        case .wait(let until):
          #expect(until > world.now)
          world.now = until
        case .exhausted: break loop
        }
      }
      #expect((world.now - began).seconds <= 2)
      let count = history.count
      #expect(count <= Limits.attempts)
    }
  }

  @Test func equalSeedsGiveEqualDays() {
    func run() -> [Int] {
      var world = Self.world(5)
      var random = RandomSource(seed: 11)
      var visited: [Int] = []
      for _ in 0..<500 {
        world.pass(.milliseconds(Int64(random.below(500))))
        guard let choice = world.choice("x") else { continue }
        visited.append(choice.provider)
        let ticket = world.health.begin(choice, now: world.now)
        world.health.end(ticket, AttemptOutcome(fault: Self.faults[random.below(9)]), now: world.now)
      }
      return visited
    }
    #expect(run() == run())
  }
}
