import Base
import Exchange
import Policy
import TestSupport
import Testing

/// Every event in every state: the effects, and the state behind them. The switch has no default, so a new
/// event or situation does not compile without its rows.
@Suite struct StateTableTests {
  /// States of the machine, told apart where the attempts make a difference. Attempt 0 is at `a`, 1 at `b`.
  enum Situation: CaseIterable, Sendable {
    case connecting, racing, sent, answered, waiting, committed, ended
  }

  enum Event: CaseIterable, Sendable {
    case connected, answered, contentGood, contentFault, heldGood, heldRelay, heldFault
    case endedGood, endedRelay, endedFault, endedTooLong, endedErrorInside
    case pathConnecting, pathHandshaking, pathSilent, pathShortlySilent, pathLongSilent, pathUndeliverable
    case pathHeldUp, pathAcknowledged, pathUnknown
    case progressFresh, progressStale, progressPaused
    case timePassed, clientLeft, served, couldNotOpen
  }

  enum After: Equatable { case seeking, waiting, committed, ended(String) }

  private static func scene(_ situation: Situation) -> Scene {
    let scene = Scene(
      situation == .waiting ? [provider("a")] : [provider("a"), provider("b", tier: 1)], stream: true)
    scene.tell(.started)
    switch situation {
    case .connecting: break
    case .racing:
      scene.passToDue()
      scene.tell(.path(0, .connecting))
    case .sent: scene.tell(.connected(0))
    case .answered:
      scene.tell(.connected(0))
      scene.tell(.answered(0, status: 200))
    case .waiting:
      scene.tell(.connected(0))
      scene.tell(.ended(0, .fault(.rate(until: scene.now + .seconds(1))), tokens: nil))
    case .committed, .ended:
      scene.tell(.connected(0))
      scene.tell(.answered(0, status: 200))
      scene.tell(.contentBegan(0, .good))
      if situation == .ended { scene.tell(.ended(0, .good, tokens: 3)) }
    }
    return scene
  }

  private static func event(_ event: Event, _ scene: Scene) -> ExchangeEvent {
    let idle = scene.exchange.shape.timeouts.streamIdle
    switch event {
    case .connected: return .connected(0)
    case .answered: return .answered(0, status: 200)
    case .contentGood: return .contentBegan(0, .good)
    case .contentFault: return .contentBegan(0, .fault(.errorInside))
    case .heldGood: return .heldFull(0, .good)
    case .heldRelay: return .heldFull(0, .relay)
    case .heldFault: return .heldFull(0, .fault(.foreign))
    case .endedGood: return .ended(0, .good, tokens: nil)
    case .endedRelay: return .ended(0, .relay, tokens: nil)
    case .endedFault: return .ended(0, .fault(.serverError), tokens: nil)
    case .endedTooLong: return .ended(0, .fault(.tooLong), tokens: nil)
    case .endedErrorInside: return .ended(0, .fault(.errorInside), tokens: nil)
    case .pathConnecting: return .path(0, .connecting)
    case .pathHandshaking: return .path(0, .handshaking(roundTrip: .milliseconds(50)))
    case .pathSilent: return .path(0, .unacknowledged(for: .milliseconds(80), roundTrip: .milliseconds(1)))
    case .pathShortlySilent:
      return .path(0, .unacknowledged(for: .milliseconds(79), roundTrip: .milliseconds(1)))
    case .pathLongSilent: return .path(0, .unacknowledged(for: .seconds(19), roundTrip: .milliseconds(1)))
    case .pathUndeliverable: return .path(0, .undeliverable)
    case .pathHeldUp: return .path(0, .heldUp)
    case .pathAcknowledged: return .path(0, .acknowledged)
    case .pathUnknown: return .path(0, .unknown)
    case .progressFresh: return .progress(0, AttemptProgress(lastContentAt: scene.now, isPaused: false))
    case .progressStale:
      let last = scene.now
      scene.pass(idle)
      return .progress(0, AttemptProgress(lastContentAt: last, isPaused: false))
    case .progressPaused:
      let last = scene.now
      scene.pass(idle)
      return .progress(0, AttemptProgress(lastContentAt: last, isPaused: true))
    case .timePassed:
      scene.now = max(scene.now, min(scene.exchange.nextDue, scene.now + .seconds(600)))
      return .timePassed
    case .clientLeft: return .clientLeft
    case .served: return .served
    case .couldNotOpen: return .couldNotOpen(0, .memoryFull)
    }
  }

  private static func row(_ situation: Situation, _ event: Event) -> ([ExchangeEffect], After) {
    switch (situation, event) {
    // After the end nothing matters.
    case (.ended, _): return ([], .ended("complete"))

    // No attempt is open while it waits: only time and the client count.
    case (.waiting, .timePassed): return ([.open(1)], .seeking)
    case (.waiting, .clientLeft): return ([.concluded], .ended("client_left"))
    case (.waiting, _): return ([], .waiting)

    // It leaves when it has had all: the last bytes are waited for. Before commit there is nothing to have had.
    case (.committed, .served): return ([], .committed)
    case (_, .served): return ([], .seeking)

    // The client leaves.
    case (.racing, .clientLeft): return ([.cancel(0), .cancel(1), .concluded], .ended("client_left"))
    case (_, .clientLeft): return ([.cancel(0), .concluded], .ended("client_left"))

    // What the answer's end means after commit, and what it can no longer mean.
    case (.committed, .endedGood), (.committed, .endedRelay):
      return ([.finish(0), .concluded], .ended("complete"))
    case (.committed, .endedErrorInside): return ([.finish(0), .concluded], .ended("upstream_cut"))
    case (.committed, .endedFault), (.committed, .endedTooLong):
      return ([.breakOff(.upstreamCut), .concluded], .ended("upstream_cut"))
    case (.committed, .progressStale):
      return ([.breakOff(.upstreamStalled), .concluded], .ended("upstream_stalled"))
    case (.committed, .pathLongSilent):
      return ([.breakOff(.pathLost), .dropPath(0), .concluded], .ended("upstream_cut"))
    case (.committed, .timePassed): return ([.checkPath(0)], .committed)
    case (.committed, .connected), (.committed, .answered), (.committed, .contentGood),
      (.committed, .contentFault), (.committed, .heldGood), (.committed, .heldRelay),
      (.committed, .heldFault),
      (.committed, .pathConnecting), (.committed, .pathHandshaking), (.committed, .pathSilent),
      (.committed, .pathShortlySilent), (.committed, .pathUndeliverable), (.committed, .pathHeldUp),
      (.committed, .pathAcknowledged), (.committed, .pathUnknown),
      (.committed, .progressFresh), (.committed, .progressPaused), (.committed, .couldNotOpen):
      return ([], .committed)

    // Connections.
    case (.racing, .connected): return ([.letGo(1)], .seeking)
    case (_, .connected), (_, .answered): return ([], .seeking)

    // The answer has begun.
    case (.racing, .contentGood), (.racing, .heldGood), (.racing, .heldRelay):
      return ([.cancel(1), .commit(0)], .committed)
    case (_, .contentGood), (_, .heldGood), (_, .heldRelay): return ([.commit(0)], .committed)
    case (.racing, .contentFault), (.racing, .heldFault): return ([.cancel(0)], .seeking)
    case (_, .contentFault), (_, .heldFault): return ([.cancel(0), .open(1)], .seeking)

    // The answer is there.
    case (.racing, .endedGood): return ([.cancel(1), .relay(0), .concluded], .ended("complete"))
    case (.racing, .endedRelay): return ([.cancel(1), .relay(0), .concluded], .ended("relayed"))
    case (_, .endedGood): return ([.relay(0), .concluded], .ended("complete"))
    case (_, .endedRelay): return ([.relay(0), .concluded], .ended("relayed"))
    case (.racing, .endedFault), (.racing, .endedErrorInside): return ([.cancel(0)], .seeking)
    // Kept, in case nobody has a better word.
    case (.racing, .endedTooLong): return ([], .seeking)
    case (_, .endedTooLong): return ([.open(1)], .seeking)
    case (_, .endedFault), (_, .endedErrorInside): return ([.cancel(0), .open(1)], .seeking)

    // The path, before the request is sent and after.
    case (.connecting, .pathConnecting): return ([.open(1)], .seeking)
    case (.sent, .pathSilent), (.answered, .pathSilent), (.sent, .pathLongSilent),
      (.answered, .pathLongSilent), (.sent, .pathUndeliverable), (.answered, .pathUndeliverable):
      return ([.dropPath(0), .cancel(0), .open(1)], .seeking)
    case (_, .pathConnecting), (_, .pathHandshaking), (_, .pathSilent), (_, .pathShortlySilent),
      (_, .pathLongSilent), (_, .pathUndeliverable), (_, .pathHeldUp), (_, .pathAcknowledged),
      (_, .pathUnknown):
      return ([], .seeking)

    // Progress.
    case (.racing, .progressStale): return ([.cancel(0)], .seeking)
    case (_, .progressStale): return ([.cancel(0), .open(1)], .seeking)
    case (_, .progressFresh), (_, .progressPaused): return ([], .seeking)

    // Time.
    case (.connecting, .timePassed), (.sent, .timePassed): return ([.checkPath(0)], .seeking)
    case (.racing, .timePassed): return ([.checkPath(1)], .seeking)
    case (.answered, .timePassed): return ([.sendComment(isFirst: true)], .seeking)

    // No room for a transfer: a matter of connections only.
    case (.connecting, .couldNotOpen): return ([.answerError(.memoryFull), .concluded], .ended("overloaded"))
    case (.racing, .couldNotOpen), (.sent, .couldNotOpen), (.answered, .couldNotOpen): return ([], .seeking)
    }
  }

  @Test(arguments: Situation.allCases, Event.allCases)
  func pair(_ situation: Situation, _ event: Event) {
    let scene = Self.scene(situation)
    let told = Self.event(event, scene)
    let effects = scene.tell(told)
    let (wanted, after) = Self.row(situation, event)
    #expect(effects == wanted)
    switch (scene.exchange.state, after) {
    case (.seeking, .seeking), (.waiting, .waiting): break
    case (.committed(let index), .committed): #expect(index == 0)
    case (.ended, .ended(let word)):
      #expect(scene.exchange.ending?.word.string == word)
      #expect(scene.exchange.nextDue == .distantFuture)
    default: Issue.record("\(scene.exchange.state) is not \(after)")
    }
    if scene.exchange.state != .ended {
      #expect(scene.exchange.nextDue > .distantPast)
      #expect(scene.exchange.nextDue < .distantFuture, "something is due")
      scene.tell(.clientLeft)
    }
    scene.endStragglers()
    #expect(scene.health.inFlight == 0)
  }

  @Test func lastBytesAreNotWaitedForLong() {
    let scene = Self.scene(.committed)
    scene.tell(.served)
    #expect(scene.exchange.nextDue == scene.now + Limits.lastBytes)
    scene.passToDue()
    #expect(scene.tell(.timePassed) == [.checkProgress(0)])
    #expect(scene.tell(.ended(0, .good, tokens: 3)) == [.finish(0), .concluded])
  }

  @Test func started() {
    let scene = Scene([provider("a"), provider("b", tier: 1)])
    #expect(scene.tell(.started) == [.open(0)])
    #expect(scene.exchange.state == .seeking)
    #expect(scene.name(0) == "a")
  }
}
