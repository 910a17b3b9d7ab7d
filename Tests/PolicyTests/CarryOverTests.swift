import Base
import Policy
import TestSupport
import Testing

@Suite struct CarryOverTests {
  private func reloaded(_ world: World, _ providers: [Provider]) -> World {
    var next = World(providers)
    next.health = HealthStore(next.catalog, keeping: world.health)
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
    #expect(next.health.status(of: 1, now: next.now) == world.health.status(of: 0, now: world.now))
    #expect(next.health.status(of: 0, now: next.now) == world.health.status(of: 1, now: world.now))
    #expect(next.health.order(next.route("m")!, now: next.now).count == 2)
  }

  @Test func aChangedEndpointStartsAnew() {
    let world = World(Self.two)
    for _ in 0..<3 { world.attempt(at: 0, .serverError) }
    var changed = Self.two
    changed[0].endpoint = "http://elsewhere/v1"
    let next = reloaded(world, changed)
    #expect(next.health.status(of: 0, now: next.now).state == .online)
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

  // MARK: - What began before

  @Test func whatIsUnderWayKeepsItsPlace() {
    let one = [provider("a") { $0.budgets.concurrent = 1 }]
    let world = World(one)
    let ticket = world.health.begin(world.choice()!, now: world.now)
    // As often as a discovered list changes.
    let next = reloaded(reloaded(reloaded(world, one), one), one)
    #expect(next.choice() == nil)
    #expect(next.health.status(of: 0, now: next.now).inFlight == 1)
    world.health.end(ticket, AttemptOutcome(), now: world.now)
    #expect(next.choice() != nil)
    #expect(next.health.status(of: 0, now: next.now).inFlight == 0)
  }

  /// An exchange that goes on with the old catalog asks the next key: it takes a place as well.
  @Test func anAttemptWithTheOldStoreCountsInTheNewOne() {
    let one = [provider("a") { $0.budgets.concurrent = 1 }]
    let world = World(one)
    let next = reloaded(world, one)
    let ticket = world.health.begin(world.choice()!, now: world.now)
    #expect(next.choice() == nil)
    world.health.end(ticket, AttemptOutcome(fault: .clientGone), now: world.now)
    #expect(next.choice() != nil)
  }

  @Test(arguments: [
    Fault.rate(until: nil), .quota(until: nil), .keyRejected, .modelMissing, .endpointMissing,
  ])
  func whatAnOldAttemptMeetsIsKnown(_ fault: Fault) {
    let world = World([provider("a")])
    let ticket = world.health.begin(world.choice()!, now: world.now)
    let next = reloaded(world, [provider("a")])
    let consequence = world.health.end(ticket, AttemptOutcome(fault: fault), now: world.now)
    #expect(consequence != nil && next.choice() == nil)
    // And after a further one.
    #expect(reloaded(next, [provider("a")]).choice() == nil)
  }

  @Test func anOldProbeDecides() {
    for fault in [nil, Fault.serverError] {
      var world = World([provider("a")])
      for _ in 0..<3 { world.attempt(.serverError) }
      world.pass(.seconds(20))
      let probe = world.health.begin(world.choice()!, now: world.now)
      let next = reloaded(world, [provider("a")])
      #expect(!next.isDueForProbe(0), "one probe at a time")
      world.health.end(probe, AttemptOutcome(fault: fault), now: world.now)
      let status = next.health.status(of: 0, now: next.now)
      #expect(status.isBreakerOpen == (fault != nil))
      #expect(status.inFlight == 0)
    }
  }

  @Test(arguments: [
    provider("b"), provider("a") { $0.endpoint = "http://elsewhere/v1" },
    provider("a") { $0.keys = [Secret("new")] },
  ])
  func oldTicketsOfWhatIsGoneEndHarmlessly(_ other: Provider) {
    for fault in [nil, Fault.serverError, .rate(until: nil), .keyRejected, .staleConnection] {
      let world = World([provider("a") { $0.budgets.concurrent = 1 }])
      let ticket = world.health.begin(world.choice()!, now: world.now)
      let next = reloaded(world, [other])
      #expect(next.choice() != nil)
      world.health.end(ticket, AttemptOutcome(fault: fault), now: world.now)
      #expect(next.choice() != nil)
      #expect(world.health.inFlight == 0)
      #expect(next.health.status(of: 0, now: next.now).inFlight == 0)
    }
  }

  /// The keys of a provider whose quota is shared have one account, whichever of them is still there.
  @Test func aSharedQuotaGoesOnWithAnyOfItsKeys() {
    let before = provider("a") {
      $0.quotaIsShared = true
      $0.keys = [Secret("0"), Secret("1")]
    }
    let world = World([before])
    world.attempt(.rate(until: nil))
    let after = provider("a") {
      $0.quotaIsShared = true
      $0.keys = [Secret("2"), Secret("1"), Secret("3")]
    }
    #expect(reloaded(world, [after]).choice() == nil)
  }
}
