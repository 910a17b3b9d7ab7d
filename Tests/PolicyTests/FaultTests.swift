import Base
import Policy
import TestSupport
import Testing

/// SPEC 4, "Faults": a row each.
@Suite struct FaultTests {
  static let breakerFaults: [Fault] = [
    .unreachable, .tls, .reset, .silence, .serverError, .overloaded, .starting, .timedOut, .cut, .errorInside,
    .foreign,
    .redirected, .emptyStream, .tooSlow,
  ]

  @Test(arguments: breakerFaults)
  func threeInARowOpenTheBreaker(_ fault: Fault) throws {
    let world = World([provider("a")])
    #expect(fault.blame == .provider)
    #expect(world.attempt(fault) == nil)
    #expect(world.attempt(fault) == nil)
    let consequence = try #require(world.attempt(fault))
    #expect(consequence.scope == .provider && consequence.isNew)
    let cooldown = (consequence.until - world.now).seconds
    #expect(cooldown >= 13.5 && cooldown <= 16.5)
    let status = world.health.status(of: 0, now: world.now)
    #expect(status.reason == "\(fault.phrase)")
    #expect(status.state == (fault.isOfThePath ? .offline : .cooling))
  }

  @Test(arguments: [
    (Fault.rate(until: nil), Interval.seconds(60), Consequence.Scope.account),
    (.rate(until: start + .seconds(7)), .seconds(7), .account),
    (.rate(until: start + .milliseconds(120)), .milliseconds(120), .account),
    (.rate(until: start - .seconds(5)), .seconds(1), .account),
    (.rate(until: start + .seconds(90 * 86_400)), .seconds(86_400), .account),
    (.rate(until: .distantFuture), .seconds(86_400), .account),
    (.quota(until: nil), .seconds(3_600), .account),
    (.quota(until: start + .seconds(7_200)), .seconds(7_200), .account),
    (.quota(until: start + .seconds(9 * 86_400)), .seconds(9 * 86_400), .account),
    (.quota(until: .distantFuture), .seconds(31 * 86_400), .account),
    (.keyRejected, .seconds(3_600), .key), (.modelMissing, .seconds(3_600), .candidate),
    (.endpointMissing, .seconds(3_600), .endpoint), (.modelLacksEndpoint, .seconds(3_600), .endpoint),
  ])
  func coolsWhoIsToBlame(_ fault: Fault, _ length: Interval, _ scope: Consequence.Scope) {
    var world = World([provider("a")])
    world.now = start
    let consequence = world.attempt(fault)
    #expect(consequence == Consequence(scope: scope, until: start + length, isNew: true))
    #expect(world.choice() == nil)
    world.pass(length - .milliseconds(1))
    #expect(world.choice() == nil)
    world.pass(.milliseconds(1))
    #expect(world.choice() != nil)
  }

  @Test(arguments: [Fault.tooLong, .requestRefused, .clientFault, .clientGone, .raceLost, .noRoom])
  func coolsNothing(_ fault: Fault) {
    let world = World([provider("a")])
    for _ in 0..<10 {
      #expect(world.choice() != nil)
      #expect(world.attempt(fault) == nil)
    }
    #expect(world.health.status(of: 0, now: world.now).state == .online)
  }

  @Test func badKeyBenchesItsKeyOnly() {
    let world = World([provider("a") { $0.keys = [Secret("1"), Secret("2")] }])
    let first = world.choice()?.key
    world.attempt(.keyRejected)
    for _ in 0..<4 {
      #expect(world.choice()?.key != first)
      world.attempt(nil)
    }
    #expect(world.health.status(of: 0, now: world.now).state == .online)
  }

  @Test(arguments: [false, true]) func rateBenchesTheKeyOrTheAccount(_ isShared: Bool) {
    let world = World([
      provider("a") {
        $0.keys = [Secret("1"), Secret("2")]
        $0.quotaIsShared = isShared
      }
    ])
    world.attempt(.rate(until: nil))
    #expect((world.choice() == nil) == isShared)
  }

  @Test func missingModelBenchesItsCandidateOnly() {
    let world = World([
      provider("a") { $0.models.append(Model(name: "n", upstreamName: "n")) }
    ])
    world.attempt(.modelMissing)
    #expect(world.choice("m") == nil)
    #expect(world.choice("n") != nil)
  }

  @Test func missingEndpointLeavesTheOthersAlone() {
    let world = World([
      provider("a") { $0.models.append(Model(name: "n", upstreamName: "n")) }, provider("b", tier: 1),
    ])
    world.attempt(at: 0, .endpointMissing, endpoint: 3)
    #expect(world.choice(endpoint: 3)?.provider == 1)
    #expect(world.choice("n", endpoint: 3) == nil)
    #expect(world.choice(endpoint: 0)?.provider == 0)
    #expect(world.health.status(of: 0, now: world.now).state == .online)
  }

  /// Where a provider has answered well, a 404 that names no model is about the model all the same.
  @Test(arguments: [false, true]) func endpointThatIsThereIsTheModelsFault(_ saysSo: Bool) {
    let world = World([provider("a") { $0.models.append(Model(name: "n", upstreamName: "n")) }])
    if !saysSo { world.attempt(nil, model: "n", endpoint: 3) }
    world.attempt(saysSo ? .modelLacksEndpoint : .endpointMissing, model: "m", endpoint: 3)
    #expect(world.choice("m", endpoint: 3) == nil)
    #expect(world.choice("n", endpoint: 3) != nil)
    #expect(world.choice("m", endpoint: 4) != nil)
  }

  @Test func missingEndpointOfAWildcardIsTheProvidersToo() {
    let world = World([
      provider("a") {
        $0.models = []
        $0.passesAnyModel = true
      }
    ])
    world.attempt(nil, model: "x")
    world.attempt(.endpointMissing, model: "y")
    #expect(world.choice("y") == nil)
    #expect(world.choice("x") != nil)
    world.attempt(.endpointMissing, model: "x", endpoint: 5)
    #expect(world.choice("another", endpoint: 5) == nil)
    #expect(world.choice("another") != nil)
  }

  /// Models come and go where the list is not ours to know.
  @Test(arguments: [false, true]) func unlistedModelIsAskedForAgainSoon(_ isWildcard: Bool) {
    var world = World([
      provider("a") {
        if isWildcard { $0.models = [] }
        $0.passesAnyModel = isWildcard
        $0.isLocal = !isWildcard
      }
    ])
    world.attempt(.modelMissing)
    world.pass(.milliseconds(29_999))
    #expect(world.choice() == nil)
    world.pass(.milliseconds(1))
    #expect(world.choice() != nil)
  }

  @Test func wildcardRemembersNamesOneByOneAndBounded() {
    let world = World([
      provider("a") {
        $0.models = []
        $0.passesAnyModel = true
      }
    ])
    world.attempt(.modelMissing, model: "no-such")
    #expect(world.choice("no-such") == nil)
    #expect(world.choice("a/no-such") == nil)
    #expect(world.choice("another") != nil)
    for n in 0..<500 { world.attempt(.modelMissing, model: "x\(n)") }
    #expect(world.choice("x499") == nil)
    #expect(world.choice("another") != nil)
  }

  @Test func firstStaleConnectionIsForgivenThenCountsAsReset() {
    var world = World([provider("a")])
    for expected in [nil, nil, nil, "dropped the connection"] as [String?] {
      #expect(world.health.status(of: 0, now: world.now).reason == nil)
      world.attempt(.staleConnection)
      #expect(world.health.status(of: 0, now: world.now).reason == expected)
      world.pass(.milliseconds(10))
    }
  }

  @Test func staleConnectionsThatWereInFlightTogetherAreOneEvent() {
    var world = World([provider("a")])
    let tickets = (0..<8).map { _ in world.health.begin(world.choice()!, now: world.now) }
    world.pass(.milliseconds(5))
    for ticket in tickets {
      world.health.end(ticket, AttemptOutcome(fault: .staleConnection), now: world.now)
    }
    #expect(world.health.status(of: 0, now: world.now).state == .online)
  }

  @Test func resetEndsCooldowns() {
    let world = World([provider("a")])
    for fault in [
      Fault.keyRejected, .rate(until: nil), .modelMissing, .endpointMissing, .quota(until: nil),
    ] {
      world.attempt(fault)
      #expect(world.choice() == nil)
      world.health.reset(provider: 0)
      #expect(world.choice() != nil)
    }
    for _ in 0..<3 { world.attempt(.serverError) }
    #expect(world.health.status(of: 0, now: world.now).state == .cooling)
    world.health.reset(provider: 0)
    #expect(world.health.status(of: 0, now: world.now).state == .online)
  }

  @Test func historyHasRoomForEveryAttempt() {
    var history = AttemptHistory()
    let world = World([provider("a")])
    let choice = world.choice()!
    for _ in 0..<Limits.attempts {
      let isFull = history.isFull
      #expect(!isFull)
      history.note(choice)
    }
    let isFull = history.isFull
    #expect(isFull)
  }
}
