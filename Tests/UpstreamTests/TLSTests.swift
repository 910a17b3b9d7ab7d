import Base
import COpenSSL
import Glibc
import Testing
import Transport

@testable import Upstream

/// Connections to `https` providers: who is trusted, what is said of those who are not, and what is kept.
@Suite struct TLSTests {
  private func server(_ certificate: Certificate, clients: Certificate? = nil, newest: Int32 = 0)
    -> ScriptedServer
  {
    ScriptedServer(tls: ServerTLS(certificate, clients: clients, newest: newest)) { server, peer, _ in
      while peer.readRequest() != nil {
        server.countRequest()
        peer.answer("{}")
      }
    }
  }

  private func target(
    _ driver: Driver, _ port: UInt16, host: String = "127.0.0.1", _ edit: (inout TransferTarget) -> Void
  )
    -> TargetID
  {
    var target = TransferTarget(url: "https://\(host):\(port)/v1")
    edit(&target)
    return driver.upstream.prepare(target)
  }

  private func fault(_ driver: Driver, _ target: TargetID) throws -> String? {
    let id = driver.open(target)
    let outcome = try driver.end(id)
    defer { driver.cancel(id) }
    if outcome.fault == nil { return nil }
    #expect(outcome.fault == .tlsFailed)
    #expect(outcome.isRequestSent == false)
    #expect(!outcome.isHeadSeen)
    return driver.upstream.message(id)
  }

  @Test func unknownAuthorityIsRefusedAndTheExtraOneIsTrusted() throws {
    let authority = Certificate("Our Own CA", isAuthority: true)
    let server = server(Certificate(issuer: authority))
    let strict = try Driver()
    #expect(
      try fault(strict, strict.target(server.url))
        == "the certificate of 127.0.0.1 is signed by an authority that is not trusted here (Our Own CA)")
    var settings = UpstreamSettings()
    settings.extraCertificateFile = authority.file
    let driver = try Driver(settings)
    let outcome = try driver.end(driver.open(driver.target(server.url)))
    #expect(outcome.fault == nil)
    #expect(outcome.status == 200)
    #expect(outcome.handshakeTime >= outcome.connectTime)
    #expect(outcome.connectTime > .zero)
  }

  @Test func namedCertificateFileReplacesTheSystems() throws {
    let certificate = Certificate()
    let server = server(certificate)
    var settings = UpstreamSettings()
    settings.certificateFile = certificate.file
    let driver = try Driver(settings)
    #expect(try fault(driver, driver.target(server.url)) == nil)
  }

  /// What is said of a certificate that is not good.
  @Test(arguments: [
    ("IP:127.0.0.1", -7200, -3600, true, "the certificate of 127.0.0.1 expired 1 hour ago"),
    ("IP:127.0.0.1", -86_400 * 9, -86_400 * 3 - 60, true, "the certificate of 127.0.0.1 expired 3 days ago"),
    (
      "IP:127.0.0.1", 7230, 9000, true,
      "the certificate of 127.0.0.1 is not valid before 2 hours from now: is the clock right?"
    ),
    (
      "DNS:example.org,DNS:*.example.com", -60, 60, true,
      "the certificate is not for 127.0.0.1 but for example.org, *.example.com"
    ),
    (
      "IP:127.0.0.1", -60, 60, false,
      "the certificate of 127.0.0.1 is signed by itself, and not trusted here (tls.ca_file)"
    ),
  ])
  func tellsWhatIsWrong(_ names: String, _ from: Int, _ until: Int, _ isTrusted: Bool, _ words: String) throws
  {
    let certificate = Certificate(names: names, from: from, until: until)
    let server = server(certificate)
    let driver = try Driver()
    let target = target(driver, server.port) { if isTrusted { $0.tls.authorityFile = certificate.file } }
    #expect(try fault(driver, target) == words)
    let lax = self.target(driver, server.port) { $0.tls.verifies = false }
    #expect(try fault(driver, lax) == nil)
  }

  @Test func tellsWhoSpeaksNoTLS() throws {
    let plain = ScriptedServer { _, peer, _ in
      peer.send("HTTP/1.1 400 Bad Request\r\n\r\n")
      peer.awaitEnd()
    }
    let rude = ScriptedServer { _, peer, _ in _ = recv(peer.descriptor, nil, 0, 0) }
    let driver = try Driver()
    #expect(
      try fault(driver, target(driver, plain.port) { _ in })
        == "127.0.0.1 does not speak TLS on this port: http:// is meant, or another port")
    let words = try fault(driver, target(driver, rude.port) { _ in })
    // Whether the hello was read before the end is the kernel's to say.
    #expect(
      ["127.0.0.1 closed the connection in the TLS handshake", "Connection reset by peer"].contains(words))
  }

  /// The server's name: in the hello, and in the certificate.
  @Test func asksForAndChecksAnotherName() throws {
    let certificate = Certificate(names: "DNS:api.example.com")
    let names = Mailbox<String?>()
    let server = ScriptedServer(tls: ServerTLS(certificate)) { _, peer, _ in
      names.put(peer.serverName)
      while peer.readRequest() != nil { peer.answer("{}") }
    }
    let driver = try Driver()
    let named = target(driver, server.port) {
      $0.tls.authorityFile = certificate.file
      $0.serverName = "api.example.com"
    }
    #expect(try fault(driver, named) == nil)
    #expect(names.take() == "api.example.com")
    let unnamed = target(driver, server.port) { $0.tls.authorityFile = certificate.file }
    #expect(
      try fault(driver, unnamed) == "the certificate is not for 127.0.0.1 but for api.example.com")
  }

  @Test func showsACertificateWhereOneIsWanted() throws {
    let certificate = Certificate()
    let own = Certificate("client")
    let server = server(certificate, clients: own, newest: TLS1_2_VERSION)
    let driver = try Driver()
    let with = target(driver, server.port) {
      $0.tls.authorityFile = certificate.file
      $0.tls.certificate = own.file
    }
    let without = target(driver, server.port) { $0.tls.authorityFile = certificate.file }
    #expect(try fault(driver, with) == nil)
    #expect(try fault(driver, without) == "127.0.0.1 refused the TLS connection: handshake failure")
  }

  /// With TLS 1.3 the server says no when the client takes the handshake for done.
  @Test func aLateRefusalIsTold() throws {
    let certificate = Certificate()
    let server = server(certificate, clients: Certificate("client"))
    let driver = try Driver()
    let id = driver.open(target(driver, server.port) { $0.tls.authorityFile = certificate.file })
    let outcome = try driver.end(id)
    #expect(outcome.fault == .tlsFailed)
    #expect(driver.upstream.message(id) == "127.0.0.1 wants a client's certificate (tls.cert)")
  }

  @Test func unusableFilesAreNamed() throws {
    let server = server(Certificate())
    let driver = try Driver()
    let target = target(driver, server.port) { $0.tls.authorityFile = "/nonexistent/ca.pem" }
    let words = try #require(try fault(driver, target))
    #expect(words.hasPrefix("/nonexistent/ca.pem cannot be used: "))
  }

  /// A file of authorities is read again when it has changed; one that cannot be used leaves the earlier one in force.
  @Test func authoritiesAreReadAgain() throws {
    let first = Certificate()
    let second = Certificate()
    let servers = [server(first), server(second)]
    let file = first.file + ".changing"
    defer { unlink(file) }
    first.write(to: file)
    let driver = try Driver()
    let targets = servers.map { server in target(driver, server.port) { $0.tls.authorityFile = file } }
    func isTrusted(_ n: Int) throws -> Bool {
      driver.upstream.dropConnections(of: targets[n])
      driver.drain()
      return try fault(driver, targets[n]) == nil
    }
    #expect(try isTrusted(0))
    #expect(try !isTrusted(1))
    second.write(to: file)
    #expect(try !isTrusted(0))
    #expect(try isTrusted(1))
    truncate(file, 0)
    #expect(try isTrusted(1))
  }

  /// A further connection resumes the session of an earlier one, with both versions.
  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION]) func sessionsAreResumed(_ version: Int32) throws {
    let certificate = Certificate()
    let resumed = Mailbox<Bool>()
    let server = ScriptedServer(tls: ServerTLS(certificate, newest: version)) { _, peer, _ in
      resumed.put(peer.isResumed)
      while peer.readRequest() != nil { peer.answer("{}") }
    }
    let driver = try Driver()
    let target = target(driver, server.port) { $0.tls.authorityFile = certificate.file }
    for i in 0..<8 {
      #expect(try fault(driver, target) == nil)
      #expect(resumed.take() == (i > 0))
      driver.upstream.dropConnections(of: target)
      driver.drain()
    }
    #expect(server.connections == 8)
  }

  /// Settings that differ share neither connections nor sessions.
  @Test func settingsKeepConnectionsApart() throws {
    let certificate = Certificate()
    let server = server(certificate)
    let driver = try Driver()
    let strict = target(driver, server.port) { $0.tls.authorityFile = certificate.file }
    let lax = target(driver, server.port) { $0.tls.verifies = false }
    let again = target(driver, server.port) {
      $0.tls.verifies = false; $0.headerLines = ["X: y"]
    }
    for target in [strict, lax, again] { #expect(try fault(driver, target) == nil) }
    #expect(server.connections == 2)
    #expect(server.requests == 3)
  }

  /// Many records in one segment of the network: all of them are taken in, though the poller tells once.
  @Test func noRecordWaitsForTheNext() throws {
    let certificate = Certificate()
    let server = ScriptedServer(tls: ServerTLS(certificate)) { _, peer, _ in
      guard peer.readRequest() != nil else { return }
      peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      for size in [16_000, 1, 15_000, 2] + Array(repeating: 10, count: 500) {
        peer.send(String(size, radix: 16) + "\r\n" + String(repeating: "x", count: size) + "\r\n")
      }
      peer.awaitEnd()
    }
    let driver = try Driver()
    let id = driver.open(target(driver, server.port) { $0.tls.authorityFile = certificate.file })
    #expect(driver.run { driver.held(id).count == 36_003 })
    driver.cancel(id)
    #expect(driver.watched.isEmpty)
  }

  /// The end of an answer that nothing else ends counts only if TLS says so: anyone can cut a connection off.
  @Test(arguments: [false, true]) func anEndIsWhatTheServerSays(_ isCutOff: Bool) throws {
    let certificate = Certificate()
    let server = ScriptedServer(tls: ServerTLS(certificate)) { _, peer, _ in
      guard peer.readRequest() != nil else { return }
      peer.send("HTTP/1.1 200 OK\r\n\r\nabc")
      if isCutOff { peer.cutOff() }
    }
    let driver = try Driver()
    let id = driver.open(target(driver, server.port) { $0.tls.authorityFile = certificate.file })
    #expect(try driver.end(id).fault == (isCutOff ? .closedEarly : nil))
    #expect(driver.held(id) == Array("abc".utf8))
  }

  /// A body of many records arrives whole, though the server is slow to read it.
  @Test func largeBodiesArriveWhole() throws {
    let certificate = Certificate()
    let bodies = Mailbox<Int>()
    let reads = Gate()
    let server = ScriptedServer(tls: ServerTLS(certificate)) { _, peer, _ in
      reads.pass()
      guard let request = peer.readRequest() else { return }
      bodies.put(request.body.enumerated().count { UInt8(truncatingIfNeeded: $0.offset % 251) == $0.element })
      peer.answer("{}")
    }
    let driver = try Driver()
    let body = (0..<16_000_000).map { UInt8($0 % 251) }
    let target = target(driver, server.port) { $0.tls.authorityFile = certificate.file }
    let id = driver.open(
      target, body: [Array(body[..<100]), Array(body[100..<40_000]), Array(body[40_000...])])
    for _ in 0..<10 { driver.turn(20) }
    #expect(driver.upstream.releaseBody(id) == false)
    reads.open()
    #expect(try driver.end(id).fault == nil)
    #expect(bodies.take() == body.count)
  }

  /// Through a proxy that is asked for a tunnel.
  @Test func goesThroughATunnel() throws {
    let certificate = Certificate(names: "DNS:api.test")
    let tls = ServerTLS(certificate)
    let asked = Mailbox<String>()
    let proxy = ScriptedServer { _, peer, _ in
      guard let head = peer.readRequest()?.head else { return }
      asked.put(head)
      peer.send("HTTP/1.1 200 Connected\r\n\r\n")
      guard peer.secure(tls) else { return }
      while peer.readRequest() != nil { peer.answer("{}") }
    }
    let driver = try Driver()
    let through = target(driver, 443, host: "api.test") {
      $0.tls.authorityFile = certificate.file
      $0.proxy = "http://u:p@127.0.0.1:\(proxy.port)"
    }
    #expect(try fault(driver, through) == nil)
    let head = asked.take()
    #expect(head.hasPrefix("CONNECT api.test:443 HTTP/1.1\r\n"))
    #expect(head.contains("\r\nProxy-Authorization: Basic dTpw"))
    #expect(try fault(driver, through) == nil)
    #expect(proxy.connections == 1)
  }

  /// Who was too late with its handshake keeps the connection for the next request.
  @Test func aLostRaceLeavesAConnection() throws {
    let certificate = Certificate()
    let server = server(certificate)
    let fast = TransferTests.plain()
    let driver = try Driver()
    let target = target(driver, server.port) { $0.tls.authorityFile = certificate.file }
    let late = driver.open(target, race: RaceID(1))
    let winner = driver.open(driver.target(fast.url), race: RaceID(1))
    let ends = try [driver.end(late), driver.end(winner)]
    #expect(Set(ends.map { $0.fault }) == [nil, .lostRace])
    #expect(server.requests + fast.requests == 1)
    driver.cancel(late)
    driver.cancel(winner)
    for target in [target, driver.target(fast.url)] { #expect(try fault(driver, target) == nil) }
    #expect(server.connections == 1 && fast.connections == 1)
  }
}
