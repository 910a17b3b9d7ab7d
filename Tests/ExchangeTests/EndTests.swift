import Base
import Exchange
import Policy
import TestSupport
import Testing

/// How exchanges end before commit: the deadline, waits, and nothing left.
@Suite struct EndTests {
  private static let two = [provider("a"), provider("b", tier: 1)]

  /// Attempt after attempt fails; the effects of the last one's end.
  private static func exhaust(_ scene: Scene, _ faults: [Fault]) -> [ExchangeEffect] {
    var effects = scene.tell(.started)
    for (index, fault) in faults.enumerated() {
      #expect(effects.last == .open(index))
      scene.tell(.connected(index))
      effects = scene.tell(.ended(index, .fault(fault), tokens: nil))
    }
    return effects
  }

  @Test func allFailed() {
    let scene = Scene(Self.two)
    let effects = Self.exhaust(scene, [.serverError, .reset])
    #expect(effects == [.cancel(1), .answerError(.attemptsFailed), .concluded])
    #expect(scene.exchange.attempts.map(\.fault) == [.serverError, .reset])
    #expect(scene.exchange.ending?.word.string == "upstream_routing_failure")
  }

  @Test func allRateLimitedTellsTheFirstToComeBack() {
    let scene = Scene(Self.two)
    let now = scene.now
    let effects = Self.exhaust(scene, [.rate(until: now + .seconds(40)), .quota(until: now + .seconds(20))])
    guard case .answerError(.rateLimited(let time)) = effects.dropLast().last else {
      Issue.record("\(effects)")
      return
    }
    #expect(time == .seconds(20))
    #expect(LocalError.rateLimited(time).row.status == 429)
  }

  @Test func someRateLimitedAndSomeFailed() {
    let scene = Scene(Self.two)
    let effects = Self.exhaust(scene, [.rate(until: scene.now + .seconds(40)), .serverError])
    #expect(effects.dropLast().last == .answerError(.attemptsFailed))
  }

  @Test func noneCouldBeTried() {
    let scene = Scene(Self.two) { health, catalog, now in
      Scene.blame(health, catalog, "a", .rate(until: now + .seconds(50)), now: now)
      Scene.blame(health, catalog, "b", .keyRejected, now: now)
    }
    let effects = scene.tell(.started)
    guard effects.count == 2, case .answerError(.unavailable(let time)) = effects[0] else {
      Issue.record("\(effects)")
      return
    }
    #expect(time == .seconds(50))
    #expect(LocalError.unavailable(time).row.status == 503)
    #expect(scene.exchange.attempts.isEmpty)
  }

  @Test func allWereRateLimitedBefore() {
    let scene = Scene(Self.two) { health, catalog, now in
      Scene.blame(health, catalog, "a", .rate(until: now + .seconds(50)), now: now)
      Scene.blame(health, catalog, "b", .rate(until: now + .seconds(30)), now: now)
    }
    let effects = scene.tell(.started)
    guard effects.count == 2, case .answerError(.rateLimited(let time)) = effects[0] else {
      Issue.record("\(effects)")
      return
    }
    #expect(time == .seconds(30))
  }

  // MARK: - Waits

  @Test(arguments: [2_000, 1] as [Int64])
  func aShortCooldownIsWaitedFor(_ milliseconds: Int64) {
    let scene = Scene([provider("a")]) { health, catalog, now in
      Scene.blame(health, catalog, "a", .rate(until: now + .milliseconds(milliseconds)), now: now)
    }
    #expect(scene.tell(.started) == [])
    #expect(scene.exchange.state == .waiting(until: scene.now + .milliseconds(milliseconds)))
    // Too early: nothing.
    #expect(scene.tell(.timePassed) == [])
    #expect(scene.passToDue() == [.open(0)])
    scene.tell(.connected(0))
    #expect(scene.tell(.ended(0, .good, tokens: nil)) == [.relay(0), .concluded])
  }

  @Test func aLongerOneIsNot() {
    let scene = Scene([provider("a")]) { health, catalog, now in
      Scene.blame(health, catalog, "a", .rate(until: now + .milliseconds(2_001)), now: now)
    }
    #expect(scene.tell(.started) == [.answerError(.rateLimited(.zero)), .concluded])
  }

  @Test func waitsDoNotAddUp() {
    let scene = Scene([provider("a")]) { health, catalog, now in
      Scene.blame(health, catalog, "a", .rate(until: now + .milliseconds(1_500)), now: now)
    }
    scene.tell(.started)
    #expect(scene.passToDue() == [.open(0)])
    scene.tell(.connected(0))
    // Another second and a half would be three seconds in all.
    let effects = scene.tell(.ended(0, .fault(.rate(until: scene.now + .milliseconds(1_500))), tokens: nil))
    #expect(effects == [.cancel(0), .answerError(.rateLimited(.zero)), .concluded])
  }

  /// The wait ends in nothing at the very time when a comment is due: nothing follows the end.
  @Test func nothingFollowsAWaitThatEndsInGivingUp() {
    let scene = Scene([provider("a")])
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.now = scene.exchange.startedAt + .seconds(14)
    scene.tell(.ended(0, .fault(.rate(until: scene.now + .seconds(1))), tokens: nil))
    #expect(scene.exchange.state == .waiting(until: scene.now + .seconds(1)))
    Scene.blame(scene.health, scene.catalog, "a", .rate(until: nil), now: scene.now + .seconds(1))
    let effects = scene.passToDue()
    #expect(scene.now == scene.exchange.startedAt + Limits.keepAliveComment)
    #expect(effects == [.answerError(.rateLimited(.zero)), .concluded])
  }

  @Test func theDeadlineBoundsAWait() {
    var timeouts = TimeoutSettings()
    timeouts.request = .milliseconds(500)
    let scene = Scene([provider("a")], timeouts: timeouts) { health, catalog, now in
      Scene.blame(health, catalog, "a", .rate(until: now + .milliseconds(700)), now: now)
    }
    #expect(scene.tell(.started) == [.answerError(.rateLimited(.zero)), .concluded])
  }

  // MARK: - Time

  @Test func theDeadlineIsOverAllAttempts() {
    var timeouts = TimeoutSettings()
    timeouts.request = .seconds(3)
    timeouts.firstToken = .seconds(2)
    let scene = Scene(Self.two, timeouts: timeouts)
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.passToDue()
    scene.tell(.path(0, .acknowledged))
    #expect(scene.passToDue() == [.cancel(0), .open(1)])
    scene.tell(.connected(1))
    scene.passToDue()
    scene.tell(.path(1, .acknowledged))
    #expect(scene.exchange.nextDue == scene.exchange.startedAt + .seconds(3))
    #expect(scene.passToDue() == [.cancel(1), .answerError(.deadlineExceeded), .concluded])
    #expect(scene.exchange.ending?.word.string == "deadline_exceeded")
    #expect(scene.health.inFlight == 0)
  }

  @Test func theHeadOfAStreamIsNotItsFirstToken() {
    let scene = Scene(Self.two)
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.answered(0, status: 200))
    var effects: [ExchangeEffect] = []
    while scene.now < scene.exchange.startedAt + .seconds(60) { effects = scene.passToDue() }
    #expect(effects.suffix(2) == [.cancel(0), .open(1)])
  }

  /// A plain answer's head ends first_token; from then on its bytes must flow.
  @Test func aPlainAnswerThatStandsStill() {
    var timeouts = TimeoutSettings()
    timeouts.streamIdle = .seconds(10)
    let scene = Scene(Self.two, stream: false, timeouts: timeouts)
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.answered(0, status: 200))
    #expect(scene.passToDue() == [.checkProgress(0)])
    let last = scene.now - .seconds(4)
    #expect(scene.tell(.progress(0, AttemptProgress(lastContentAt: last, isPaused: false))) == [])
    #expect(scene.exchange.nextDue == last + .seconds(10))
    #expect(scene.passToDue() == [.checkProgress(0)])
    #expect(
      scene.tell(.progress(0, AttemptProgress(lastContentAt: last, isPaused: false))) == [
        .cancel(0), .open(1),
      ])
    #expect(scene.exchange.attempts[0].fault == .tooSlow)
  }

  // MARK: - The provider's own words

  @Test(arguments: [Fault.tooLong, .modelMissing, .unsuited])
  func theLastOnesWordsAboutTheRequest(_ fault: Fault) {
    let scene = Scene(Self.two)
    let effects = Self.exhaust(scene, [.serverError, fault])
    #expect(effects == [.relay(1), .concluded])
    #expect(scene.exchange.ending?.word.string == "relayed")
  }

  @Test func wordsOfAnEarlierOneAreNotTheAnswer() {
    let scene = Scene(Self.two)
    let effects = Self.exhaust(scene, [.tooLong, .serverError])
    #expect(effects == [.cancel(1), .answerError(.attemptsFailed), .concluded])
  }

  /// A connection that lost its race was no attempt at an answer.
  @Test func wordsBeforeALostRace() {
    let scene = Scene([provider("a"), provider("b", tier: 1) { $0.budgets.requestsPerMinute = 1 }])
    scene.tell(.started)
    scene.passToDue()
    #expect(scene.tell(.path(0, .connecting)) == [.open(1)])
    #expect(scene.tell(.connected(0)) == [.letGo(1)])
    #expect(scene.tell(.ended(0, .fault(.tooLong), tokens: nil)) == [.relay(0), .concluded])
  }

  @Test func aLargerWindowIsTriedFirst() {
    let scene = Scene([
      provider("a") { $0.context = 8_000 }, provider("b", tier: 1) { $0.context = 8_000 },
      provider("c", tier: 2), provider("d", tier: 3) { $0.context = 128_000 },
    ])
    scene.tell(.started)
    for index in 0..<3 {
      scene.tell(.connected(index))
      #expect(scene.tell(.ended(index, .fault(.tooLong), tokens: nil)) == [.open(index + 1)])
    }
    #expect((0..<4).map { scene.name($0) } == ["a", "d", "c", "b"])
  }

  @Test func theClientsErrorIsRelayedAtOnce() {
    let scene = Scene(Self.two)
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.answered(0, status: 400))
    #expect(scene.tell(.ended(0, .relay, tokens: nil)) == [.relay(0), .concluded])
    #expect(scene.exchange.attempts[0].fault == .clientFault)
    #expect(scene.exchange.attempts[0].status == 400)
    #expect(scene.health.status(of: 0, now: scene.now).state == .online)
  }

  @Test func everyKeyHasItsTurn() {
    let scene = Scene([provider("a") { $0.keys = [Secret("1"), Secret("2")] }, provider("b", tier: 1)])
    scene.tell(.started)
    scene.tell(.connected(0))
    #expect(scene.tell(.ended(0, .fault(.keyRejected), tokens: nil)) == [.cancel(0), .open(1)])
    #expect(scene.name(1) == "a")
    #expect(scene.exchange.attempts[1].choice.key != scene.exchange.attempts[0].choice.key)
    scene.tell(.connected(1))
    scene.tell(.ended(1, .fault(.rate(until: nil)), tokens: nil))
    #expect(scene.name(2) == "b")
  }

  @Test func noRoomForABodyIsNotTheProvidersFault() {
    for _ in 0..<5 {
      let scene = Scene(Self.two)
      scene.tell(.started)
      #expect(scene.tell(.couldNotOpen(0, .memoryFull)) == [.answerError(.memoryFull), .concluded])
      #expect(scene.exchange.attempts[0].fault == .noRoom)
      #expect(scene.health.status(of: 0, now: scene.now).state == .online)
      #expect(scene.health.inFlight == 0)
    }
  }

  /// Asking the next one would take a descriptor as well.
  @Test func noDescriptorIsNotTheProvidersFault() {
    for _ in 0..<5 {
      let scene = Scene(Self.two)
      scene.tell(.started)
      #expect(
        scene.tell(.ended(0, .fault(.noRoom), tokens: nil))
          == [.cancel(0), .answerError(.outOfDescriptors), .concluded])
      #expect(scene.health.status(of: 0, now: scene.now).state == .online)
      #expect(scene.health.inFlight == 0)
    }
  }

  @Test func attemptsAreBounded() {
    let many = (0..<40).map { n in provider("p\(n)", tier: n) }
    let scene = Scene(many)
    var effects = scene.tell(.started)
    while case .open(let index) = effects.last {
      scene.tell(.connected(index))
      effects = scene.tell(.ended(index, .fault(.serverError), tokens: nil))
    }
    #expect(scene.exchange.attempts.count == Limits.attempts)
    #expect(effects.suffix(2) == [.answerError(.attemptsFailed), .concluded])
  }
}
