import Base
import Exchange
import Policy
import TestSupport
import Testing

/// Connections: races, silence, and requests that are sent once.
@Suite struct RaceTests {
  private static let failover = Interval.milliseconds(80)

  private static func racing(_ providers: [Provider] = [provider("a"), provider("b", tier: 1)]) -> Scene {
    let scene = Scene(providers)
    #expect(scene.tell(.started) == [.open(0)])
    scene.pass(failover)
    #expect(scene.exchange.nextDue == scene.now)
    #expect(scene.tell(.timePassed) == [.checkPath(0)])
    #expect(scene.tell(.path(0, .connecting)) == [.open(1)])
    #expect(scene.name(1) == "b")
    return scene
  }

  @Test func theFirstReadyConnectionCarriesTheRequest() {
    let scene = Self.racing()
    #expect(scene.exchange.attempts[0].round == scene.exchange.attempts[1].round)
    #expect(scene.tell(.connected(1)) == [.letGo(0)])
    #expect(scene.exchange.attempts[0].fault == .raceLost)
    // The loser's own events are none of the exchange's any more.
    #expect(scene.tell(.connected(0)) == [])
    #expect(scene.tell(.ended(0, .fault(.unreachable), tokens: nil)) == [])
    #expect(scene.health.inFlight == 2, "the straggler keeps its ticket until its connection ends")
    #expect(scene.tell(.contentBegan(1, .good)) == [.commit(1)])
    #expect(scene.tell(.ended(1, .good, tokens: 5)) == [.finish(1), .concluded])
    #expect(scene.health.inFlight == 1)
    scene.endStragglers()
    #expect(scene.health.inFlight == 0)
  }

  @Test func theLateFirstConnectionMayWinToo() {
    let scene = Self.racing()
    #expect(scene.tell(.connected(0)) == [.letGo(1)])
    #expect(scene.tell(.ended(0, .good, tokens: nil)) == [.relay(0), .concluded])
  }

  @Test func aLoserHasItsTurnWhenTheWinnersRequestFails() {
    let scene = Self.racing()
    scene.tell(.connected(1))
    #expect(scene.tell(.ended(1, .fault(.serverError), tokens: nil)) == [.cancel(1), .open(2)])
    #expect(scene.name(2) == "a")
    #expect(
      scene.exchange.attempts[2].round != scene.exchange.attempts[1].round, "another request, another round")
    scene.tell(.connected(2))
    #expect(scene.tell(.ended(2, .good, tokens: nil)) == [.relay(2), .concluded])
    scene.endStragglers()
    #expect(scene.health.inFlight == 0)
  }

  @Test func aConnectionThatFailsStaysInItsRound() {
    let scene = Self.racing([provider("a"), provider("b", tier: 1), provider("c", tier: 2)])
    #expect(scene.tell(.ended(1, .fault(.unreachable), tokens: nil)) == [.cancel(1), .open(2)])
    #expect(scene.exchange.attempts[2].round == 0)
    #expect(scene.tell(.connected(2)) == [.letGo(0)])
  }

  @Test func threeConnectionsTwoLosers() {
    let scene = Self.racing([provider("a"), provider("b", tier: 1), provider("c", tier: 2)])
    scene.pass(Self.failover)
    #expect(scene.tell(.timePassed) == [.checkPath(1)])
    #expect(scene.tell(.path(1, .connecting)) == [.open(2)])
    #expect(scene.tell(.connected(2)) == [.letGo(0), .letGo(1)])
  }

  @Test func nobodyElseToRaceAgainst() {
    let scene = Scene([provider("a")])
    scene.tell(.started)
    scene.passToDue()
    #expect(scene.tell(.path(0, .connecting)) == [])
    #expect(scene.exchange.state == .seeking)
    // It is not asked again: its end or the deadline comes.
    #expect(scene.exchange.nextDue == scene.exchange.startedAt + Limits.keepAliveComment)
    #expect(
      scene.tell(.ended(0, .fault(.unreachable), tokens: nil))
        == [.cancel(0), .answerError(.attemptsFailed), .concluded])
  }

  /// A wait that was asked about while a connection was open had not begun.
  @Test func theWaitBeginsWhenNothingIsOpen() {
    let scene = Scene([provider("a"), provider("b", tier: 1)]) { health, catalog, now in
      Scene.blame(health, catalog, "b", .rate(until: now + .milliseconds(1_500)), now: now)
    }
    scene.tell(.started)
    scene.passToDue()
    #expect(scene.tell(.path(0, .connecting)) == [], "b would be due in 1.4 s")
    // Meanwhile others use it up anew.
    scene.pass(.milliseconds(1_520))
    Scene.blame(
      scene.health, scene.catalog, "b", .rate(until: scene.now + .milliseconds(1_400)), now: scene.now)
    scene.pass(.milliseconds(400))
    #expect(scene.tell(.ended(0, .fault(.unreachable), tokens: nil)) == [.cancel(0)])
    #expect(scene.exchange.state == .waiting(until: scene.now + .milliseconds(1_000)))
    #expect(scene.passToDue() == [.open(1)])
  }

  @Test func aHandshakeGetsFourRoundTrips() {
    let scene = Scene([provider("a"), provider("b", tier: 1)])
    scene.tell(.started)
    scene.passToDue()
    let handshaking = PathReport.handshaking(roundTrip: .milliseconds(100))
    #expect(scene.tell(.path(0, handshaking)) == [])
    #expect(scene.exchange.nextDue == scene.exchange.startedAt + Self.failover + .milliseconds(400))
    #expect(scene.passToDue() == [.checkPath(0)])
    #expect(scene.tell(.path(0, handshaking)) == [.open(1)])
  }

  @Test func aKnownRoundTripMakesTheThresholdLonger() {
    let scene = Scene([provider("a"), provider("b", tier: 1)]) { health, _, _ in
      health.noteRoundTrip(.milliseconds(300), provider: 0)
    }
    scene.tell(.started)
    #expect(scene.exchange.nextDue == scene.now + .milliseconds(640))
  }

  @Test func aDeadPathUnderAPooledConnection() {
    let scene = Scene([provider("a"), provider("b", tier: 1)])
    scene.tell(.started)
    #expect(scene.tell(.connected(0)) == [])
    scene.passToDue()
    #expect(
      scene.tell(.path(0, .unacknowledged(for: .milliseconds(80), roundTrip: .milliseconds(1)))) == [
        .dropPath(0), .cancel(0), .open(1),
      ])
    #expect(scene.exchange.attempts[0].fault == .silence)
    #expect(scene.exchange.attempts[1].round == 1)
    #expect(scene.now - scene.exchange.startedAt < .milliseconds(100))
  }

  /// The first request to a provider that is far away: nothing has been learned yet but by the connection.
  @Test func aFarProviderHasItsRoundTrip() {
    let scene = Scene([provider("a"), provider("b", tier: 1)])
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.passToDue()
    let far = Interval.milliseconds(300)
    #expect(scene.tell(.path(0, .unacknowledged(for: .milliseconds(80), roundTrip: far))) == [])
    #expect(scene.exchange.nextDue == scene.now + .milliseconds(560))
    #expect(scene.passToDue() == [.checkPath(0)])
    #expect(
      scene.tell(.path(0, .unacknowledged(for: .milliseconds(640), roundTrip: far)))
        == [.dropPath(0), .cancel(0), .open(1)])
  }

  @Test func whatCannotBeDeliveredIsNotWaitedFor() {
    let scene = Scene([provider("a"), provider("b", tier: 1)])
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.passToDue()
    #expect(scene.tell(.path(0, .undeliverable)) == [.dropPath(0), .cancel(0), .open(1)])
  }

  /// A pooled connection that a NAT forgot, say: a fresh one may lead there.
  @Test func aLoneProviderIsTriedAgainOnAFreshConnection() {
    let scene = Scene([provider("a")])
    scene.tell(.started)
    #expect(!scene.exchange.attempts[0].choice.needsFreshConnection)
    scene.tell(.connected(0, isReused: true))
    scene.passToDue()
    #expect(
      scene.tell(.path(0, .unacknowledged(for: .milliseconds(80), roundTrip: .milliseconds(1)))) == [
        .dropPath(0), .cancel(0), .open(1),
      ])
    #expect(scene.exchange.attempts[1].choice.needsFreshConnection)
    // Silence there is the provider's.
    scene.tell(.connected(1))
    scene.passToDue()
    #expect(
      scene.tell(.path(1, .unacknowledged(for: .milliseconds(80), roundTrip: .milliseconds(1))))
        == [.dropPath(1), .cancel(1), .answerError(.attemptsFailed), .concluded])
  }

  /// A provider that reads slowly is there, and asked about until it has everything.
  @Test func whoTakesNoMoreForNowIsNotGivenUp() {
    let scene = Scene([provider("a"), provider("b", tier: 1)])
    scene.tell(.started)
    scene.tell(.connected(0))
    for _ in 0..<20 {
      #expect(scene.passToDue() == [.checkPath(0)])
      #expect(scene.tell(.path(0, .heldUp)) == [])
    }
    scene.passToDue()
    #expect(
      scene.tell(.path(0, .unacknowledged(for: .milliseconds(80), roundTrip: .milliseconds(1)))) == [
        .dropPath(0), .cancel(0), .open(1),
      ])
  }

  @Test func bytesThatAreShortlyOutAreAskedAboutAgain() {
    let scene = Scene([provider("a"), provider("b", tier: 1)])
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.passToDue()
    #expect(scene.tell(.path(0, .unacknowledged(for: .milliseconds(30), roundTrip: .milliseconds(1)))) == [])
    #expect(scene.exchange.nextDue == scene.now + .milliseconds(50))
    #expect(scene.passToDue() == [.checkPath(0)])
    #expect(scene.tell(.path(0, .unknown)) == [])
    #expect(scene.passToDue() == [.checkPath(0)])
  }

  /// "A provider that has acknowledged the request is never cut before `first_token`."
  @Test func acknowledgedIsNeverAskedAgain() {
    let scene = Scene([provider("a"), provider("b", tier: 1)])
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.passToDue()
    #expect(scene.tell(.path(0, .acknowledged)) == [])
    var comments = 0
    while scene.exchange.nextDue < scene.exchange.startedAt + .seconds(60) {
      for effect in scene.passToDue() {
        guard case .sendComment = effect else {
          Issue.record("\(effect)")
          return
        }
        comments += 1
      }
    }
    #expect(comments == 3)
    // first_token.
    #expect(scene.passToDue().suffix(2) == [.cancel(0), .open(1)])
    #expect(scene.exchange.attempts[0].fault == .tooSlow)
  }

  @Test func theHeadEndsTheQuestions() {
    let scene = Scene([provider("a")], stream: false)
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.answered(0, status: 200))
    #expect(scene.exchange.nextDue == scene.now + .seconds(60), "stream_idle")
    #expect(scene.exchange.attempts[0].status == 200)
  }

  /// A candidate whose pooled connection was closed is tried anew only as the last.
  @Test func staleConnections() {
    let scene = Scene([provider("a"), provider("b", tier: 1)])
    scene.tell(.started)
    scene.tell(.connected(0))
    #expect(scene.tell(.ended(0, .fault(.staleConnection), tokens: nil)) == [.cancel(0), .open(1)])
    #expect(scene.name(1) == "b")
    #expect(!scene.exchange.attempts[1].choice.needsFreshConnection)
    scene.tell(.connected(1))
    #expect(scene.tell(.ended(1, .fault(.serverError), tokens: nil)) == [.cancel(1), .open(2)])
    #expect(scene.name(2) == "a")
    #expect(scene.exchange.attempts[2].choice.needsFreshConnection)
    scene.tell(.connected(2))
    #expect(
      scene.tell(.ended(2, .fault(.reset), tokens: nil)) == [
        .cancel(2), .answerError(.attemptsFailed), .concluded,
      ])
  }

  @Test func aStaleConnectionOfTheOnlyCandidate() {
    let scene = Scene([provider("a")])
    scene.tell(.started)
    scene.tell(.connected(0))
    #expect(scene.tell(.ended(0, .fault(.staleConnection), tokens: nil)) == [.cancel(0), .open(1)])
    #expect(scene.exchange.attempts[1].choice.needsFreshConnection)
    #expect(scene.tell(.connected(1)) == [])
    #expect(
      scene.tell(.ended(1, .fault(.staleConnection), tokens: nil)) == [
        .cancel(1), .answerError(.attemptsFailed), .concluded,
      ])
  }

  @Test func aHedgeIsASecondRequest() {
    let scene = Scene([provider("a"), provider("b", tier: 1)], hedge: .milliseconds(500))
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.passToDue()
    scene.tell(.path(0, .acknowledged))
    #expect(scene.exchange.nextDue == scene.exchange.startedAt + .milliseconds(500))
    #expect(scene.passToDue() == [.open(1)])
    #expect(scene.exchange.attempts[1].round == 1)
    #expect(scene.tell(.connected(1)) == [], "both have sent, and nobody is let go")
    #expect(scene.tell(.contentBegan(1, .good)) == [.cancel(0), .commit(1)])
    #expect(scene.exchange.attempts[0].fault == .clientGone, "it is not the slow one's fault")
    #expect(scene.tell(.ended(1, .good, tokens: nil)) == [.finish(1), .concluded])
    #expect(scene.health.inFlight == 0)
  }

  @Test func oneOfAHedgesTwoFails() {
    let scene = Scene([provider("a"), provider("b", tier: 1)], hedge: .milliseconds(500))
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.answered(0, status: 200))
    scene.passToDue()
    scene.tell(.connected(1))
    #expect(scene.tell(.ended(1, .fault(.serverError), tokens: nil)) == [.cancel(1)])
    #expect(scene.tell(.contentBegan(0, .good)) == [.commit(0)])
  }

  /// A hedge's slow connection races in its own round, not in that of the request that was sent meanwhile.
  @Test func aHedgesConnectionRacesInItsRound() {
    let scene = Scene((0..<5).map { n in provider("p\(n)", tier: n) }, hedge: .milliseconds(500))
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.answered(0, status: 200))
    #expect(scene.passToDue() == [.open(1)])
    #expect(scene.tell(.ended(0, .fault(.serverError), tokens: nil)) == [.cancel(0), .open(2)])
    #expect(scene.tell(.connected(2)) == [], "1 is of another round")
    scene.pass(Self.failover)
    scene.tell(.timePassed)
    #expect(scene.tell(.path(1, .connecting)) == [.open(3)])
    #expect(scene.exchange.attempts.map(\.round) == [0, 1, 2, 1])
    #expect(scene.tell(.ended(1, .fault(.unreachable), tokens: nil)) == [.cancel(1), .open(4)])
    #expect(scene.exchange.attempts[4].round == 1)
    #expect(scene.tell(.connected(3)) == [.letGo(4)])
  }

  @Test func noHedgeWithoutACandidate() {
    let scene = Scene([provider("a")], hedge: .milliseconds(500))
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.answered(0, status: 200))
    #expect(scene.passToDue() == [])
    #expect(scene.exchange.nextDue > scene.now)
  }
}
