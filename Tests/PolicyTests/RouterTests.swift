import Base
import Policy
import TestSupport
import Testing

@Suite struct RouterTests {
  @Test func lowerTierFirstThenTheNext() {
    let world = World([provider("b", tier: 1), provider("a", tier: 0), provider("c", tier: 2)])
    var history = AttemptHistory()
    var visited: [String] = []
    while case .attempt(let choice) = world.health.next(
      for: world.request(), history: &history, now: world.now)
    {
      visited.append(world.catalog.providers[choice.provider].name)
      history.note(choice)
      let ticket = world.health.begin(choice, now: world.now)
      world.health.end(ticket, AttemptOutcome(fault: .serverError), now: world.now)
      history.note(.serverError, of: choice)
    }
    #expect(visited == ["a", "b", "c"])
    #expect(
      world.health.next(for: world.request(), history: &history, now: world.now) == .exhausted(.allFailed))
  }

  @Test func preferenceGoesBeforeTierButNotBeforeHealth() {
    let world = World([provider("a"), provider("b", tier: 5)])
    var history = AttemptHistory()
    func first() -> Int? {
      guard
        case .attempt(let choice) = world.health.next(
          for: world.request(preference: 1), history: &history, now: world.now)
      else { return nil }
      return choice.provider
    }
    #expect(first() == 1)
    for _ in 0..<3 { world.attempt(at: 1, .serverError) }
    #expect(first() == 0)
  }

  @Test func unsampledGetsOneSampleAndIsNotFlooded() {
    let world = World([provider("a"), provider("b")])
    for _ in 0..<20 { world.attempt(at: 0, nil, after: .milliseconds(100)) }
    // b has no sample: it is next; while its first is on its way, a is.
    let choice = world.choice()!
    #expect(choice.provider == 1)
    let ticket = world.health.begin(choice, now: world.now)
    #expect(world.choice()?.provider == 0)
    world.health.end(ticket, AttemptOutcome(timeToFirstToken: .milliseconds(400)), now: world.now)
    #expect(world.choice()?.provider == 0)
  }

  @Test func busyFastProviderGivesWayToAnIdleOne() {
    let world = World([provider("a"), provider("b")])
    world.attempt(at: 0, nil, after: .milliseconds(100))
    world.attempt(at: 1, nil, after: .milliseconds(250))
    var tickets: [AttemptTicket] = []
    var taken: [Int] = []
    for _ in 0..<7 {
      let choice = world.choice()!
      taken.append(choice.provider)
      tickets.append(world.health.begin(choice, now: world.now))
    }
    #expect(taken == [0, 0, 1, 0, 0, 0, 1])
    for ticket in tickets { world.health.end(ticket, AttemptOutcome(fault: .clientGone), now: world.now) }
  }

  /// olla #144: what fails in a millisecond must not look fast.
  @Test(arguments: [Fault.unreachable, .serverError, .reset, .errorInside])
  func instantFailureIsNotFast(_ fault: Fault) {
    let world = World([provider("bad"), provider("good")])
    world.attempt(at: 1, nil, after: .milliseconds(900))
    world.attempt(at: 0, fault, after: .milliseconds(1))
    for _ in 0..<50 {
      #expect(world.choice()?.provider == 1)
      world.attempt(at: 1, nil, after: .milliseconds(900))
    }
  }

  @Test(arguments: [
    // latency of a and b in ms, price of a and b, who is first
    (100, 105, 5.0, 1.0, 1), (100, 105, 1.0, 5.0, 0), (100, 120, 5.0, 1.0, 0), (105, 100, 1.0, 5.0, 0),
    (120, 100, 1.0, 5.0, 1), (100, 105, 1.0, 1.0, 0),
  ])
  func costDecidesWithinTenPercent(_ a: Int64, _ b: Int64, _ pa: Double, _ pb: Double, _ first: Int) {
    let world = World([
      provider("a") { $0.cost = Cost(input: pa, output: 0) },
      provider("b") { $0.cost = Cost(input: pb, output: 0) },
    ])
    world.attempt(at: 0, nil, after: .milliseconds(a))
    world.attempt(at: 1, nil, after: .milliseconds(b))
    var world2 = world
    world2.now = world.now + .milliseconds(max(a, b))
    #expect(world2.choice()?.provider == first)
    #expect(world2.health.order(world.route("m")!, now: world2.now).first?.index == first)
  }

  @Test func freeGoesBeforePaidAndPaidBeforeUnknown() {
    let world = World([
      provider("unknown"), provider("paid") { $0.cost = Cost(input: 1, output: 1) },
      provider("free") { $0.free = true },
    ])
    let order = world.health.order(world.route("m")!, now: world.now).map(\.index)
    #expect(order == [2, 1, 0])
  }

  @Test func keysRotateLeastUsedFirst() {
    let world = World([provider("a") { $0.keys = [Secret("0"), Secret("1"), Secret("2")] }])
    var used: [Int] = []
    for _ in 0..<6 {
      used.append(world.choice()!.key)
      world.attempt(nil)
    }
    #expect(used == [0, 1, 2, 0, 1, 2])
    #expect(world.health.secret(for: world.choice()!) == Secret("0"))
  }

  @Test func anotherKeyOfTheSameCandidateIsTriedAfterABadKey() {
    let world = World([provider("a") { $0.keys = [Secret("0"), Secret("1")] }])
    var history = AttemptHistory()
    var keys: [Int] = []
    for fault in [Fault.keyRejected, .rate(until: world.now + .seconds(60))] {
      guard
        case .attempt(let choice) = world.health.next(for: world.request(), history: &history, now: world.now)
      else { break }
      keys.append(choice.key)
      history.note(choice)
      let ticket = world.health.begin(choice, now: world.now)
      world.health.end(ticket, AttemptOutcome(fault: fault), now: world.now)
      history.note(fault, of: choice)
    }
    #expect(keys == [0, 1])
    #expect(
      world.health.next(for: world.request(), history: &history, now: world.now) == .exhausted(.allFailed))
  }

  @Test func loneProviderIsTriedUnderTheBreakerOnly() {
    let world = World([provider("a")])
    for _ in 0..<3 { world.attempt(.serverError) }
    #expect(world.choice() != nil)
    // Two candidates of one provider are alone as well; two providers are not.
    let pair = World([provider("a"), provider("b")])
    for n in [0, 1] { for _ in 0..<3 { pair.attempt(at: n, .serverError) } }
    guard case .exhausted(.unavailable(let until?)) = pair.next() else {
      Issue.record("\(pair.next())")
      return
    }
    #expect((until - pair.now).seconds > 13)
    // A rate limit is obeyed even when alone.
    world.health.reset(provider: 0)
    world.attempt(.rate(until: nil))
    #expect(world.next() == .exhausted(.allRateLimited(until: world.now + .seconds(60))))
  }

  @Test func loneProvidersFailuresDoNotLengthenTheCooldown() {
    var world = World([provider("a")])
    for _ in 0..<3 { world.attempt(.serverError) }
    let until = world.health.status(of: 0, now: world.now).cooldownUntil
    for _ in 0..<20 {
      world.pass(.milliseconds(100))
      world.attempt(.serverError)
    }
    #expect(world.health.status(of: 0, now: world.now).cooldownUntil == until)
    world.attempt(nil)
    #expect(world.health.status(of: 0, now: world.now).state == .online)
  }

  @Test(arguments: [
    // due in ms, deadline in ms, waits
    (1_500, 120_000, true), (2_000, 120_000, true), (2_001, 120_000, false), (1_500, 1_000, false),
  ])
  func waitsForOneThatIsNearlyDue(_ due: Int64, _ deadline: Int64, _ waits: Bool) {
    var world = World([provider("a")])
    let time = world.now + .milliseconds(due)
    world.attempt(.rate(until: time))
    var history = AttemptHistory()
    var request = world.request()
    request.deadline = world.now + .milliseconds(deadline)
    let decision = world.health.next(for: request, history: &history, now: world.now)
    #expect(decision == (waits ? .wait(until: time) : .exhausted(.allRateLimited(until: time))))
    if waits {
      world.now = time
      guard case .attempt = world.health.next(for: request, history: &history, now: world.now) else {
        Issue.record("due, and not tried")
        return
      }
    }
  }

  @Test func waitingEndsTwoSecondsAfterItBegan() {
    var world = World([provider("a") { $0.budgets.concurrent = 1 }])
    let ticket = world.health.begin(world.choice()!, now: world.now)
    var history = AttemptHistory()
    let began = world.now
    while case .wait(let until) = world.health.next(for: world.request(), history: &history, now: world.now) {
      #expect(until > world.now)
      world.now = until
    }
    #expect((world.now - began).seconds <= 2)
    #expect((world.now - began).seconds > 1.9)
    world.health.end(ticket, AttemptOutcome(), now: world.now)
    #expect(world.choice() != nil)
  }

  @Test func aRateLimitedCandidateIsRetriedOnceAfterAShortCooldown() {
    var world = World([provider("a")])
    var history = AttemptHistory()
    var attempts = 0
    loop: while true {
      switch world.health.next(for: world.request(), history: &history, now: world.now) {
      case .attempt(let choice):
        attempts += 1
        history.note(choice)
        let ticket = world.health.begin(choice, now: world.now)
        let fault = Fault.rate(until: world.now + .milliseconds(1))
        world.health.end(ticket, AttemptOutcome(fault: fault), now: world.now)
        history.note(fault, of: choice)
      case .wait(let until): world.now = until
      case .exhausted(let why):
        #expect(why == .allRateLimited(until: world.now + .milliseconds(1)))
        break loop
      }
    }
    #expect(attempts == 2)
  }

  @Test func staleConnectionIsRetriedFreshOnlyWhereItIsTheLast() {
    let world = World([provider("a"), provider("b", tier: 1)])
    var history = AttemptHistory()
    var visited: [String] = []
    while case .attempt(let choice) = world.health.next(
      for: world.request(), history: &history, now: world.now)
    {
      let fault: Fault = visited.isEmpty ? .staleConnection : .serverError
      visited.append(world.catalog.providers[choice.provider].name + (choice.needsFreshConnection ? "!" : ""))
      history.note(choice)
      let ticket = world.health.begin(choice, now: world.now)
      world.health.end(ticket, AttemptOutcome(fault: fault), now: world.now)
      history.note(fault, of: choice)
    }
    #expect(visited == ["a", "b", "a!"])
  }

  @Test func theLoserOfARaceIsStillThereWhenTheWinnerFails() {
    let world = World([provider("a"), provider("b", tier: 1)])
    var history = AttemptHistory()
    func next() -> Choice? {
      let decision = world.health.next(for: world.request(), history: &history, now: world.now)
      guard case .attempt(let choice) = decision else { return nil }
      history.note(choice)
      return choice
    }
    let slow = next()!
    let quick = next()!
    #expect(next() == nil, "both are under way")
    history.note(.raceLost, of: slow)
    history.note(.serverError, of: quick)
    #expect(next()?.provider == slow.provider)
  }

  @Test func endingAnAttemptTwiceStops() async {
    await #expect(processExitsWith: .failure) {
      let world = World([provider("a")])
      let ticket = world.health.begin(world.choice()!, now: world.now)
      world.health.end(ticket, AttemptOutcome(), now: world.now)
      world.health.end(ticket, AttemptOutcome(), now: world.now)
    }
  }

  @Test func tooLongGoesToALargerContext() {
    let world = World([
      provider("small") { $0.context = 8_000 }, provider("same", tier: 1) { $0.context = 8_000 },
      provider("unknown", tier: 2), provider("large", tier: 3) { $0.context = 128_000 },
    ])
    var history = AttemptHistory()
    var visited: [String] = []
    while case .attempt(let choice) = world.health.next(
      for: world.request(), history: &history, now: world.now)
    {
      visited.append(world.catalog.providers[choice.provider].name)
      history.note(choice)
      history.note(.tooLong, of: choice, context: world.catalog[choice.candidate].context)
    }
    #expect(visited == ["small", "large", "unknown", "same"])
  }

  @Test func explainsTheOrder() {
    let world = World([
      provider("a") { $0.context = 8_000 }, provider("b", tier: 1) { $0.free = true }, provider("c", tier: 1),
    ])
    world.attempt(at: 0, .rate(until: world.now + .seconds(30)))
    let rows = world.health.explain(Array("m".utf8).span, now: world.now)!
    #expect(rows.map(\.provider) == ["b", "c", "a"])
    #expect(rows[2].reason == "is at its rate limit" && rows[2].until == world.now + .seconds(30))
    #expect(rows[0].isReady && rows[0].price == 0 && rows[1].price == nil)
    #expect(world.health.explain(Array("nope".utf8).span, now: world.now) == nil)
  }

  @Test func usableProvidersAreCounted() {
    let world = World([provider("a"), provider("b")])
    #expect(world.health.usableProviders(now: world.now) == 2)
    world.attempt(at: 0, .keyRejected)
    #expect(world.health.usableProviders(now: world.now) == 1)
    #expect(world.health.status(of: 0, now: world.now).state == .offline)
  }
}
