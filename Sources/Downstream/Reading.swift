internal import Base
internal import Exchange
internal import Kernel
internal import Policy
internal import Transport
internal import Wire

// How a connection's bytes become a request (RFC 9112 §2).
extension Downstream {
  /// Reads once and goes on as far as the bytes reach. Level-triggered polling brings the rest.
  func read(_ connection: Connection, now: Instant) {
    if connection.lane != nil { return goOn(connection, now: now) }
    let room = room(for: connection)
    guard mayRead(connection, room: room, now: now) else { return }
    if connection.requestLength > 0 { connection.inbound.reserve(room, total: connection.requestLength) }
    switch receive(connection, room: room) {
    case .received:
      advance(connection, now: now)
      if connection.hasSaidAll { endInput(connection) }
    case .wouldBlock:
      if connection.inbound.isEmpty { connection.inbound.recycle(keeping: Limits.keptBuffer) }
    case .endOfStream, .reset:
      close(connection)
    }
  }

  /// TLS' own word for the end came with the last bytes, and the poller need not tell of it again: what is not a whole
  /// request will not be one.
  private func endInput(_ connection: Connection) {
    switch connection.state {
    case .idle, .readingHead, .readingBody: close(connection)
    case .securing, .carrying, .answering, .flushing, .lingering, .closed: break
    }
  }

  /// A request begins with little: hundreds that come at once leave holes of that size in the heap.
  private func room(for connection: Connection) -> Int {
    if connection.transport.isSecure { return Limits.connectionRead }
    let missing = connection.requestLength - connection.inbound.count
    if missing > 0 { return min(missing, Limits.readPerTurn) }
    if connection.inbound.isEmpty { return Limits.firstRead }
    // A chunked body: as much again as has come.
    return max(Limits.keptBuffer, min(connection.inbound.count, Limits.readPerTurn))
  }

  /// Bytes that come while an answer is made: the next request of a pipelining client. They are read up to a
  /// bound, then left to the kernel.
  func readAhead(_ connection: Connection) {
    guard connection.inbound.count < Limits.readPerTurn else {
      watch(connection, connection.interest.subtracting(.read))
      return
    }
    switch receive(connection, room: Limits.keptBuffer) {
    case .received, .wouldBlock, .endOfStream: break
    case .reset: close(connection)
    }
  }

  /// What is read away is not looked at, so it need not be decrypted either.
  func readAway(_ connection: Connection) {
    for _ in 0..<16 {
      switch Socket.receive(connection.raw, into: &connection.inbound, room: Limits.readPerTurn) {
      case .received: connection.inbound.removeAll()
      case .wouldBlock:
        connection.inbound.release()
        return
      case .endOfStream, .reset:
        close(connection)
        return
      }
    }
    connection.inbound.release()
  }

  /// Goes on with the bytes that have come: head, then body, then whoever answers.
  func advance(_ connection: Connection, now: Instant) {
    switch connection.state {
    case .idle, .readingHead: advanceHead(connection, now: now)
    case .readingBody: advanceBody(connection, now: now)
    case .securing, .carrying, .answering, .flushing, .lingering, .closed: break
    }
  }

  private func advanceHead(_ connection: Connection, now: Instant) {
    let progress: HeadProgress
    switch preface(connection) {
    case .whole: return carry(connection, now: now)
    case .begun: return awaitHead(connection, now: now)
    case .other: break
    }
    do throws(WireFault) {
      progress = try connection.inbound.withBytes { bytes throws(WireFault) in
        try connection.parser.parse(bytes)
      }
    } catch {
      refuse(connection, LocalError(error))
      return
    }
    switch progress {
    case .needMore: awaitHead(connection, now: now)
    case .complete:
      connection.keepsAlive = connection.parser.head.keepAlive
      if let refusal = examine(connection, now: now) {
        refuseUnread(connection, refusal)
        return
      }
      startBody(connection, now: now)
    }
  }

  private func awaitHead(_ connection: Connection, now: Instant) {
    if case .idle = connection.state, !connection.inbound.isEmpty {
      connection.state = .readingHead
      timers.arm(Int(connection.id.slot), at: now + Limits.headTime)
    }
  }

  private func startBody(_ connection: Connection, now: Instant) {
    if connection.access.isPassedOn {
      startFeed(connection)
      return
    }
    let headLength = connection.parser.head.headLength
    switch connection.parser.head.framing {
    case .none:
      connection.requestLength = headLength
      complete(connection)
      return
    case .length(let length):
      if length > limits.requestBody {
        refuse(connection, .requestTooLarge(limit: limits.requestBody))
        return
      }
      connection.requestLength = headLength + length
    case .chunked:
      connection.decoder = ChunkedDecoder(limit: limits.requestBody)
    }
    connection.state = .readingBody
    let isMissing = connection.inbound.count < max(connection.requestLength, headLength + 1)
    if connection.parser.head.expectsContinue, isMissing {
      connection.sink.goOn()
    }
    advanceBody(connection, now: now)
  }

  private func advanceBody(_ connection: Connection, now: Instant) {
    let headLength = connection.parser.head.headLength
    switch connection.parser.head.framing {
    case .none: break
    case .length:
      if connection.inbound.count < connection.requestLength {
        noteUpload(connection, bytes: connection.inbound.count - headLength, now: now)
        return
      }
    case .chunked:
      do throws(WireFault) {
        switch try connection.decoder.decode(&connection.inbound, behind: headLength) {
        case .finished: connection.requestLength = headLength + connection.decoder.bodyCount
        case .needMore:
          noteUpload(connection, bytes: connection.inbound.count - headLength, now: now)
          return
        }
      } catch {
        refuse(connection, LocalError(error))
        return
      }
    }
    guard finishUpload(connection, bytes: connection.requestLength - headLength) else {
      refuseUnread(connection, .memoryFull)
      return
    }
    complete(connection)
  }

  func complete(_ connection: Connection) {
    timers.disarm(Int(connection.id.slot))
    connection.state = .answering
    if connection.isHalfClosed {
      // The end of its stream stays readable; it is found again when this answer is sent.
      watch(connection, connection.interest.subtracting([.read, .peerClosed]))
      connection.askWhetherPeerReads()
    }
    events.append(.request(connection.id))
  }

  /// Has it answered with an error; nothing of the connection's bytes is believed after one that closes.
  func refuse(_ connection: Connection, _ error: LocalError) {
    endUpload(connection)
    connection.reservation = nil
    timers.disarm(Int(connection.id.slot))
    connection.state = .answering
    connection.requestLength = min(connection.requestLength, connection.inbound.count)
    if error.row.closes { connection.keepsAlive = false }
    events.append(.refused(connection.id, error))
  }
}
