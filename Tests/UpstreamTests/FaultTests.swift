import Base
import Glibc
import Testing
import Upstream

@Suite struct FaultTests {
  @Test func refused() throws {
    let driver = try Driver()
    let port = ScriptedServer.closedPort()
    let id = driver.open(driver.target("http://127.0.0.1:\(port)/"))
    let outcome = try driver.end(id)
    #expect(outcome.fault == .couldNotConnect)
    #expect(!outcome.isRequestSent)
    #expect(outcome.systemError == ECONNREFUSED)
    #expect(!driver.upstream.message(id).isEmpty)
    driver.cancel(id)
    #expect(driver.watched.isEmpty)
  }

  @Test func nameNotFound() throws {
    let driver = try Driver()
    let id = driver.open(driver.target("http://does-not-exist.invalid/"))
    #expect(try driver.end(id).fault == .couldNotResolve)
    driver.cancel(id)
    #expect(driver.watched.isEmpty)
  }

  @Test func cancelWhileTheNameIsLookedUp() throws {
    let driver = try Driver()
    let target = driver.target("http://does-not-exist.invalid/")
    for _ in 0..<8 {
      let id = driver.open(target)
      let before = driver.log.count
      driver.cancel(id)
      #expect(driver.log.count == before)
      #expect(driver.watched.isEmpty)
    }
  }

  enum Cut: String, CaseIterable, Sendable {
    case closedBeforeHead, resetBeforeHead, closedInHead, contentLength, chunked, chunkedAtABoundary
    case resetInBody, notHTTP, headTooLong, badChunk
  }

  /// What a provider does on a fresh connection after it has read the request.
  @Test(arguments: Cut.allCases, [nil, Certificate()])
  func cutAnswers(_ cut: Cut, _ certificate: Certificate?) throws {
    let received = Gate()
    let server = ScriptedServer(tls: certificate.map { ServerTLS($0) }) { server, peer, _ in
      guard peer.readRequest() != nil else { return }
      server.countRequest()
      switch cut {
      case .closedBeforeHead: break
      case .resetBeforeHead: peer.reset()
      case .closedInHead: peer.send("HTTP/1.1 200 OK\r\nContent-Le")
      case .contentLength: peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
      case .chunked: peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")
      case .chunkedAtABoundary:
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
      case .resetInBody:
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        received.pass()
        peer.reset()
      case .notHTTP:
        peer.send("SSH-2.0-OpenSSH_9.2\r\n")
        peer.awaitEnd()
      case .headTooLong:
        peer.send("HTTP/1.1 200 OK\r\n")
        for i in 0..<50 { peer.send("X-\(i): " + String(repeating: "x", count: 1000) + "\r\n") }
        peer.awaitEnd()
      case .badChunk:
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n")
        peer.awaitEnd()
      }
    }
    let driver = try Driver(trusting: certificate)
    let id = driver.open(driver.target(server.url))
    if cut == .resetInBody {
      #expect(driver.run { driver.held(id).count == 3 })
      received.open()
    }
    let outcome = try driver.end(id)
    let expected: TransferFault =
      switch cut {
      case .closedBeforeHead, .resetBeforeHead, .resetInBody: .reset
      case .closedInHead, .badChunk: .protocolError
      case .contentLength, .chunked, .chunkedAtABoundary: .closedEarly
      case .notHTTP, .headTooLong: .protocolError
      }
    #expect(outcome.fault == expected)
    #expect(outcome.isRequestSent)
    #expect(server.requests == 1)
    let hasHead: Bool =
      switch cut {
      case .closedBeforeHead, .resetBeforeHead, .closedInHead, .notHTTP, .headTooLong: false
      case .contentLength, .chunked, .chunkedAtABoundary, .resetInBody, .badChunk: true
      }
    #expect(outcome.isHeadSeen == hasHead)
  }

  /// The provider closes or resets a pooled connection when the next request is there: libcurl alone would send
  /// it again.
  @Test(
    arguments: [false, true], [(10, nil), (100_000, nil), (10, Certificate()), (100_000, Certificate())])
  func deadReusedConnectionIsNotSentAgain(_ isReset: Bool, _ way: (size: Int, certificate: Certificate?))
    throws
  {
    let server = ScriptedServer(tls: way.certificate.map { ServerTLS($0) }) { server, peer, number in
      var count = 0
      while peer.readRequest() != nil {
        server.countRequest()
        count += 1
        if number == 0, count == 2 {
          if isReset { peer.reset() }
          return
        }
        peer.answer("{}")
      }
    }
    let driver = try Driver(trusting: way.certificate)
    let target = driver.target(server.url)
    let first = driver.open(target)
    #expect(try driver.end(first).fault == nil)
    driver.cancel(first)
    let body = [[UInt8](repeating: 120, count: way.size)]
    let outcome = try driver.end(driver.open(target, body: body))
    #expect(outcome.fault == .reusedConnectionDied)
    #expect(outcome.isRequestSent)
    #expect(outcome.isReused)
    #expect(server.requests == 2)
    #expect(server.connections == 1)
    #expect(try driver.end(driver.open(target)).fault == nil)
    #expect(server.requests == 3)
  }

  @Test func connectTimeoutIsToldApart() throws {
    // TLS hello without an answer: TCP stands, the handshake never ends.
    let server = ScriptedServer { _, peer, _ in peer.awaitEnd() }
    let driver = try Driver()
    let target = driver.target("https://127.0.0.1:\(server.port)/", connectTimeout: .milliseconds(60))
    let outcome = try driver.end(driver.open(target))
    #expect(outcome.fault == .connectTimedOut)
    #expect(!outcome.isRequestSent)
  }

  @Test func raceSendsOneRequest() throws {
    // The slow one accepts TCP but its TLS handshake never ends until it is told to; it must not win.
    let slow = ScriptedServer { server, peer, _ in peer.awaitEnd() }
    let fast = TransferTests.plain()
    let driver = try Driver()
    let race = RaceID(7)
    let late = driver.open(driver.target("https://127.0.0.1:\(slow.port)/"), race: race)
    #expect(driver.run { slow.connections == 1 })
    let winner = driver.open(driver.target(fast.url), race: race)
    #expect(try driver.end(winner).fault == nil)
    #expect(driver.outcome(late) == nil)
    driver.cancel(late)
    #expect(fast.requests == 1)
    #expect(!driver.isConnected(late))
  }

  @Test func secondInTheRaceIsGivenUpBeforeItSends() throws {
    let answers = Gate()
    let first = ScriptedServer { server, peer, _ in
      guard peer.readRequest() != nil else { return }
      server.countRequest()
      answers.pass()
      peer.answer("{}")
    }
    let second = TransferTests.plain()
    let driver = try Driver()
    let winner = driver.open(driver.target(first.url), race: RaceID(1))
    #expect(driver.run { driver.isConnected(winner) && first.requests == 1 })
    let loser = driver.open(driver.target(second.url), race: RaceID(1))
    let other = driver.open(driver.target(second.url), race: RaceID(2))
    let outcome = try driver.end(loser)
    #expect(outcome.fault == .lostRace)
    #expect(!outcome.isRequestSent)
    #expect(!driver.isConnected(loser))
    #expect(try driver.end(other).fault == nil)
    #expect(second.requests == 1)
    answers.open()
    #expect(try driver.end(winner).fault == nil)
    // The race is over with its winner: the number may be used again.
    driver.cancel(winner)
    driver.cancel(loser)
    #expect(try driver.end(driver.open(driver.target(second.url), race: RaceID(1))).fault == nil)
  }
}
