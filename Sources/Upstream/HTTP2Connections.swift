internal import Base
internal import CLinux
internal import HTTP2
internal import Transport
internal import Wire

// Requests and answers on connections that several transfers share.
extension Upstream {
  // MARK: - Requests

  /// Begins a transfer's stream. The request leaves when the turn is over.
  func beginStream(_ slot: Slot, _ connection: Connection, _ session: HTTP2Session) {
    Destination.writeFields(of: slot.lent.bytes, isSecure: connection.transport.isSecure, into: &frame)
    let stream = frame.withMutableBytes {
      session.submit(tag: slot.index, head: $0, body: slot.segments, isOpen: slot.feeding.isOpen)
    }
    frame.recycle(keeping: Limits.keptSlotBuffer)
    slot.lent.removeAll()
    guard let stream else {
      end(slot, .localFault)
      return
    }
    slot.stream = stream
    slot.sentBefore = connection.sentBytes
    if slot.feeding.isOpen { feedingStreams.append(slot.id) }
    soil(connection)
  }

  /// Something may be to be sent.
  func soil(_ connection: Connection) {
    if connection.isDirty { return }
    connection.isDirty = true
    unflushed.append(connection)
  }

  /// Sends what the turn has brought.
  func flushConnections() {
    while let connection = unflushed.popLast() {
      connection.isDirty = false
      guard case .http2(let session) = connection.stage else { continue }
      flush(connection, session)
      settleFeeding(of: connection, session)
      takeEvents(connection, session)
      settle(connection, session)
    }
  }

  private func flush(_ connection: Connection, _ session: HTTP2Session) {
    repeat {
      while connection.outbox.count < Limits.outbox, let bytes = session.output() {
        connection.outbox.append(bytes)
      }
    } while !connection.outbox.isEmpty && sendOutbox(connection)
    connection.outbox.recycle(keeping: connection.outbox.isEmpty ? Limits.keptOutbox : .max)
    sockets.want(connection.outbox.isEmpty ? .read : [.read, .write], on: connection.descriptor)
  }

  /// False: the socket takes nothing more.
  private func sendOutbox(_ connection: Connection) -> Bool {
    let bytes = connection.outbox.unsafeBytes
    var piece = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    // Lifetime: the piece is read during the call.
    let sent = withUnsafePointer(to: &piece) {
      connection.transport.send(UnsafeBufferPointer(start: $0, count: 1))
    }
    switch sent {
    case .bytes(let count):
      connection.took(count)
      return true
    case .wouldBlock: return false
    case .failed:
      // Reading tells what has become of the connection.
      connection.outbox.removeAll()
      return false
    }
  }

  /// What has to be done once a turn's bytes are sent: the connection is of no more use, or it idles beside enough others.
  /// A provider may let it have no streams at all (RFC 9113 §5.1.2): each request would leave one behind.
  private func settle(_ connection: Connection, _ session: HTTP2Session) {
    if session.isBroken {
      lose(connection, .broken)
    } else if session.streamCount == 0, !connection.hasRoom || pool.sharesTooMany {
      pool.remove(connection)
      shut(connection)
    }
  }

  func sayGoodbye(_ connection: Connection, _ session: HTTP2Session) {
    session.sayGoodbye()
    flush(connection, session)
  }

  // MARK: - Answers

  /// A shared connection is ready.
  func hear(_ connection: Connection, _ session: HTTP2Session) {
    let received = connection.transport.receive(into: inbox)
    if received.count > 0 {
      connection.heardAt = now
      connection.pingedAt = nil
      // Lifetime: nothing is read into the inbox before all events have been taken.
      session.receive(UnsafeRawBufferPointer(rebasing: inbox[..<received.count]))
      takeEvents(connection, session)
    }
    soil(connection)
    if let end = received.end { lose(connection, .ended(end)) }
  }

  private func takeEvents(_ connection: Connection, _ session: HTTP2Session) {
    while let event = session.nextEvent() {
      let slot = rider(event, connection)
      switch event.fact {
      case .head, .openHead:
        // Behind the head: trailers, which are not relayed.
        if let slot, !slot.isHeadSeen {
          // Lifetime: the span is over the event's bytes and is not kept.
          slot.answer.parse(Span<UInt8>(_unsafeBytes: event.bytes))
          _ = takeHead(event.bytes, isWhole: true, slot)
        }
      case .headTooLong:
        if let slot {
          slot.say(Self.tooLong)
          end(slot, .protocolError)
        }
      case .data:
        // What other streams may bring does not wait for this one's client.
        session.tookIn(event.bytes.count)
        if let slot { takeData(event.bytes, slot, session) }
      case .end:
        if let slot {
          slot.bodyTaken = event.sent
          slot.isWhole = true
          if slot.pending.isEmpty { end(slot, nil) }
        }
      case .closed(let code):
        if let slot { streamClosed(slot, code: code, sent: event.sent) }
        if session.streamCount == 0 {
          connection.idleSince = now
          beginTidying()
        }
      case .goAway: connection.isClosing = true
      }
    }
  }

  /// The transfer that an event is about; nil: it has been given up.
  private func rider(_ event: HTTP2Event, _ connection: Connection) -> Slot? {
    guard event.stream > 0, Int(event.tag) < slots.count, let slot = slots[Int(event.tag)] else { return nil }
    return slot.connection === connection && slot.stream == event.stream && slot.phase == .running
      ? slot : nil
  }

  /// Bytes that the client has no room for wait, up to the stream's window.
  private func takeData(_ bytes: UnsafeRawBufferPointer, _ slot: Slot, _ session: HTTP2Session) {
    if slot.isPaused || !slot.pending.isEmpty || !relay(bytes, of: slot) {
      slot.pending.append(bytes)
    } else {
      session.passedOn(bytes.count, of: slot.stream)
    }
  }

  /// The client's socket has room again.
  func goOnStream(_ slot: Slot) {
    let count = slot.pending.count
    if count > 0 {
      guard relay(slot.pending.unsafeBytes, of: slot) else { return }
      sendRelayed()
      slot.pending.recycle(keeping: Limits.keptSlotBuffer)
      if let connection = slot.connection, case .http2(let session) = connection.stage {
        session.passedOn(count, of: slot.stream)
        soil(connection)
      }
    }
    if slot.isWhole { end(slot, nil) }
  }

  /// A stream is over before its answer was: the provider did not take it up, or gave it up.
  private func streamClosed(_ slot: Slot, code: UInt32, sent: Int) {
    slot.bodyTaken = sent
    if slot.isWhole { return }
    slot.connection = nil
    slot.say("The provider ended the stream: \(HTTP2Session.name(ofError: code))")
    if code == HTTP2Session.refusedStream {
      end(slot, .refusedStream)
    } else {
      end(slot, slot.isHeadSeen ? .closedEarly : .reset)
    }
  }

  // MARK: - The connection's end

  enum Loss {
    case ended(Transport.End)
    /// What came was not HTTP/2.
    case broken
    /// The other side does not answer, or its path was found dead.
    case silent
  }

  /// A connection is of no more use: what goes over it has failed, except for what is here already.
  func lose(_ connection: Connection, _ loss: Loss) {
    guard case .http2(let session) = connection.stage else { return }
    pool.remove(connection)
    if case .silent = loss { closeAtOnce(connection.descriptor) }
    for case let slot? in slots where slot.connection === connection && slot.phase == .running {
      slot.bodyTaken = max(slot.bodyTaken, session.sent(of: slot.stream))
      slot.connection = nil
      if !slot.isWhole { endLost(slot, loss) }
    }
    shut(connection)
  }

  private func endLost(_ slot: Slot, _ loss: Loss) {
    var error: Int32 = 0
    switch loss {
    case .ended(.closed), .ended(.cutOff): slot.say("it closed the connection before the answer's end")
    case .ended(.failed(let number)): error = number
    case .ended(.broken(let fault)): slot.say(fault.words(for: ""))
    case .broken:
      slot.say("what came is no HTTP/2 answer (RFC 9113)")
      end(slot, .protocolError)
      return
    case .silent: error = ETIMEDOUT
    }
    if error != 0 { slot.say(String(cString: strerror(error))) }
    if slot.firstByteAt == nil, slot.isReused {
      end(slot, .reusedConnectionDied, error: error)
    } else if slot.firstByteAt == nil || error != 0 {
      end(slot, .reset, error: error)
    } else {
      end(slot, .closedEarly)
    }
  }

  // MARK: - Silence

  /// When the first connection has been silent for long enough to be asked, or for too long after that.
  var pingsDue: Instant {
    var due = Instant.distantFuture
    pool.eachShared { due = min(due, $0.pingDue) }
    return due
  }

  /// Asks connections that have been silent whether they are there, and gives up those that did not answer.
  func ping() {
    var silent: [Connection] = []
    pool.eachShared { connection in
      guard connection.pingDue <= now, case .http2(let session) = connection.stage else { return }
      if connection.pingedAt != nil {
        silent.append(connection)
      } else {
        connection.pingedAt = now
        session.ping()
        soil(connection)
      }
    }
    for connection in silent { lose(connection, .silent) }
  }
}
