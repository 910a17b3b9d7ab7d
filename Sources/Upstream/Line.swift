internal import Base
internal import CLinux
internal import Transport
internal import Wire

/// A connection that libcurl has made and handed over, and on which synaxis speaks HTTP/1.1.
///
/// For a small request libcurl 7.88 took a third of all CPU time: it prints the head byte by byte, parses the URL,
/// looks through its pool and polls twice.
final class Line {
  var transport: Transport
  let host: Int32
  /// What was read behind the last byte; nil: it goes on.
  var end: Transport.End?
  /// The transfer that uses it; nil: it idles.
  var rider: TransferID?
  var idleSince = Instant.distantPast

  init(_ transport: consuming Transport, host: Int32) {
    self.transport = transport
    self.host = host
  }

  var descriptor: Int32 { transport.descriptor }
}

// What goes over a line.
extension Upstream {
  /// A line is ready: for its transfer, or while it idles.
  func lineReady(_ line: Line, readable: Bool, writable: Bool, now: Instant) {
    work(now) {
      guard let rider = line.rider, let slot = live(rider), slot.line === line else {
        stir(line)
        return
      }
      if !line.transport.isReady {
        shakeHands(slot, line)
        return
      }
      if writable, slot.isSending {
        send(slot, line)
        watch(slot, line)
      }
      if readable, !slot.isPaused { receive(slot, line) }
    }
  }

  func watch(_ slot: Slot, _ line: Line) {
    var interest: WatchInterest = slot.isPaused ? [] : .read
    if slot.isSending { interest.insert(.write) }
    sockets.want(interest, on: line.descriptor)
  }

  /// Sends what the socket takes of head and body. A peer that takes no more may have answered already: then
  /// only reading goes on, and tells.
  func send(_ slot: Slot, _ line: Line) {
    while slot.isSending {
      switch sendOnce(slot, line) {
      case .bytes(let count): slot.advance(by: count)
      case .wouldBlock: return
      case .failed: slot.isSendBroken = true
      }
    }
  }

  private func sendOnce(_ slot: Slot, _ line: Line) -> Transport.Sent {
    withUnsafeTemporaryAllocation(of: iovec.self, capacity: Limits.sendPieces) { pieces in
      // Lifetime: the pieces are only read, during the call. The caller of `open` keeps the body's.
      var count = 0
      func add(_ bytes: UnsafeRawBufferPointer) {
        if bytes.count == 0 || count == pieces.count { return }
        let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        pieces.initializeElement(at: count, to: iovec(iov_base: start, iov_len: bytes.count))
        count += 1
      }
      add(slot.lent.unsafeBytes)
      for at in slot.segment..<slot.segments.count {
        let skipped = at == slot.segment ? slot.segmentOffset : 0
        add(UnsafeRawBufferPointer(rebasing: slot.segments[at][skipped...]))
      }
      return line.transport.send(UnsafeBufferPointer(rebasing: pieces[..<count]))
    }
  }

  /// Reads once; what remains in the socket is told again by the poller.
  private func receive(_ slot: Slot, _ line: Line) {
    let received = line.transport.receive(into: inbox)
    line.end = received.end
    if received.count > 0 {
      if slot.firstByteAt == nil { slot.firstByteAt = now }
      // Lifetime: nothing is read into the inbox before this is over.
      takeIn(UnsafeRawBufferPointer(rebasing: inbox[..<received.count]), slot)
    }
    heedEnd(slot, line)
  }

  /// The end counts when all that came before it has been taken.
  private func heedEnd(_ slot: Slot, _ line: Line) {
    guard slot.phase == .running, !slot.isPaused, let end = line.end else { return }
    lose(slot, end)
  }

  private func takeIn(_ bytes: UnsafeRawBufferPointer, _ slot: Slot) {
    if !slot.pending.isEmpty {
      slot.pending.append(bytes)
      takePending(slot)
      return
    }
    let taken = take(bytes, slot)
    if slot.phase == .running, taken < bytes.count {
      slot.pending.append(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
    }
  }

  /// The client's socket has room again.
  func goOn(_ slot: Slot) {
    if !slot.pending.isEmpty { takePending(slot) }
    guard slot.phase == .running, let line = slot.line else { return }
    watch(slot, line)
    heedEnd(slot, line)
  }

  /// Takes in what was left over.
  private func takePending(_ slot: Slot) {
    // Lifetime: nothing is appended before this is over.
    let taken = take(slot.pending.unsafeBytes, slot)
    if slot.phase == .running { slot.pending.consume(taken) }
  }

  /// Takes bytes of the answer in and returns how many. What follows waits: half a line, or the client.
  private func take(_ bytes: UnsafeRawBufferPointer, _ slot: Slot) -> Int {
    // Lifetime: the span is over bytes that the caller keeps for this call.
    let span = Span<UInt8>(_unsafeBytes: bytes)
    var at = 0
    // A piece that was told from the rest before the client's socket was full.
    var piece = 0..<slot.owed
    while true {
      if !piece.isEmpty {
        slot.owed = 0
        if !relay(UnsafeRawBufferPointer(rebasing: bytes[piece]), of: slot) {
          slot.owed = piece.count
          if let line = slot.line { watch(slot, line) }
          return piece.lowerBound
        }
        at = piece.upperBound
        piece = 0..<0
      }
      switch slot.framing.next(span, &at) {
      case .line(let line):
        if !takeHeaderLine(UnsafeRawBufferPointer(rebasing: bytes[line]), slot) {
          endOnLine(slot, .protocolError)
          return at
        }
      case .body(let range): piece = range
      case .needMore: return at
      case .complete:
        let isAtRest = at == bytes.count && !slot.isSending && !slot.isSendBroken && slot.line?.end == nil
        endOnLine(slot, nil, keepsLine: isAtRest && slot.framing.keepsConnection)
        return at
      case .malformed:
        slot.say("what came is no HTTP/1.1 answer (RFC 9112)")
        sayIfTLS(span.extracting(at..<span.count), slot)
        endOnLine(slot, .protocolError)
        return at
      }
    }
  }

  /// Nothing more will come.
  ///
  /// 1. The end of an answer that only this ends. 2. A pooled connection that was dead. 3. TLS: the server has thought
  /// better of the handshake, a certificate of ours for one. 4. A reset, or nothing at all. 5. Closed within the
  /// head, 6. within the body.
  private func lose(_ slot: Slot, _ end: Transport.End) {
    if end == .closed, slot.framing.isWholeAtClose {  // 1
      endOnLine(slot, nil)
      return
    }
    var error: Int32 = 0
    var isBroken = false
    switch end {
    case .closed, .cutOff: slot.say("it closed the connection before the answer's end")
    case .failed(let number):
      error = number
      slot.say(String(cString: strerror(number)))
    case .broken(let fault):
      isBroken = true
      slot.say(fault.words(for: slot.line?.transport.peerName ?? ""))
    }
    slot.pending.withBytes { sayIfTLS($0, slot) }
    let fault: TransferFault
    if slot.firstByteAt == nil, slot.isReused {  // 2
      fault = .reusedConnectionDied
    } else if slot.firstByteAt == nil, isBroken {  // 3
      fault = .tlsFailed
    } else if error != 0 || slot.firstByteAt == nil {  // 4
      fault = .reset
    } else {
      fault = slot.isHeadSeen ? .closedEarly : .protocolError  // 5, 6
    }
    endOnLine(slot, fault, error: error)
  }

  func endOnLine(
    _ slot: Slot, _ fault: TransferFault?, error: Int32 = 0, keepsLine: Bool = false
  ) {
    flushStaging()
    finishObserving(slot)
    let outcome = TransferOutcome(
      fault: slot.abort == .none ? fault : .init(slot.abort), status: slot.isHeadSeen ? slot.status : 0,
      received: slot.received,
      isRequestSent: slot.connectedAt != nil && !slot.isSendBroken && slot.bodyTaken >= slot.bodySize,
      isReused: slot.isReused, connectTime: .microseconds(slot.connectTime),
      handshakeTime: slot.handshakeTime, code: 0, systemError: error)
    if let line = slot.line {
      line.transport.keepSession()
      if keepsLine { keepIdle(line) } else { hangUp(line) }
      slot.line = nil
    }
    slot.phase = .ended
    slot.segments.removeAll(keepingCapacity: true)
    note(.ended(outcome), slot)
  }
}
