import Base
import Glibc
import Testing

@testable import Upstream

/// Connections in the clear, which libcurl makes and hands over.
@Suite struct LineTests {
  /// What a provider says, and whether the next request may come on the same connection.
  @Test(arguments: [
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", true),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", true),
    ("HTTP/1.1 204 No Content\r\n\r\n", true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", false),
    ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", false),
    // Bytes that nobody asked for: what they answer is not to be guessed.
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", false),
  ])
  func usesALineAgainOnlyAfterACleanEnd(_ answer: String, _ isReused: Bool) throws {
    let server = ScriptedServer { server, peer, _ in
      while peer.readRequest() != nil {
        server.countRequest()
        peer.send(answer)
      }
    }
    let driver = try Driver()
    let target = driver.target(server.url)
    for i in 0..<3 {
      let id = driver.open(target)
      let outcome = try driver.end(id)
      #expect(outcome.fault == nil)
      #expect(outcome.isReused == (isReused && i > 0))
      #expect(driver.held(id!) == (outcome.status == 204 ? [] : Array("{}".utf8)))
      driver.cancel(id!)
    }
    #expect(server.requests == 3)
    #expect(server.connections == (isReused ? 1 : 3))
  }

  /// An answer that is sent into an idle connection is never taken for the next request's.
  @Test func speakingOutOfTurnEndsAnIdleLine() throws {
    let speak = Gate()
    let server = ScriptedServer { _, peer, number in
      while peer.readRequest() != nil {
        peer.answer("{}")
        if number == 0 {
          speak.pass()
          peer.answer("stray")
        }
      }
    }
    let driver = try Driver()
    let target = driver.target(server.url)
    let first = driver.open(target)
    #expect(try driver.end(first).fault == nil)
    driver.cancel(first!)
    speak.open()
    #expect(driver.run { driver.watched.isEmpty })
    let second = driver.open(target)
    #expect(try driver.end(second).isReused == false)
    #expect(driver.held(second!) == Array("{}".utf8))
    #expect(server.connections == 2)
  }

  @Test func anOldLineIsNotUsed() throws {
    let server = TransferTests.plain()
    let driver = try Driver()
    let target = driver.target(server.url)
    let first = driver.open(target)
    #expect(try driver.end(first).fault == nil)
    driver.cancel(first!)
    let later = Driver.now + Limits.idleLine
    let request = TransferRequest(target: target)
    let second = driver.upstream.open(request, headerLines: Span(), body: Span(), now: later)
    driver.drain()
    #expect(try driver.end(second).isReused == false)
    #expect(server.connections == 2)
  }

  /// The provider answers before it has read the body, and closes: the answer counts.
  @Test func anEarlyAnswerIsHeard() throws {
    let server = ScriptedServer { _, peer, _ in
      guard peer.readHead() else { return }
      peer.answer("{\"error\":{}}", status: "413 Content Too Large")
      shutdown(peer.descriptor, Int32(SHUT_WR))
      peer.awaitEnd()
    }
    let driver = try Driver()
    let id = driver.open(driver.target(server.url), body: [[UInt8](repeating: 120, count: 16 << 20)])
    let outcome = try driver.end(id)
    #expect(outcome.fault == nil)
    #expect(outcome.status == 413)
    driver.cancel(id!)
    #expect(driver.watched.isEmpty)
  }

  /// Every byte of the answer comes in a segment of its own.
  @Test func headsAndChunksMayComeByteByByte() throws {
    let answer =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-One: 1\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n"
    let next = Mailbox<Int>()
    let server = ScriptedServer { _, peer, _ in
      guard peer.readRequest() != nil else { return }
      for byte in answer.utf8 {
        peer.send([byte])
        _ = next.take()
      }
      peer.awaitEnd()
    }
    let driver = try Driver()
    let id = try #require(driver.open(driver.target(server.url)))
    #expect(
      driver.run {
        next.put(0)
        return driver.outcome(id) != nil
      })
    #expect(driver.outcome(id)?.fault == nil)
    #expect(driver.head(id).hasSuffix("X-One: 1\r\n\r\n"))
    #expect(driver.held(id) == Array("abcde".utf8))
  }

  /// URLs and fields that libcurl sees to itself, and how the others' requests begin.
  @Test(
    arguments: [
      ("http://h/v1/x", [], " /v1/x HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\n"),
      ("http://H:80/", ["A: b"], " / HTTP/1.1\r\nHost: H\r\nAccept-Encoding: identity\r\nA: b\r\n"),
      ("http://h:8080/a?b=c#d", [], " /a?b=c HTTP/1.1\r\nHost: h:8080\r\nAccept-Encoding: identity\r\n"),
      ("http://[::1]:8080", [], " / HTTP/1.1\r\nHost: [::1]:8080\r\nAccept-Encoding: identity\r\n"),
      ("https://h/v1", [], nil), ("http://u:p@h/", [], nil), ("http://h/ä", [], nil), ("nonsense", [], nil),
      ("http://h/", ["Host: other"], nil), ("http://h/", ["transfer-encoding: x"], nil),
    ] as [(String, [String], String?)])
  func composesHeads(_ url: String, _ lines: [String], _ start: String?) {
    let request = PlainRequest(TransferTarget(url: url, headerLines: lines))
    guard let start, let request else {
      #expect(start == nil && request == nil)
      return
    }
    var head = ByteBuffer()
    let own = FieldNames(of: lines + ["Q: "])
    let given = Array("X: y\r\n\r\nq: 1\r\na: c\r\nZ: 1".utf8)
    request.compose(.post, query: Span(), lines: given.span, but: own, bodySize: 12, into: &head)
    let hasOwn = lines.contains { $0.hasPrefix("A:") }
    let further = hasOwn ? "X: y\r\nZ: 1\r\n" : "X: y\r\na: c\r\nZ: 1\r\n"
    #expect(head.bytes.text == "POST\(start)\(further)Content-Length: 12\r\n\r\n")
    head.removeAll()
    let query = Array("q=1".utf8)
    request.compose(.get, query: query.span, lines: Span(), but: own, bodySize: 0, into: &head)
    let parts = start.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
    #expect(head.bytes.text == "GET \(parts[0])\(url.contains("?") ? "&" : "?")q=1 \(parts[1])\r\n")
  }

  @Test func aProxyIsLibcurls() {
    var target = TransferTarget(url: "http://h/")
    target.proxy = "http://127.0.0.1:3128"
    #expect(PlainRequest(target) == nil)
  }

  @Test func thePoolGivesTheLatestAndFindsTheOldest() {
    var pool = LinePool()
    for i in 0..<6 { pool.put(Int32(10 + i), host: Int32(i % 2), now: Instant(nanoseconds: Int64(i))) }
    #expect(pool.count == 6 && pool.has(host: 1) && !pool.has(host: 2))
    #expect(pool.take(host: 0)?.descriptor == 14)
    #expect(pool.takeOldest() == 10)
    pool.remove(13, host: 1)
    pool.remove(99, host: 7)
    #expect(pool.count == 3)
    #expect(pool.takeOldest() == 11)
    #expect(pool.take(host: 1)?.descriptor == 15)
    #expect(pool.take(host: 1) == nil)
    #expect(pool.takeOldest(host: 0) == 12)
    #expect(pool.count == 0 && pool.takeOldest() == nil)
  }

  /// A burst leaves no more idle connections than the pool may hold.
  @Test func idleLinesAreBounded() throws {
    let count = Limits.pooledConnections + 20
    let everyone = Gate()
    let server = ScriptedServer(backlog: 512) { _, peer, _ in
      while peer.readRequest() != nil {
        everyone.pass()
        peer.answer("{}")
      }
    }
    let driver = try Driver()
    let target = driver.target(server.url)
    let ids = (0..<count).map { _ in driver.open(target) }
    #expect(driver.run { ids.allSatisfy { driver.isConnected($0!) } })
    for _ in ids { everyone.open() }
    for id in ids {
      #expect(try driver.end(id).fault == nil)
      driver.cancel(id!)
    }
    #expect(driver.upstream.lines.count == Limits.pooledConnections)
    #expect(driver.watched.count == Limits.pooledConnections)
  }
}
