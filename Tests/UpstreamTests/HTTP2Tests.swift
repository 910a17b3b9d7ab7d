import Base
import Glibc
import Testing

@testable import Upstream

/// Connections that several transfers share, over plain sockets and frames written by hand.
@Suite struct HTTP2Tests {
  /// Answers every request with its own body.
  private static func echo() -> ScriptedServer {
    ScriptedServer { server, peer, _ in
      guard peer.greet() else { return }
      while let request = peer.readStream() {
        server.countRequest()
        peer.answer(request.stream, String(decoding: request.body, as: UTF8.self))
      }
    }
  }

  @Test func requestsShareAConnection() throws {
    let server = Self.echo()
    let driver = try Driver()
    let target = driver.http2Target(of: server)
    // A burst before anything stands waits for the one connection.
    let ids = (0..<20).map { n in
      driver.open(target, body: [Array("{\"n\":".utf8), Array("\(n)}".utf8)])
    }
    for (n, id) in ids.enumerated() {
      let outcome = try driver.end(id)
      #expect(outcome.fault == nil && outcome.status == 200 && outcome.isRequestSent && !outcome.isReused)
      #expect(driver.held(id) == Array("{\"n\":\(n)}".utf8))
      #expect(driver.head(id) == "HTTP/2 200 \r\ncontent-type: application/json\r\n\r\n")
      driver.cancel(id)
    }
    let later = try driver.end(driver.open(target))
    #expect(later.fault == nil && later.isReused)
    #expect(server.connections == 1 && server.requests == 21)
  }

  /// Beyond what the provider lets it have on one connection it makes another.
  @Test func asManyStreamsAsThePeerLets() throws {
    let answers = Gate()
    let server = ScriptedServer { server, peer, _ in
      guard peer.greet([(3, 2)]) else { return }
      var streams: [UInt32] = []
      while streams.count < 2, let request = peer.readStream() {
        server.countRequest()
        streams.append(request.stream)
      }
      answers.pass()
      for stream in streams { peer.answer(stream, "{}") }
      peer.awaitEnd()
    }
    let driver = try Driver()
    let target = driver.http2Target(of: server)
    let first = driver.open(target)
    #expect(driver.run { server.requests == 1 })
    // Its settings have come with the greeting.
    let ids = [first] + (0..<3).map { _ in driver.open(target) }
    #expect(driver.run { server.requests == 4 })
    #expect(server.connections == 2)
    answers.open()
    answers.open()
    for id in ids { #expect(try driver.end(id).fault == nil) }
  }

  /// What a provider says on a stream, and what it means: body, fault.
  @Test(
    arguments: [
      (["d:abc", "e:de"], "abcde", nil),
      (["e:"], "", nil),
      (["i", "h", "d:abc", "e:"], "abc", nil),
      (["d:abc", "t"], "abc", nil),
      (["d:abc", "r:8"], "abc", .closedEarly), (["d:abc", "r:0"], "abc", .closedEarly),
      (["-", "r:7"], "", .refusedStream), (["-", "r:2"], "", .reset), (["-", "r:11"], "", .reset),
      (["-", "g:0"], "", .refusedStream), (["d:abc", "g:9", "e:de"], "abcde", nil),
      (["d:abc", "c"], "abc", .closedEarly), (["-", "c"], "", .reset),
      (["-", "d:abc"], "", .protocolError), (["x"], "", .protocolError), (["-", "l"], "", .protocolError),
      (["d:abc", "x"], "abc", .protocolError),
    ] as [([String], String, TransferFault?)])
  func answers(_ script: [String], _ body: String, _ fault: TransferFault?) throws {
    let server = ScriptedServer { server, peer, _ in
      guard peer.greet(), let request = peer.readStream() else { return }
      server.countRequest()
      let stream = request.stream
      if script.first != "-", script.first != "i" { peer.send(Frame.headers(stream, [(":status", "200")])) }
      for step in script {
        let word = String(step.dropFirst(2))
        switch step.first {
        case "i": peer.send(Frame.headers(stream, [(":status", "103"), ("link", "x")]))
        case "h": peer.send(Frame.headers(stream, [(":status", "200")]))
        case "d": peer.send(Frame.data(stream, word))
        case "e": peer.send(Frame.data(stream, word, ends: true))
        case "t": peer.send(Frame.headers(stream, [("x-sum", "1")], ends: true))
        case "r": peer.send(Frame.reset(stream, UInt32(word)!))
        case "g": peer.send(Frame.goAway(last: UInt32(word)!))
        case "x": peer.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".utf8))
        case "l":
          let long = String(repeating: "x", count: 8000)
          peer.send(Frame.headers(stream, [(":status", "200"), ("a", long), ("b", long)], flags: 0))
          for _ in 0..<2 {
            let block = Frame.block([("c", long), ("d", long)])
            peer.send(Frame(kind: Frame.Kind.continuation, stream: stream, payload: block))
          }
          peer.send(Frame(kind: Frame.Kind.continuation, flags: Frame.endHeaders, stream: stream))
        case "c": shutdown(peer.descriptor, Int32(SHUT_WR))
        default: break
        }
      }
      peer.awaitEnd()
    }
    let driver = try Driver()
    let id = driver.open(driver.http2Target(of: server))
    let outcome = try driver.end(id)
    #expect(outcome.fault == fault)
    #expect(outcome.isRequestSent)
    #expect(driver.held(id) == Array(body.utf8))
    #expect(outcome.isHeadSeen == (outcome.status == 200))
    if fault != nil { #expect(!driver.upstream.message(id).isEmpty) }
    driver.cancel(id)
    #expect(server.requests == 1)
  }

  /// After GOAWAY what is under way finishes, and what comes next goes over another connection.
  @Test func aGoodbyeIsHeeded() throws {
    let finish = Gate()
    let server = ScriptedServer { server, peer, number in
      guard peer.greet() else { return }
      while let request = peer.readStream() {
        server.countRequest()
        if number == 0 {
          peer.send(Frame.headers(request.stream, [(":status", "200")]), Frame.goAway(last: request.stream))
          finish.pass()
          peer.send(Frame.data(request.stream, "{}", ends: true))
        } else {
          peer.answer(request.stream, "{}")
        }
      }
    }
    let driver = try Driver()
    let target = driver.http2Target(of: server)
    let first = driver.open(target)
    #expect(driver.run { driver.status(first) == 200 })
    // The goodbye lies in the same segment as the head.
    let second = driver.open(target)
    #expect(try driver.end(second).fault == nil)
    finish.open()
    #expect(try driver.end(first).fault == nil)
    #expect(server.connections == 2)
    driver.cancel(first)
    driver.cancel(second)
    #expect(driver.run { driver.watched.count == 1 })
  }

  /// A client that does not read holds up its own stream, up to the window, and no other one.
  @Test func aSlowClientHoldsUpNobodyElse() throws {
    let total = Limits.streamWindow * 6
    let server = ScriptedServer { _, peer, _ in
      guard peer.greet(), let slow = peer.readStream() else { return }
      peer.send(Frame.headers(slow.stream, [(":status", "200")]))
      var window = Limits.streamWindow
      var sent = 0
      while sent < total {
        let count = min(window, 10_000, total - sent)
        if count > 0 {
          sent += count
          window -= count
          let letters = String(repeating: "x", count: count)
          peer.send(Frame.data(slow.stream, letters, ends: sent == total))
          continue
        }
        guard let frame = peer.readFrame() else { return }
        if frame.kind == Frame.Kind.windowUpdate, frame.stream == slow.stream {
          window += frame.payload.reduce(0) { $0 << 8 | Int($1) }
        }
        if frame.kind == Frame.Kind.data, frame.endsStream { peer.answer(frame.stream, "{}") }
      }
      peer.awaitEnd()
    }
    let driver = try Driver()
    let target = driver.http2Target(of: server)
    let client = Client(sendBuffer: 32 << 10)
    let slow = driver.open(target)
    #expect(driver.run { driver.status(slow) == 200 })
    driver.commit(slow, "HEAD", to: client, isChunked: false)
    #expect(driver.run { driver.upstream.progress(slow)!.isPaused })
    for _ in 0..<3 {
      let other = driver.open(target)
      #expect(try driver.end(other).fault == nil)
      driver.cancel(other)
    }
    #expect(driver.outcome(slow) == nil)
    #expect(driver.upstream.kept(slow) <= Limits.streamWindow)
    #expect(client.output.backlogCount <= 256 << 10)
    #expect(
      driver.run {
        client.take()
        if client.output.flush() { driver.resume(slow) }
        return driver.outcome(slow) != nil && !client.output.isBlocked
      })
    client.take()
    #expect(driver.outcome(slow)?.fault == nil)
    #expect(client.received.count == total + 4)
    #expect(server.connections == 1)
  }

  /// A body waits for the provider's window, and is all there is.
  @Test func largeBodiesWaitForTheWindow() throws {
    let bodies = Mailbox<[UInt8]>()
    let server = ScriptedServer { _, peer, _ in
      guard peer.greet(), let headers = peer.awaitFrame(Frame.Kind.headers) else { return }
      var body: [UInt8] = []
      while let frame = peer.readFrame() {
        guard frame.kind == Frame.Kind.data else { continue }
        body += frame.payload
        if frame.endsStream { break }
        if frame.payload.isEmpty { continue }
        let count = UInt32(frame.payload.count)
        peer.send(Frame.windowUpdate(headers.stream, count), Frame.windowUpdate(0, count))
      }
      bodies.put(body)
      peer.answer(headers.stream, "{}")
      peer.awaitEnd()
    }
    let driver = try Driver()
    let body = (0..<1_000_000).map { UInt8($0 % 251) }
    let id = driver.open(
      driver.http2Target(of: server),
      body: [Array(body[..<10]), [], Array(body[10..<70_000]), Array(body[70_000...])])
    #expect(driver.upstream.releaseBody(id) == false)
    #expect(try driver.end(id).fault == nil)
    #expect(bodies.take() == body)
  }

  /// An answer before the body's end is heard, and the rest of the body is not sent.
  @Test func anEarlyAnswerIsHeard() throws {
    let server = ScriptedServer { _, peer, _ in
      guard peer.greet(), let headers = peer.awaitFrame(Frame.Kind.headers) else { return }
      peer.answer(headers.stream, "{\"error\":{}}", status: "413")
      guard peer.awaitFrame(Frame.Kind.reset) != nil, peer.send(Frame.windowUpdate(0, 65_535)),
        let next = peer.readStream()
      else { return }
      peer.answer(next.stream, "{}")
      peer.awaitEnd()
    }
    let driver = try Driver()
    let target = driver.http2Target(of: server)
    let id = driver.open(target, body: [[UInt8](repeating: 120, count: 1 << 20)])
    let outcome = try driver.end(id)
    #expect(outcome.fault == nil && outcome.status == 413 && !outcome.isRequestSent)
    driver.cancel(id)
    #expect(try driver.end(driver.open(target)).fault == nil)
    #expect(server.connections == 1)
  }

  /// Who leaves takes its stream along, and nobody else's.
  @Test func leavingResetsTheStream() throws {
    let resets = Mailbox<UInt32>()
    let server = ScriptedServer { server, peer, _ in
      guard peer.greet(), let first = peer.readStream(), let second = peer.readStream() else { return }
      server.countRequest()
      if let reset = peer.awaitFrame(Frame.Kind.reset) { resets.put(reset.stream) }
      peer.answer(second.stream, "\(first.stream)")
      peer.awaitEnd()
    }
    let driver = try Driver()
    let target = driver.http2Target(of: server)
    let first = driver.open(target)
    let second = driver.open(target)
    #expect(driver.run { server.requests == 1 })
    driver.cancel(first)
    #expect(resets.take() == 1)
    #expect(try driver.end(second).fault == nil)
    #expect(driver.held(second) == Array("1".utf8))
  }

  /// Of those that wait for a connection, one of a race takes it, and one that was given up does not.
  @Test func racesHoldOnSharedConnections() throws {
    let server = Self.echo()
    let driver = try Driver()
    let target = driver.http2Target(of: server)
    let ids = (0..<3).map { n in
      driver.open(target, race: n < 2 ? RaceID(1) : nil)
    }
    #expect(driver.upstream.abandon(ids[2]))
    let faults = try ids.map { try driver.end($0).fault }
    #expect(faults == [nil, .lostRace, .lostRace])
    #expect(server.requests == 1 && server.connections == 1)
  }

  /// A connection that is not to be had is so for all that wait for it.
  @Test func waitingForNothing() throws {
    let driver = try Driver()
    var spec = TransferTarget(url: "http://127.0.0.1:\(ScriptedServer.closedPort())/")
    spec.versions = .http2
    let target = driver.upstream.prepare(spec)
    let ids = (0..<3).map { _ in driver.open(target) }
    driver.cancel(ids[0])
    for id in ids[1...] { #expect(try driver.end(id).fault == .couldNotConnect) }
    #expect(driver.watched.isEmpty)
    let late = driver.open(target)
    driver.cancel(late)
    #expect(driver.watched.isEmpty)
  }

  /// What TLS agrees on is what is spoken; who waited for HTTP/2 and finds HTTP/1.1 makes its own connection.
  @Test(arguments: [true, false]) func whatIsAgreedOnIsSpoken(_ offersHTTP2: Bool) throws {
    let certificate = Certificate()
    let server = ScriptedServer(tls: ServerTLS(certificate, offersHTTP2: offersHTTP2)) { server, peer, _ in
      if offersHTTP2 {
        guard peer.greet() else { return }
        while let request = peer.readStream() { peer.answer(request.stream, "{}") }
      } else {
        while peer.readRequest() != nil { peer.answer("{}") }
      }
    }
    let driver = try Driver(trusting: certificate)
    let target = driver.target(server.url)
    let ids = (0..<4).map { _ in driver.open(target) }
    for id in ids {
      #expect(try driver.end(id).fault == nil)
      #expect(driver.head(id).hasPrefix(offersHTTP2 ? "HTTP/2 200" : "HTTP/1.1 200"))
    }
    #expect(server.connections == (offersHTTP2 ? 1 : 4))
    var only = TransferTarget(url: server.url)
    only.versions = .http2
    let id = driver.open(driver.upstream.prepare(only))
    let outcome = try driver.end(id)
    #expect(outcome.fault == (offersHTTP2 ? nil : .tlsFailed))
  }
}
