import Base
import Testing
import Upstream

@Suite struct TransferTests {
  /// Answers every request on every connection with the same body.
  static func plain(_ body: String = "{\"ok\":true}") -> ScriptedServer {
    ScriptedServer { server, peer, _ in
      while peer.readRequest() != nil {
        server.countRequest()
        peer.answer(body)
      }
    }
  }

  @Test func requestIsSentAsGiven() throws {
    let seen = Mailbox<(head: String, body: [UInt8])>()
    let server = ScriptedServer { _, peer, _ in
      guard let request = peer.readRequest() else { return }
      seen.put(request)
      peer.answer("{}")
    }
    let driver = try Driver()
    let id = driver.open(
      driver.target(server.url),
      body: [Array("{\"model\":\"".utf8), [], Array("their-name".utf8), Array("\"}".utf8)],
      lines: "Content-Type: application/json\r\nX-Empty:\r\n\r\nX-Last: 1")
    let outcome = try driver.end(id)
    #expect(outcome.fault == nil)
    #expect(outcome.isRequestSent)
    #expect(!outcome.isReused)
    let request = seen.take()
    #expect(String(decoding: request.body, as: UTF8.self) == "{\"model\":\"their-name\"}")
    let lines = Set(request.head.split(separator: "\r\n").map(String.init))
    #expect(
      lines == [
        "POST /v1/chat/completions HTTP/1.1", "Host: 127.0.0.1:\(server.port)",
        "Content-Type: application/json", "X-Empty:", "X-Last: 1", "Authorization: Bearer secret",
        "Accept-Encoding: identity", "Content-Length: 22",
      ])
    #expect(
      driver.head(id) == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n")
    #expect(driver.held(id) == Array("{}".utf8))
    driver.cancel(id)
    #expect(!driver.upstream.isOpen(id))
  }

  @Test func getHasNoBody() throws {
    let seen = Mailbox<String>()
    let server = ScriptedServer { _, peer, _ in
      guard let request = peer.readRequest() else { return }
      seen.put(request.head)
      peer.answer("{}")
    }
    let driver = try Driver()
    let id = driver.open(driver.target(server.url), body: [], method: .get, lines: "")
    #expect(try driver.end(id).fault == nil)
    let head = seen.take()
    #expect(head.hasPrefix("GET "))
    #expect(!head.lowercased().contains("content-length"))
  }

  @Test func largeBodyArrivesWhole() throws {
    let seen = Mailbox<[UInt8]>()
    let server = ScriptedServer { _, peer, _ in
      guard let request = peer.readRequest() else { return }
      seen.put(request.body)
      peer.answer("{}")
    }
    let body = (0..<5).map { part in (0..<1_000_003).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ part) } }
    let driver = try Driver()
    let outcome = try driver.end(driver.open(driver.target(server.url), body: body))
    #expect(outcome.fault == nil)
    #expect(outcome.isRequestSent)
    #expect(seen.take() == body.flatMap { $0 })
  }

  @Test func interimHeadsAndTrailersAreNotReported() throws {
    let server = ScriptedServer { _, peer, _ in
      guard peer.readRequest() != nil else { return }
      peer.send(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
      )
      peer.send("3\r\nabc\r\n0\r\nX: late\r\n\r\n")
      peer.awaitEnd()
    }
    let driver = try Driver()
    let id = driver.open(driver.target(server.url))
    #expect(try driver.end(id).fault == nil)
    #expect(driver.log.count { if case .head = $0.fact { true } else { false } } == 1)
    #expect(driver.status(id) == 200)
    #expect(driver.head(id) == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n")
    #expect(driver.held(id) == Array("abc".utf8))
  }

  @Test func sequentialRequestsUseOneConnectionAndChangeNothingInThePoller() throws {
    let server = Self.plain()
    let driver = try Driver()
    let target = driver.target(server.url)
    for i in 0..<100 {
      let id = driver.open(target, tag: UInt64(i))
      let outcome = try driver.end(id)
      #expect(outcome.fault == nil)
      #expect(outcome.isReused == (i > 0))
      driver.cancel(id)
      if i == 0 { driver.clearChanges() }
    }
    #expect(server.connections == 1)
    #expect(server.requests == 100)
    #expect(driver.changes.isEmpty)
  }

  @Test func twoHundredTransfersAtOnce() throws {
    let server = Self.plain()
    let driver = try Driver()
    let target = driver.target(server.url)
    for _ in 0..<2 {
      let ids = (0..<200).map { driver.open(target, tag: UInt64($0)) }
      for id in ids {
        #expect(try driver.end(id).fault == nil)
        driver.cancel(id)
      }
    }
    #expect(server.requests == 400)
    #expect(server.connections <= 200)
  }

  /// More than the places that are kept, so that some are made anew.
  @Test func anOldNameNeverMeetsANewTransfer() throws {
    let server = Self.plain()
    let driver = try Driver()
    let target = driver.target(server.url)
    let old = (0..<Limits.idleSlots * 2).map { _ in driver.open(target) }
    for id in old { driver.cancel(id) }
    driver.upstream.rest()
    let new = (0..<Limits.idleSlots * 2).map { _ in driver.open(target) }
    #expect(Set(old).isDisjoint(with: new))
    for id in old {
      driver.cancel(id)
      #expect(!driver.upstream.isOpen(id))
    }
    for id in new { #expect(try driver.end(id).fault == nil) }
  }

  @Test func idleConnectionThatThePeerClosesLeavesThePoller() throws {
    let mayClose = Gate()
    let server = ScriptedServer { server, peer, _ in
      guard peer.readRequest() != nil else { return }
      server.countRequest()
      peer.answer("{}")
      mayClose.pass()
    }
    let driver = try Driver()
    let target = driver.target(server.url)
    let first = driver.open(target)
    #expect(try driver.end(first).fault == nil)
    driver.cancel(first)
    #expect(driver.watched.count == 1)
    mayClose.open()
    #expect(driver.run { driver.watched.isEmpty })
    mayClose.open()
    // libcurl sees that it is dead and does not use it.
    let outcome = try driver.end(driver.open(target))
    #expect(outcome.fault == nil)
    #expect(!outcome.isReused)
    #expect(server.connections == 2)
  }

  @Test func equalTargetsShareAName() throws {
    let driver = try Driver()
    let first = driver.target("http://127.0.0.1:1/a")
    #expect(driver.target("http://127.0.0.1:1/a") == first)
    #expect(driver.target("http://127.0.0.1:1/b") != first)
    driver.upstream.forget(first)
    #expect(driver.target("http://127.0.0.1:1/a") == first)
  }

  @Test(arguments: ["before the head", "after the head", "in the body", "ended"])
  func cancelInEachPhase(_ phase: String) throws {
    let isGone = Gate()
    let server = ScriptedServer { server, peer, number in
      while peer.readRequest() != nil {
        server.countRequest()
        if number == 0 {
          if phase != "before the head" { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n") }
          if phase == "in the body" { peer.send("abc") }
          if phase == "ended" { peer.send("abcdef") }
        } else {
          peer.answer("{}")
        }
      }
      isGone.open()
    }
    let driver = try Driver()
    let target = driver.target(server.url)
    let id = driver.open(target)
    let reached = driver.run {
      switch phase {
      case "before the head": driver.isConnected(id) && server.requests == 1
      case "after the head": driver.status(id) == 200
      case "in the body": driver.held(id).count == 3
      default: driver.outcome(id) != nil
      }
    }
    #expect(reached)
    let before = driver.log.count
    driver.cancel(id)
    driver.cancel(id)
    #expect(!driver.upstream.isOpen(id))
    if phase != "ended" { #expect(isGone.pass()) }
    if phase == "ended" { return }
    #expect(try driver.end(driver.open(target)).fault == nil)
    #expect(!driver.log[before...].contains { $0.transfer == id })
  }
}
