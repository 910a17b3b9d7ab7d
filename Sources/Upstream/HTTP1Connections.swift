internal import Base
internal import CLinux
internal import Transport
internal import Wire

// Requests and answers on connections that one transfer has to itself at a time.
extension Upstream {
  func watch(_ slot: Slot, _ connection: Connection) {
    var interest: WatchInterest = slot.isPaused ? [] : .read
    if slot.isSending { interest.insert(.write) }
    sockets.want(interest, on: connection.descriptor)
  }

  /// Sends what the socket takes of head and body. A peer that takes no more may have answered already: then
  /// only reading goes on, and tells.
  func send(_ slot: Slot, _ connection: Connection) {
    while slot.isSending {
      switch sendOnce(slot, connection) {
      case .bytes(let count):
        slot.advance(by: count)
        noteRoom(slot)
      case .wouldBlock: return
      case .failed: slot.isSendBroken = true
      }
    }
  }

  private func sendOnce(_ slot: Slot, _ connection: Connection) -> Transport.Sent {
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
      add(slot.outgoing.unsafeBytes)
      return connection.transport.send(UnsafeBufferPointer(rebasing: pieces[..<count]))
    }
  }

  /// Reads once; what remains in the socket is told again by the poller.
  func receive(_ slot: Slot, _ connection: Connection) {
    let received = connection.transport.receive(into: inbox)
    connection.end = received.end
    if received.count > 0 {
      if slot.firstByteAt == nil { slot.firstByteAt = now }
      // Lifetime: nothing is read into the inbox before this is over.
      takeIn(UnsafeRawBufferPointer(rebasing: inbox[..<received.count]), slot)
    }
    heedEnd(slot, connection)
  }

  /// The end counts when all that came before it has been taken.
  private func heedEnd(_ slot: Slot, _ connection: Connection) {
    guard slot.phase == .running, !slot.isPaused, let end = connection.end else { return }
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
  func goOn(_ slot: Slot, _ connection: Connection) {
    if !slot.pending.isEmpty { takePending(slot) }
    guard slot.phase == .running, slot.connection === connection else { return }
    watch(slot, connection)
    heedEnd(slot, connection)
  }

  /// Takes in what was left over.
  private func takePending(_ slot: Slot) {
    // Lifetime: nothing is appended before this is over.
    let taken = take(slot.pending.unsafeBytes, slot)
    sendRelayed()
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
          if let connection = slot.connection { watch(slot, connection) }
          return piece.lowerBound
        }
        at = piece.upperBound
        piece = 0..<0
      }
      switch slot.framing.next(span, &at, head: &slot.answer) {
      case .head(let lines, let isWhole):
        if !takeHead(UnsafeRawBufferPointer(rebasing: bytes[lines]), isWhole: isWhole, slot) { return at }
      case .body(let range): piece = range
      case .needMore: return at
      case .complete:
        let isAtRest =
          at == bytes.count && !slot.isSending && !slot.isSendBroken && !slot.feeding.isOpen
          && slot.connection?.end == nil
        end(slot, nil, isAtRest: isAtRest && slot.framing.keepsConnection)
        return at
      case .malformed:
        slot.say("what came is no HTTP/1.1 answer (RFC 9112)")
        sayIfTLS(span.extracting(at..<span.count), slot)
        end(slot, .protocolError)
        return at
      }
    }
  }

  /// Nothing more will come.
  ///
  /// 1. The end of an answer that only this ends. 2. A pooled connection that was dead. 3. TLS: the server has thought
  /// better of the handshake, a certificate of ours for one. 4. A reset, or nothing at all. 5. Closed within the
  /// head, 6. within the body.
  private func lose(_ slot: Slot, _ ending: Transport.End) {
    if ending == .closed, slot.framing.isWholeAtClose {  // 1
      end(slot, nil)
      return
    }
    var error: Int32 = 0
    var isBroken = false
    switch ending {
    case .closed, .cutOff: slot.say("it closed the connection before the answer's end")
    case .failed(let number):
      error = number
      slot.say(String(cString: strerror(number)))
    case .broken(let fault):
      isBroken = true
      slot.say(fault.words(for: slot.connection?.transport.peerName ?? ""))
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
    end(slot, fault, error: error)
  }
}
