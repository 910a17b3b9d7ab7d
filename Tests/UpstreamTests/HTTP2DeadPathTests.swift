import Base
import Testing

@testable import Upstream

/// What becomes of streams whose connection has died.
@Suite struct HTTP2DeadPathTests {
  /// A path that is dead is dead for all that goes over it.
  @Test func aDeadPathFailsAllStreams() throws {
    let server = ScriptedServer { server, peer, _ in
      guard peer.greet() else { return }
      while peer.readStream() != nil { server.countRequest() }
    }
    let driver = try Driver()
    let target = driver.http2Target(of: server)
    let ids = (0..<3).map { _ in driver.open(target) }
    #expect(driver.run { server.requests == 3 })
    #expect(
      driver.run {
        if case .sent(.acknowledged) = driver.upstream.pathState(ids[0], now: Driver.now) {
          true
        } else {
          false
        }
      })
    driver.cancel(ids[0], pathIsDead: true)
    for id in ids[1...] {
      let outcome = try driver.end(id)
      #expect(outcome.fault == .reset && outcome.isPathLost)
      driver.cancel(id)
    }
    #expect(driver.watched.isEmpty)
  }

  /// A connection that has long been silent is asked; if it does not answer, it is given up.
  @Test(arguments: [false, true]) func silenceIsAskedAbout(_ isThere: Bool) throws {
    let server = ScriptedServer { server, peer, _ in
      guard peer.greet(), let request = peer.readStream() else { return }
      peer.answer(request.stream, "{}")
      guard let ping = peer.awaitFrame(Frame.Kind.ping) else { return }
      server.countRequest()
      if isThere { peer.send(Frame(kind: Frame.Kind.ping, flags: Frame.ack, payload: ping.payload)) }
      peer.awaitEnd()
    }
    let driver = try Driver()
    let id = driver.open(driver.http2Target(of: server))
    #expect(try driver.end(id).fault == nil)
    driver.cancel(id)
    let later = Driver.now + Limits.pingAfter
    driver.upstream.timerFired(now: later)
    driver.drain()
    #expect(driver.run { server.requests == 1 })
    // Its answer, if there is one, has come by now: the server reads on.
    for _ in 0..<5 { driver.turn(20) }
    driver.upstream.timerFired(now: later + Limits.pongTime)
    driver.drain()
    #expect(driver.watched.isEmpty == !isThere)
  }

  /// A pooled connection that died before an answer began says nothing of the provider.
  @Test func aDeadSharedConnectionIsNotSentAgain() throws {
    let server = ScriptedServer { server, peer, _ in
      guard peer.greet(), let first = peer.readStream() else { return }
      peer.answer(first.stream, "{}")
      guard peer.readStream() != nil else { return }
      server.countRequest()
    }
    let driver = try Driver()
    let target = driver.http2Target(of: server)
    let first = driver.open(target)
    #expect(try driver.end(first).fault == nil)
    driver.cancel(first)
    let outcome = try driver.end(driver.open(target))
    #expect(outcome.fault == .reusedConnectionDied && outcome.isReused && outcome.isRequestSent)
    #expect(server.requests == 1)
  }
}
