import Base
import Exchange
import Policy
import TestSupport
import Testing

/// Comments before commit, and what can happen after it.
@Suite struct CommitTests {
  private static func waiting(_ providers: [Provider] = [provider("a"), provider("b", tier: 1)]) -> Scene {
    let scene = Scene(providers)
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.passToDue()
    scene.tell(.path(0, .acknowledged))
    return scene
  }

  private static func committed(stream: Bool = true) -> Scene {
    let scene = Scene([provider("a"), provider("b", tier: 1)], stream: stream)
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.answered(0, status: 200))
    #expect(scene.tell(stream ? .contentBegan(0, .good) : .heldFull(0, .good)) == [.commit(0)])
    return scene
  }

  @Test func commentsDoNotEndFailover() {
    let scene = Self.waiting()
    #expect(scene.passToDue() == [.sendComment(isFirst: true)])
    #expect(scene.now == scene.exchange.startedAt + .seconds(15))
    #expect(scene.exchange.hasSentHead == true)
    #expect(scene.passToDue() == [.sendComment(isFirst: false)])
    #expect(scene.now == scene.exchange.startedAt + .seconds(30))
    #expect(scene.tell(.ended(0, .fault(.reset), tokens: nil)) == [.cancel(0), .open(1)])
    scene.tell(.connected(1))
    #expect(scene.tell(.contentBegan(1, .good)) == [.commit(1)])
    #expect(scene.tell(.ended(1, .good, tokens: nil)) == [.finish(1), .concluded])
  }

  @Test func afterCommentsAnErrorIsAnEvent() {
    let scene = Self.waiting([provider("a")])
    scene.passToDue()
    #expect(
      scene.tell(.ended(0, .fault(.reset), tokens: nil)) == [
        .cancel(0), .breakOff(.attemptsFailed), .concluded,
      ])
    #expect(scene.exchange.ending?.word.string == "upstream_routing_failure")
  }

  @Test func afterCommentsNoPlainWordsAreRelayed() {
    let scene = Self.waiting([provider("a")])
    scene.passToDue()
    #expect(
      scene.tell(.ended(0, .fault(.tooLong), tokens: nil)) == [.breakOff(.attemptsFailed), .concluded])
  }

  @Test func theDeadlineAfterComments() {
    var timeouts = TimeoutSettings()
    timeouts.request = .seconds(20)
    let scene = Scene([provider("a")], timeouts: timeouts)
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.answered(0, status: 200))
    #expect(scene.passToDue() == [.sendComment(isFirst: true)])
    #expect(scene.passToDue() == [.cancel(0), .breakOff(.deadlineExceeded), .concluded])
  }

  @Test func plainAnswersGetNoComments() {
    let scene = Scene([provider("a")], stream: false)
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.passToDue()
    scene.tell(.path(0, .acknowledged))
    #expect(scene.exchange.nextDue == scene.exchange.startedAt + .seconds(60))
  }

  @Test func commentsGoOnWhileItWaits() {
    let scene = Scene([provider("a")])
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.now = scene.exchange.startedAt + .seconds(14)
    scene.tell(.ended(0, .fault(.rate(until: scene.now + .seconds(2))), tokens: nil))
    #expect(scene.passToDue() == [.sendComment(isFirst: true)])
    #expect(scene.passToDue() == [.open(1)])
    #expect(scene.now == scene.exchange.startedAt + .seconds(16))
  }

  // MARK: - After commit

  @Test(arguments: [Fault.cut, .reset, .foreign, .staleConnection])
  func cut(_ fault: Fault) {
    let scene = Self.committed()
    #expect(scene.tell(.ended(0, .fault(fault), tokens: 9)) == [.breakOff(.upstreamCut), .concluded])
    #expect(scene.exchange.ending?.word.string == "upstream_cut")
    #expect(scene.exchange.attempts.count == 1, "nothing is attempted after commit")
  }

  @Test func theProvidersOwnErrorEvent() {
    let scene = Self.committed()
    #expect(scene.tell(.ended(0, .fault(.errorInside), tokens: nil)) == [.finish(0), .concluded])
    #expect(scene.exchange.ending?.word.string == "upstream_cut")
  }

  @Test(arguments: [true, false])
  func stalled(_ stream: Bool) {
    let scene = Self.committed(stream: stream)
    let committedAt = scene.now
    let last = scene.now + .seconds(50)
    #expect(scene.passToProgress() == [.checkProgress(0)])
    #expect(scene.now == committedAt + .seconds(60), "the deadline is over")
    #expect(scene.tell(.progress(0, AttemptProgress(lastContentAt: last, isPaused: false))) == [])
    #expect(scene.passToProgress() == [.checkProgress(0)])
    #expect(scene.now == last + .seconds(60))
    #expect(
      scene.tell(.progress(0, AttemptProgress(lastContentAt: last, isPaused: false)))
        == [.breakOff(.upstreamStalled), .concluded])
    #expect(scene.health.inFlight == 0)
  }

  /// The client does not read: that is not the provider's standstill.
  @Test func pausedIsNotStalled() {
    let scene = Self.committed()
    let last = scene.now
    for _ in 0..<5 {
      let before = scene.now
      #expect(scene.passToProgress() == [.checkProgress(0)])
      #expect(scene.now == before + .seconds(60))
      #expect(scene.tell(.progress(0, AttemptProgress(lastContentAt: last, isPaused: true))) == [])
    }
  }

  /// Where bytes of ours wait unacknowledged, there are no keep-alive probes to find the path dead.
  @Test func thePathIsLookedAtUnderAnAnswer() {
    let scene = Self.committed()
    let committedAt = scene.now
    #expect(scene.passToDue() == [.checkPath(0)])
    #expect(scene.now == committedAt + Limits.pathLook)
    #expect(scene.tell(.path(0, .unacknowledged(for: .seconds(9), roundTrip: .milliseconds(1)))) == [])
    #expect(scene.passToDue() == [.checkPath(0)])
    #expect(
      scene.tell(.path(0, .unacknowledged(for: .seconds(19), roundTrip: .milliseconds(1))))
        == [.breakOff(.pathLost), .dropPath(0), .concluded])
    #expect(scene.exchange.attempts[0].fault == .silence)
    #expect(scene.health.inFlight == 0)
  }

  /// The kernel's probes went unanswered.
  @Test func thePathIsLostUnderAnAnswer() {
    let scene = Self.committed()
    #expect(scene.tell(.ended(0, .fault(.silence), tokens: nil)) == [.breakOff(.pathLost), .concluded])
  }

  @Test func aStreamMayLastLongerThanTheDeadline() {
    let scene = Self.committed()
    for _ in 0..<20 {
      #expect(scene.passToProgress() == [.checkProgress(0)])
      #expect(scene.tell(.progress(0, AttemptProgress(lastContentAt: scene.now, isPaused: false))) == [])
    }
    #expect(scene.now > scene.exchange.startedAt + .seconds(1_000))
    #expect(scene.tell(.ended(0, .good, tokens: nil)) == [.finish(0), .concluded])
  }

  /// Content and a full hold may be told in one turn; the second says nothing new.
  @Test func aFullHoldBehindTheContent() {
    let scene = Self.committed()
    #expect(scene.tell(.heldFull(0, .good)) == [])
    #expect(scene.tell(.heldFull(0, .fault(.foreign))) == [])
    #expect(scene.exchange.state == .committed(0))
  }

  /// The breaker's one probe is over with the first content: others need not wait for the stream's end.
  @Test func aProbeIsOverWithTheFirstContent() {
    let scene = Scene([provider("a")]) { health, catalog, now in
      for _ in 0..<3 { Scene.blame(health, catalog, "a", .serverError, now: now) }
    }
    scene.pass(.seconds(20))
    scene.exchange = Exchange(scene.exchange.shape, now: scene.now)
    #expect(scene.tell(.started) == [.open(0)])
    scene.tell(.connected(0))
    #expect(scene.health.status(of: 0, now: scene.now).state != .online)
    scene.tell(.contentBegan(0, .good))
    #expect(scene.health.status(of: 0, now: scene.now).state == .online)
  }

  @Test func anAttemptRemembersItsTimes() {
    let scene = Scene([provider("a")])
    scene.tell(.started)
    scene.pass(.milliseconds(10))
    scene.tell(.connected(0))
    scene.pass(.milliseconds(20))
    scene.tell(.answered(0, status: 200))
    scene.tell(.contentBegan(0, .good))
    scene.pass(.milliseconds(30))
    scene.tell(.ended(0, .good, tokens: 42))
    let attempt = scene.exchange.attempts[0]
    let start = scene.exchange.startedAt
    #expect(attempt.openedAt == start)
    #expect(attempt.sentAt == start + .milliseconds(10))
    #expect(attempt.firstContentAt == start + .milliseconds(30))
    #expect(attempt.endedAt == start + .milliseconds(60))
    #expect(attempt.tokens == 42)
    #expect(attempt.fault == nil)
    #expect(scene.exchange.isComplete == true)
  }
}
