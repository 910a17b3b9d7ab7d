import Base
import Policy
import Testing

@Suite struct CarryOverTests {
  private func reloaded(_ world: World, _ providers: [Provider]) -> World {
    var next = World(providers)
    next.ledger = Ledger(next.catalog, keeping: world.ledger)
    next.now = world.now
    return next
  }

  private static let two: [Provider] = [
    provider("a") { $0.keys = [Secret("0"), Secret("1")] }, provider("b", tier: 1),
  ]

  @Test func unchangedProvidersKeepWhatWasLearned() {
    let world = World(Self.two)
    for _ in 0..<3 { world.attempt(at: 0, .serverError) }
    world.attempt(at: 1, nil, after: .milliseconds(70))
    world.attempt(at: 1, .rate(until: nil))
    let next = reloaded(world, Self.two.reversed())
    #expect(next.ledger.status(of: 1, now: next.now) == world.ledger.status(of: 0, now: world.now))
    #expect(next.ledger.status(of: 0, now: next.now) == world.ledger.status(of: 1, now: world.now))
    #expect(next.ledger.order(next.route("m")!, now: next.now).count == 2)
  }

  @Test func aChangedEndpointStartsAnew() {
    let world = World(Self.two)
    for _ in 0..<3 { world.attempt(at: 0, .serverError) }
    var changed = Self.two
    changed[0].endpoint = "http://elsewhere/v1"
    let next = reloaded(world, changed)
    #expect(next.ledger.status(of: 0, now: next.now).state == .online)
  }

  @Test func aNewKeyStartsAnewAndTheOldOneKeepsItsCooldown() {
    let world = World([provider("a") { $0.keys = [Secret("old"), Secret("bad")] }])
    // Both are rejected; the operator replaces one.
    world.attempt(.keyRejected)
    world.attempt(.keyRejected)
    #expect(world.choice() == nil)
    let next = reloaded(world, [provider("a") { $0.keys = [Secret("bad"), Secret("new")] }])
    #expect(next.choice()?.key == 1)
    next.attempt(.keyRejected)
    #expect(next.choice() == nil)
  }

  @Test func budgetsRememberWhatWasSpentWhateverTheirLimitIsNow() {
    let world = World([provider("a") { $0.budgets.requestsPerMinute = 10 }])
    for _ in 0..<4 { world.attempt(nil) }
    #expect(reloaded(world, [provider("a") { $0.budgets.requestsPerMinute = 4 }]).choice() == nil)
    #expect(reloaded(world, [provider("a") { $0.budgets.requestsPerMinute = 5 }]).choice() != nil)
    #expect(reloaded(world, [provider("a")]).choice() != nil)
  }

  @Test func missingModelsStayMissingWhereTheyAreTheSame() {
    let world = World([provider("a")])
    world.attempt(.modelMissing)
    #expect(reloaded(world, [provider("a")]).choice() == nil)
    let corrected = provider("a") { $0.models = [Model(name: "m", upstreamName: "m-2")] }
    #expect(reloaded(world, [corrected]).choice() != nil)
  }

  @Test func oldTicketsEndHarmlessly() {
    var world = World([provider("a")])
    for _ in 0..<3 { world.attempt(.serverError) }
    world.pass(.seconds(20))
    let probe = world.ledger.begin(world.choice()!, now: world.now)
    let next = reloaded(world, [provider("a")])
    #expect(next.ledger.inFlight == 0)
    #expect(next.ledger.wantsCheck(provider: 0, now: next.now))
    world.ledger.end(probe, AttemptOutcome(fault: .serverError), now: world.now)
    #expect(next.ledger.wantsCheck(provider: 0, now: next.now))
    #expect(next.ledger.status(of: 0, now: next.now).inFlight == 0)
  }
}
