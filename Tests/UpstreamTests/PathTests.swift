import Base
import Glibc
import Testing
import Upstream

@Suite struct PathTests {
  @Test func thinkingProviderHasAcknowledged() throws {
    let answers = Gate()
    let server = ScriptedServer { server, peer, _ in
      while peer.readRequest() != nil {
        server.countRequest()
        answers.pass()
        peer.answer("{}")
      }
    }
    let driver = try Driver()
    let target = driver.target(server.url)
    for i in 1...2 {
      let id = driver.open(target)
      #expect(driver.run { server.requests == i })
      var roundTrip = Interval.zero
      #expect(
        driver.run {
          if case .sent(.acknowledged(let time)) = driver.upstream.pathState(id, now: Driver.now) {
            roundTrip = time
          }
          return roundTrip > .zero
        })
      answers.open()
      #expect(try driver.end(id).isReused == (i == 2))
      #expect(driver.upstream.pathState(id, now: Driver.now) == .unknown)
      driver.cancel(id)
      #expect(driver.upstream.pathState(id, now: Driver.now) == .unknown)
    }
  }

  /// A peer that does not read acknowledges what fits, and answers the kernel's probes: it is there.
  @Test func slowReaderIsHeldUp() throws {
    let reads = Gate()
    let server = ScriptedServer { _, peer, _ in
      reads.pass()
      while peer.readRequest() != nil { peer.answer("{}") }
    }
    let driver = try Driver()
    let body = [UInt8](repeating: UInt8(ascii: "x"), count: 16 << 20)
    let id = driver.open(driver.target(server.url), body: [body])
    // A moment after the window has shut, nothing is on its way any more.
    let isHeldUp = driver.run {
      if case .sent(.heldUp) = driver.upstream.pathState(id, now: Driver.now) { return true }
      return false
    }
    #expect(isHeldUp)
    for _ in 0..<20 {
      driver.turn(10)
      guard case .sent(.heldUp) = driver.upstream.pathState(id, now: Driver.now) else {
        Issue.record("\(driver.upstream.pathState(id, now: Driver.now))")
        return
      }
    }
    reads.open()
    #expect(try driver.end(id).fault == nil)
  }

  /// A full accept queue leaves further SYNs unanswered, as a dead host does.
  @Test func unansweredSYN() throws {
    let (listener, port) = ScriptedServer.listen(backlog: 0)
    defer { close(listener) }
    let driver = try Driver()
    let target = driver.target("http://127.0.0.1:\(port)/")
    let first = driver.open(target)
    #expect(driver.run { driver.isConnected(first) })
    // Fill the queue until a connection is no longer answered.
    var stuck: TransferID?
    for _ in 0..<8 where stuck == nil {
      let id = driver.open(target)
      for _ in 0..<3 { driver.turn(10) }
      if !driver.isConnected(id) { stuck = id }
    }
    let id = try #require(stuck)
    #expect(driver.upstream.pathState(id, now: Driver.now) == .connecting)
    #expect(driver.upstream.pathState(first, now: Driver.now) != .connecting)
    driver.cancel(id)
    #expect(driver.outcome(id) == nil)
  }

  @Test func handshakeWithoutAnAnswer() throws {
    let server = ScriptedServer { _, peer, _ in peer.awaitEnd() }
    let driver = try Driver()
    let id = driver.open(driver.target("https://127.0.0.1:\(server.port)/"))
    #expect(driver.run { server.connections == 1 })
    let reached = driver.run {
      if case .handshaking = driver.upstream.pathState(id, now: Driver.now) {
        true
      } else {
        false
      }
    }
    #expect(reached)
    driver.cancel(id)
    #expect(driver.watched.isEmpty)
  }

  @Test func droppedConnectionsAreNotUsedAgain() throws {
    let first = Gate()
    let busy = Gate()
    let server = ScriptedServer { server, peer, number in
      while peer.readRequest() != nil {
        server.countRequest()
        if number == 0 { first.pass() }
        if number == 1 { busy.pass() }
        peer.answer("{}")
      }
    }
    let driver = try Driver()
    let target = driver.target(server.url)
    let idle = driver.open(target)
    #expect(driver.run { server.requests == 1 })
    let working = driver.open(target)
    first.open()
    #expect(driver.run { server.requests == 2 && driver.outcome(idle) != nil })
    driver.cancel(idle)
    driver.upstream.dropConnections(of: target)
    driver.drain()
    // The busy connection is left alone, and used again.
    busy.open()
    busy.open()
    #expect(try driver.end(working).fault == nil)
    let next = driver.open(target)
    let third = driver.open(target)
    #expect(try driver.end(next).fault == nil)
    #expect(try driver.end(third).fault == nil)
    #expect(server.connections == 3)
    #expect(server.requests == 4)
  }
}
