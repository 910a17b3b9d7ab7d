import Base
import Glibc
import Testing

@testable import Upstream

/// How requests begin and end on connections of their own, and what is kept of these.
@Suite struct ConnectionTests {
  /// What a provider says, and whether the next request may come on the same connection.
  private static let answers = [
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", true),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", true),
    ("HTTP/1.1 204 No Content\r\n\r\n", true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", false),
    ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", false),
    // Bytes that nobody asked for: what they answer is not to be guessed.
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", false),
  ]

  @Test(arguments: answers, [nil, Certificate()])
  func usesAConnectionAgainOnlyAfterACleanEnd(_ answer: (String, Bool), _ certificate: Certificate?) throws {
    let isReused = answer.1
    let server = ScriptedServer(tls: certificate.map { ServerTLS($0) }) { server, peer, _ in
      while peer.readRequest() != nil {
        server.countRequest()
        peer.send(answer.0)
      }
    }
    let driver = try Driver(trusting: certificate)
    let target = driver.target(server.url)
    for i in 0..<3 {
      let id = driver.open(target)
      let outcome = try driver.end(id)
      #expect(outcome.fault == nil)
      #expect(outcome.isReused == (isReused && i > 0))
      #expect(driver.held(id) == (outcome.status == 204 ? [] : Array("{}".utf8)))
      driver.cancel(id)
    }
    #expect(server.requests == 3)
    #expect(server.connections == (isReused ? 1 : 3))
  }

  /// An answer that is sent into an idle connection is never taken for the next request's.
  @Test(arguments: [nil, Certificate()]) func speakingOutOfTurnEndsAnIdleConnection(
    _ certificate: Certificate?
  )
    throws
  {
    let speak = Gate()
    let server = ScriptedServer(tls: certificate.map { ServerTLS($0) }) { _, peer, number in
      while peer.readRequest() != nil {
        peer.answer("{}")
        if number == 0 {
          speak.pass()
          peer.answer("stray")
        }
      }
    }
    let driver = try Driver(trusting: certificate)
    let target = driver.target(server.url)
    let first = driver.open(target)
    #expect(try driver.end(first).fault == nil)
    driver.cancel(first)
    speak.open()
    #expect(driver.run { driver.watched.isEmpty })
    let second = driver.open(target)
    #expect(try driver.end(second).isReused == false)
    #expect(driver.held(second) == Array("{}".utf8))
    #expect(server.connections == 2)
  }

  @Test func anOldConnectionIsNotUsed() throws {
    let server = TransferTests.plain()
    let driver = try Driver()
    let target = driver.target(server.url)
    let first = driver.open(target)
    #expect(try driver.end(first).fault == nil)
    driver.cancel(first)
    let taken = driver.upstream.pool.take(host: 0)
    let idle = try #require(taken)
    idle.idleSince = Driver.now - Limits.idleConnection
    driver.upstream.pool.put(idle)
    let second = driver.open(target)
    #expect(try driver.end(second).isReused == false)
    #expect(server.connections == 2)
  }

  /// The provider answers before it has read the body, and closes: the answer counts.
  @Test(arguments: [nil, Certificate()]) func anEarlyAnswerIsHeard(_ certificate: Certificate?) throws {
    let server = ScriptedServer(tls: certificate.map { ServerTLS($0) }) { _, peer, _ in
      guard peer.readHead() else { return }
      peer.answer("{\"error\":{}}", status: "413 Content Too Large")
      shutdown(peer.descriptor, Int32(SHUT_WR))
      peer.awaitEnd()
    }
    let driver = try Driver(trusting: certificate)
    let id = driver.open(driver.target(server.url), body: [[UInt8](repeating: 120, count: 16 << 20)])
    let outcome = try driver.end(id)
    #expect(outcome.fault == nil)
    #expect(outcome.status == 413)
    driver.cancel(id)
    // Where all of the body had gone out and the end had not come yet, the connection is kept until it comes.
    #expect(driver.run { driver.watched.isEmpty })
  }

  /// Every byte of the answer comes in a segment of its own.
  @Test(arguments: [nil, Certificate()]) func headsAndChunksMayComeByteByByte(_ certificate: Certificate?)
    throws
  {
    let answer =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-One: 1\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n"
    let next = Mailbox<Int>()
    let server = ScriptedServer(tls: certificate.map { ServerTLS($0) }) { _, peer, _ in
      guard peer.readRequest() != nil else { return }
      for byte in answer.utf8 {
        peer.send([byte])
        _ = next.take()
      }
      peer.awaitEnd()
    }
    let driver = try Driver(trusting: certificate)
    let id = driver.open(driver.target(server.url))
    #expect(
      driver.run {
        next.put(0)
        return driver.outcome(id) != nil
      })
    #expect(driver.outcome(id)?.fault == nil)
    #expect(driver.head(id).hasSuffix("X-One: 1\r\n\r\n"))
    #expect(driver.held(id) == Array("abcde".utf8))
  }

  /// How requests begin, and which URLs and fields cannot be.
  @Test(
    arguments: [
      ("http://h/v1/x", [], " /v1/x HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\n"),
      ("http://H:80/", ["A: b"], " / HTTP/1.1\r\nHost: H\r\nAccept-Encoding: identity\r\nA: b\r\n"),
      ("http://h:8080/a?b=c#d", [], " /a?b=c HTTP/1.1\r\nHost: h:8080\r\nAccept-Encoding: identity\r\n"),
      ("http://[::1]:8080", [], " / HTTP/1.1\r\nHost: [::1]:8080\r\nAccept-Encoding: identity\r\n"),
      ("https://h/v1", [], " /v1 HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\n"),
      ("https://h:80/", [], " / HTTP/1.1\r\nHost: h:80\r\nAccept-Encoding: identity\r\n"),
      ("http://h:443/", [], " / HTTP/1.1\r\nHost: h:443\r\nAccept-Encoding: identity\r\n"),
      ("http://u:p@h/", [], nil), ("http://h/ä", [], nil), ("nonsense", [], nil), ("ftp://h/", [], nil),
      ("http://h/", ["Host: other"], nil), ("http://h/", ["transfer-encoding: x"], nil),
    ] as [(String, [String], String?)])
  func composesHeads(_ url: String, _ lines: [String], _ start: String?) {
    let destination = Destination(TransferTarget(url: url, headerLines: lines))
    guard let start, let destination else {
      #expect(start == nil && destination == nil)
      return
    }
    var head = ByteBuffer()
    let own = FieldNames(of: lines + ["Q: "])
    let given = Array("X: y\r\n\r\nq: 1\r\na: c\r\nZ: 1".utf8)
    destination.compose(.post, query: Span(), lines: given.span, but: own, bodySize: 12, into: &head)
    let hasOwn = lines.contains { $0.hasPrefix("A:") }
    let further = hasOwn ? "X: y\r\nZ: 1\r\n" : "X: y\r\na: c\r\nZ: 1\r\n"
    #expect(head.bytes.text == "POST\(start)\(further)Content-Length: 12\r\n\r\n")
    head.removeAll()
    let query = Array("q=1".utf8)
    destination.compose(.get, query: query.span, lines: Span(), but: own, bodySize: 0, into: &head)
    let parts = start.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
    #expect(head.bytes.text == "GET \(parts[0])\(url.contains("?") ? "&" : "?")q=1 \(parts[1])\r\n")
  }

  /// The same head as HTTP/2 has it.
  @Test func writesFields() {
    let head = Array(
      "POST /v1/x?y=z HTTP/1.1\r\nHost: h:8080\r\nAccept-Encoding: identity\r\nX:\r\n\r\n".utf8)
    for (isSecure, scheme) in [(true, "https"), (false, "http")] {
      var fields = ByteBuffer()
      Destination.writeFields(of: head.span, isSecure: isSecure, into: &fields)
      #expect(
        fields.bytes.text
          == ":method: POST\r\n:scheme: \(scheme)\r\n:path: /v1/x?y=z\r\n:authority: h:8080\r\n"
          + "Accept-Encoding: identity\r\nX:\r\n")
    }
  }

  /// What is dialled, and through what; an HTTP proxy takes requests in the clear itself.
  @Test(
    arguments: [
      ("http://h/v1", nil, "http://h:80/", nil), ("https://h/v1", nil, "http://h:443/", nil),
      ("https://[::1]:8443/", nil, "http://[::1]:8443/", nil),
      ("http://[fe80::1%25eth0]:81/", nil, "http://[fe80::1%25eth0]:81/", nil),
      ("https://h/", "http://p:3128", "http://h:443/", "http://p:3128"),
      ("http://h/", "http://p:3128", "http://p:3128/", nil), ("http://h/", "http://p", "http://p:1080/", nil),
      ("http://h/", "socks5h://p", "http://h:80/", "socks5h://p"),
      ("https://h/", "socks5h://p", "http://h:443/", "socks5h://p"),
    ] as [(String, String?, String, String?)])
  func dials(_ url: String, through proxy: String?, _ dialled: String, _ dialProxy: String?) throws {
    var target = TransferTarget(url: url)
    target.proxy = proxy
    let destination = try #require(Destination(target))
    #expect(destination.dialURL == dialled && destination.dialProxy == dialProxy)
  }

  /// A proxy that takes requests is told whom they are for, and who asks.
  @Test func asksAProxy() throws {
    let heads = Mailbox<String>()
    let proxy = ScriptedServer { _, peer, _ in
      while let request = peer.readRequest() {
        heads.put(request.head)
        peer.answer("{}")
      }
    }
    let driver = try Driver()
    var target = TransferTarget(url: "http://api.test:8080/v1?a=b")
    target.proxy = "http://us%20er:pass@127.0.0.1:\(proxy.port)"
    let prepared = driver.upstream.prepare(target)
    for _ in 0..<2 {
      let id = driver.open(prepared)
      #expect(try driver.end(id).fault == nil)
      driver.cancel(id)
      let head = heads.take()
      #expect(head.hasPrefix("POST http://api.test:8080/v1?a=b HTTP/1.1\r\nHost: api.test:8080\r\n"))
      #expect(head.contains("\r\nProxy-Authorization: Basic dXMgZXI6cGFzcw==\r\n"))
    }
    #expect(proxy.connections == 1)
  }

  private func connection(host: Int32, since: Int64) -> Connection {
    let target = Target(TransferTarget(url: "http://h/"), host: host)
    let connection = Connection(target, .http1, now: .distantPast)
    connection.idleSince = Instant(nanoseconds: since)
    return connection
  }

  @Test func thePoolGivesTheLatestAndFindsTheOldest() throws {
    var pool = ConnectionPool()
    let made = (0..<6).map { connection(host: Int32($0 % 2), since: Int64($0)) }
    for connection in made { pool.put(connection) }
    #expect(pool.idleCount == 6)
    #expect(pool.take(host: 2) == nil)
    #expect(pool.take(host: 0) === made[4])
    #expect(pool.takeOldest() === made[0])
    pool.remove(made[3])
    pool.remove(made[3])
    #expect(pool.idleCount == 3)
    #expect(pool.takeOldest() === made[1])
    #expect(pool.take(host: 1) === made[5])
    #expect(pool.take(host: 1) == nil)
    #expect(pool.takeOldest() === made[2])
    #expect(pool.idleCount == 0 && pool.takeOldest() == nil)
  }

  /// What was at work at once of late stays; some stay for long, none for ever.
  @Test func thePoolKeepsWhatWasNeeded() {
    var pool = ConnectionPool()
    let made = (0..<10).map { connection(host: 0, since: Int64($0)) }
    for connection in made { pool.put(connection) }
    func tidied(at seconds: Interval) -> ([Int], Instant) {
      let (closed, due) = pool.tidy(now: Instant(nanoseconds: 0) + seconds)
      return (closed.map { closed in made.firstIndex { $0 === closed }! }, due)
    }
    let unneeded = Limits.unneededConnection
    let first = Instant(nanoseconds: 0) + unneeded
    #expect(tidied(at: .zero) == ([], first))
    let taken = (0..<4).compactMap { _ in pool.take(host: 0) }
    #expect(tidied(at: unneeded - Interval(nanoseconds: 1)) == ([], first))
    let again = Interval.seconds(10)
    for connection in taken.reversed() {
      connection.idleSince = Instant(nanoseconds: 0) + again
      pool.put(connection)
    }
    #expect(tidied(at: unneeded + .seconds(1)) == ([0, 1, 2, 3, 4, 5], first + again))
    let last = Instant(nanoseconds: 0) + again + Limits.idleConnection
    #expect(tidied(at: unneeded + again) == ([6, 7, 8], last))
    #expect(tidied(at: again + Limits.idleConnection) == ([9], .distantFuture))
    #expect(pool.idleCount == 0)
  }

  /// A burst leaves no more idle connections than the pool may hold.
  @Test func idleConnectionsAreBounded() throws {
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
    #expect(driver.run { ids.allSatisfy { driver.isConnected($0) } })
    for _ in ids { everyone.open() }
    for id in ids {
      #expect(try driver.end(id).fault == nil)
      driver.cancel(id)
    }
    #expect(driver.upstream.pool.idleCount == Limits.pooledConnections)
    #expect(driver.watched.count == Limits.pooledConnections)
  }

  /// What a rest gives back comes again, and the connections stay.
  @Test(arguments: [nil, Certificate()]) func afterARestAllGoesOn(_ certificate: Certificate?) throws {
    let server = ScriptedServer(tls: certificate.map { ServerTLS($0) }) { server, peer, _ in
      while peer.readRequest() != nil {
        server.countRequest()
        peer.answer("{}")
      }
    }
    let driver = try Driver(trusting: certificate)
    let target = driver.target(server.url)
    var before: [TransferID] = []
    for round in 0..<3 {
      let transfers = (0..<4).map { _ in driver.open(target) }
      // Transfers under way are let alone.
      driver.upstream.rest()
      for id in transfers {
        let outcome = try driver.end(id)
        #expect(outcome.fault == nil && outcome.isReused == (round > 0))
        driver.cancel(id)
      }
      driver.upstream.rest()
      for id in before { #expect(!driver.upstream.isOpen(id)) }
      before = transfers
    }
    #expect(server.requests == 12 && server.connections == 4)
  }
}
