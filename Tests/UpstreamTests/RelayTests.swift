import Base
import Glibc
import Testing
import Upstream
import Wire

private let streamHead =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
private let clientHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

private func chunk(_ text: String) -> String { String(text.utf8.count, radix: 16) + "\r\n\(text)\r\n" }

private func event(_ text: String) -> String {
  "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"}}]}\n\n"
}

extension Driver {
  @discardableResult func commit(
    _ id: TransferID, _ head: String, to client: Client, isChunked: Bool = true
  ) -> Int {
    var text = ByteBuffer()
    // The tests write their heads themselves: what the sink says of the framing is left out.
    client.sink.begin(.http11, length: isChunked ? nil : 0, in: &text)
    text.removeAll()
    text.append(head)
    let count = upstream.commit(id, head: &text, to: client.sink, now: Self.now)
    drain()
    return count
  }

  func resume(_ id: TransferID) {
    upstream.resume(id, now: Self.now)
    drain()
  }
}

@Suite struct RelayTests {
  @Test func headAndHeldBytesLeaveTogetherAndTheRestIsLive() throws {
    let goOn = Gate()
    let server = ScriptedServer { _, peer, _ in
      guard peer.readRequest() != nil else { return }
      peer.send(streamHead + chunk(event("a")) + chunk(event("b")))
      goOn.pass()
      peer.send(chunk(event("c")))
      goOn.pass()
      peer.send(chunk("data: [DONE]\n\n") + "0\r\n\r\n")
      peer.awaitEnd()
    }
    let driver = try Driver()
    let client = Client()
    let id = driver.open(driver.target(server.url))
    let held = event("a") + event("b")
    #expect(driver.run { driver.held(id).count == held.utf8.count })
    client.take()
    #expect(client.received.isEmpty)
    #expect(driver.commit(id, clientHead, to: client) == held.utf8.count)
    client.take()
    #expect(client.chunks(after: clientHead) == [Array(held.utf8)])
    #expect(driver.held(id).isEmpty)
    goOn.open()
    #expect(
      driver.run {
        client.take()
        return client.chunks(after: clientHead)?.count == 2
      })
    #expect(client.chunks(after: clientHead)?[1] == Array(event("c").utf8))
    goOn.open()
    #expect(try driver.end(id).fault == nil)
    client.take()
    let all = held + event("c") + "data: [DONE]\n\n"
    #expect(client.chunks(after: clientHead)?.flatMap { $0 } == Array(all.utf8))
    let progress = try #require(driver.upstream.progress(id))
    #expect(progress.received == UInt64(all.utf8.count))
    #expect(progress.forwarded == progress.received)
    #expect(progress.isEventStream)
  }

  @Test func contentIsToldApartFromCommentsAndEmptyDeltas() throws {
    let goOn = Gate()
    let server = ScriptedServer { _, peer, _ in
      guard peer.readRequest() != nil else { return }
      peer.send(streamHead + chunk(": keep-alive\n\n") + chunk(event("")))
      goOn.pass()
      peer.send(chunk(event("first")))
      goOn.pass()
      peer.send(chunk(": keep-alive\n\n"))
      goOn.pass()
      peer.send(chunk("data: [DONE]\n\n") + "0\r\n\r\n")
      peer.awaitEnd()
    }
    let driver = try Driver()
    let id = driver.open(driver.target(server.url))
    let before = ": keep-alive\n\n" + event("")
    #expect(driver.run { driver.held(id).count == before.utf8.count })
    #expect(!driver.hasContent(id))
    #expect(driver.upstream.progress(id)?.firstContentAt == nil)
    #expect(driver.upstream.progress(id)?.firstByteAt != nil)
    goOn.open()
    #expect(driver.run { driver.hasContent(id) })
    let content = driver.upstream.progress(id)?.lastContentAt
    #expect(content != nil)
    let count = driver.held(id).count
    goOn.open()
    #expect(driver.run { driver.held(id).count > count })
    #expect(driver.upstream.progress(id)?.lastContentAt == content)
    goOn.open()
    #expect(try driver.end(id).fault == nil)
    #expect(driver.upstream.withObserver(id) { $0.sawDone } == true)
    #expect(driver.log.count { if case .content = $0.fact { true } else { false } } == 1)
  }

  @Test func plainAnswersHaveNoObserver() throws {
    let server = TransferTests.plain()
    let driver = try Driver()
    let id = driver.open(driver.target(server.url))
    #expect(try driver.end(id).fault == nil)
    #expect(!driver.hasContent(id))
    #expect(driver.upstream.withObserver(id) { $0.sawDone } == nil)
    #expect(driver.upstream.progress(id)?.firstContentAt != nil)
  }

  @Test func burstIsWrittenInFewPieces() throws {
    let goOn = Gate()
    let events = (0..<200).map { event("token \($0)") }
    let server = ScriptedServer { _, peer, _ in
      guard peer.readRequest() != nil else { return }
      peer.send(streamHead)
      goOn.pass()
      peer.send(events.map(chunk).joined() + "0\r\n\r\n")
      peer.awaitEnd()
    }
    let driver = try Driver()
    let client = Client()
    let id = driver.open(driver.target(server.url))
    #expect(driver.run { driver.status(id) == 200 })
    #expect(driver.commit(id, clientHead, to: client) == 0)
    goOn.open()
    #expect(try driver.end(id).fault == nil)
    client.take()
    let chunks = try #require(client.chunks(after: clientHead))
    #expect(chunks.flatMap { $0 } == Array(events.joined().utf8))
    // One for each read, not 200.
    #expect(chunks.count <= 4)
  }

  @Test func plainAnswerIsCommittedAfterItsEnd() throws {
    let body = String(repeating: "x", count: 100_000)
    let server = TransferTests.plain(body)
    let driver = try Driver()
    let client = Client()
    let id = driver.open(driver.target(server.url))
    #expect(try driver.end(id).fault == nil)
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    #expect(driver.commit(id, head, to: client, isChunked: false) == 100_000)
    while client.output.isBlocked {
      client.take()
      client.output.flush()
    }
    client.take()
    #expect(client.received == Array((head + body).utf8))
  }

  /// A client that does not read stops the provider; what waits stays small, and nothing is lost.
  @Test(arguments: [true, false]) func backPressure(isChunked: Bool) throws {
    let block = (0..<65_537).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 11) }
    let body = [[UInt8]](repeating: block, count: 200).flatMap { $0 }
    let total = body.count
    let goOn = Gate()
    let server = ScriptedServer { _, peer, _ in
      guard peer.readRequest() != nil else { return }
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
      goOn.pass()
      peer.send(body)
      peer.awaitEnd()
    }
    let driver = try Driver()
    let client = Client(sendBuffer: 32 << 10)
    let id = driver.open(driver.target(server.url))
    #expect(driver.run { driver.status(id) == 200 })
    _ = driver.commit(id, clientHead, to: client, isChunked: isChunked)
    goOn.open()
    #expect(driver.run { driver.upstream.progress(id)!.isPaused && client.output.isBlocked })
    for _ in 0..<5 { driver.turn(1) }
    #expect(client.output.backlogCount <= 128 << 10)
    #expect(driver.upstream.progress(id)!.received < 256 << 10)
    var most = 0
    #expect(
      driver.run {
        client.take()
        if client.output.flush() { driver.resume(id) }
        most = max(most, client.output.backlogCount)
        return driver.outcome(id) != nil && !client.output.isBlocked
      })
    client.take()
    #expect(driver.outcome(id)?.fault == nil)
    #expect(most <= 128 << 10)
    if isChunked {
      #expect(client.chunks(after: clientHead)?.flatMap { $0 } == body)
    } else {
      #expect(client.received == Array(clientHead.utf8) + body)
    }
  }

  @Test func heldBytesAreBoundedAndGoOnAfterCommit() throws {
    let total = 3 << 20
    let server = ScriptedServer { _, peer, _ in
      guard peer.readRequest() != nil else { return }
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
      peer.send([UInt8](repeating: 7, count: total))
      peer.awaitEnd()
    }
    let driver = try Driver()
    let client = Client()
    let id = driver.open(driver.target(server.url))
    #expect(driver.run { driver.isHeldFull(id) })
    for _ in 0..<5 { driver.turn(1) }
    let held = driver.held(id).count
    #expect(held <= Limits.held && held > Limits.held - (32 << 10))
    #expect(driver.outcome(id) == nil)
    driver.resume(id)
    #expect(driver.held(id).count == held)
    #expect(driver.commit(id, clientHead, to: client, isChunked: false) == held)
    #expect(
      driver.run {
        client.take()
        if client.output.flush() { driver.resume(id) }
        return driver.outcome(id) != nil && !client.output.isBlocked
      })
    client.take()
    #expect(client.received.count == clientHead.utf8.count + total)
    #expect(driver.log.count { if case .heldFull = $0.fact { true } else { false } } == 1)
  }

  @Test func brokenBufferSwallowsTheRest() throws {
    let server = TransferTests.plain(String(repeating: "y", count: 200_000))
    let driver = try Driver()
    let client = Client()
    client.output.shutDown()
    let id = driver.open(driver.target(server.url))
    #expect(driver.run { driver.status(id) == 200 })
    _ = driver.commit(id, clientHead, to: client)
    #expect(try driver.end(id).fault == nil)
    client.take()
    #expect(client.received.isEmpty)
  }

  @Test func manyStreamsInterleaved() throws {
    let server = ScriptedServer { _, peer, number in
      guard let request = peer.readRequest() else { return }
      let name = String(decoding: request.body, as: UTF8.self)
      peer.send(streamHead)
      for i in 0..<50 { peer.send(chunk(event("\(name) \(i)"))) }
      peer.send("0\r\n\r\n")
      peer.awaitEnd()
    }
    let driver = try Driver()
    let target = driver.target(server.url)
    let streams = (0..<20).map { i in
      (id: driver.open(target, body: [Array("stream-\(i)".utf8)]), client: Client())
    }
    for (id, client) in streams {
      #expect(driver.run { driver.status(id) == 200 })
      _ = driver.commit(id, clientHead, to: client)
    }
    for (i, stream) in streams.enumerated() {
      #expect(try driver.end(stream.id).fault == nil)
      stream.client.take()
      let expected = (0..<50).map { event("stream-\(i) \($0)") }.joined()
      #expect(stream.client.chunks(after: clientHead)?.flatMap { $0 } == Array(expected.utf8))
    }
  }
}
