internal import Base
internal import CCurl
internal import CLinux
internal import Wire

// Lines: connections in the clear. libcurl makes them (look-up, Happy Eyeballs, time-outs) and hands the socket
// over when it stands; requests and answers then take the short way, HTTP/1.1 by the bytes. For a small request
// libcurl 7.88 took a third of all CPU time: it prints the head byte by byte, parses the URL, looks through its
// pool and polls twice. TLS, HTTP/2 and proxies stay with it altogether.
extension Upstream {
  // MARK: - Having a line

  /// Lets a new transfer use a pooled line, or begin to make one.
  func begin(onLine slot: Slot, _ target: Target) -> Bool {
    slot.host = target.host
    if !slot.request.needsFreshConnection, let descriptor = pooledLine(to: target.host) {
      work(now) {
        if connectionReady(slot, local: 0, remote: 0) {
          ride(descriptor, slot)
        } else {
          keepIdle(descriptor, host: target.host)
          endOnLine(slot, .lostRace)
        }
      }
      return true
    }
    guard let easy = handle(of: slot) else { return false }
    configure(toConnect: slot, easy, target)
    return start(slot, easy)
  }

  /// A line that idles and is not too old to be trusted; what is too old is closed.
  private func pooledLine(to host: Int32) -> Int32? {
    while let line = lines.take(host: host) {
      if now - line.since < Limits.idleLine { return line.descriptor }
      closeLine(line.descriptor)
    }
    return nil
  }

  /// libcurl has the connection: takes its socket, and sends the request. libcurl closes the connection when
  /// the handle leaves (CURLOPT_CONNECT_ONLY), which the close callback turns into handing over.
  func takeLine(_ slot: Slot) {
    let easy = slot.easy!
    handover = ccurl_active_socket(easy)
    let descriptor = handover
    _ = ccurl_info_size(easy, CURLINFO_CONNECT_TIME_T, &slot.connectTime)
    curl_multi_remove_handle(multi, easy)
    noteSilentCloses(of: slot)
    thinHandles(slot)
    if descriptor < 0 || handover >= 0 {
      handover = -1
      endOnLine(slot, .localFault)
      return
    }
    ride(descriptor, slot)
  }

  private func ride(_ descriptor: Int32, _ slot: Slot) {
    sockets.ride(descriptor, slot.id)
    slot.line = descriptor
    send(slot)
    watch(slot)
  }

  private func keepIdle(_ descriptor: Int32, host: Int32) {
    sockets.ride(descriptor, nil)
    sockets.want(.read, on: descriptor)
    lines.put(descriptor, host: host, now: now)
    if lines.count > Limits.pooledConnections, let oldest = lines.takeOldest() { closeLine(oldest) }
  }

  private func closeLine(_ descriptor: Int32) {
    sockets.closed(descriptor)
    _ = close(descriptor)
  }

  /// Closes an idle line; what the kernel has not delivered is thrown away with it.
  func dropLine(_ descriptor: Int32, host: Int32) {
    lines.remove(descriptor, host: host)
    closeAtOnce(descriptor)
    closeLine(descriptor)
  }

  /// Gives up the line of a transfer that is not over.
  func hangUp(_ slot: Slot) {
    closeLine(slot.line)
    slot.line = -1
  }

  // MARK: - Bytes

  /// A line is ready: for its transfer, or (idle) because its peer has closed it or speaks out of turn.
  func lineReady(_ descriptor: Int32, readable: Bool, writable: Bool, now: Instant) {
    guard let rider = sockets[descriptor]?.rider, let slot = live(rider), slot.line == descriptor else {
      if isSilent(descriptor) { return }
      lines.remove(descriptor, host: sockets[descriptor]!.host)
      closeLine(descriptor)
      return
    }
    work(now) {
      if writable, slot.isSending {
        send(slot)
        watch(slot)
      }
      if readable, !slot.isPaused { receive(slot) }
    }
  }

  /// Neither bytes nor an end wait: the event was meant for an earlier socket of that number.
  private func isSilent(_ descriptor: Int32) -> Bool {
    var byte: UInt8 = 0
    // Lifetime: recv writes into the local during the call.
    return recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) < 0 && linux_errno() == EAGAIN
  }

  private func watch(_ slot: Slot) {
    var interest: WatchInterest = slot.isPaused ? [] : .read
    if slot.isSending { interest.insert(.write) }
    sockets.want(interest, on: slot.line)
  }

  /// Sends what the socket takes of head and body. A peer that takes no more may have answered already: then
  /// only reading goes on, and tells.
  private func send(_ slot: Slot) {
    while slot.isSending {
      let sent = sendOnce(slot)
      if sent < 0 {
        switch linux_errno() {
        case EINTR: continue
        case EAGAIN: return
        default:
          slot.isSendBroken = true
          return
        }
      }
      slot.advance(by: sent)
    }
  }

  private func sendOnce(_ slot: Slot) -> Int {
    withUnsafeTemporaryAllocation(of: iovec.self, capacity: Limits.sendPieces) { pieces in
      // Lifetime: sendmsg only reads the pieces, during the call. The caller of `open` keeps the body's.
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
      var message = msghdr()
      message.msg_iov = pieces.baseAddress
      message.msg_iovlen = count
      return sendmsg(slot.line, &message, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
    }
  }

  /// Reads once; what remains in the socket is told again by the poller.
  private func receive(_ slot: Slot) {
    var count = 0
    repeat {
      count = recv(slot.line, inbox.baseAddress, inbox.count, Int32(MSG_DONTWAIT))
    } while count < 0 && linux_errno() == EINTR
    if count <= 0 {
      if count == 0 || linux_errno() != EAGAIN { lose(slot, error: count == 0 ? 0 : linux_errno()) }
      return
    }
    if slot.firstByteAt == nil { slot.firstByteAt = now }
    // Lifetime: nothing is read into the inbox before this is over.
    let bytes = UnsafeRawBufferPointer(rebasing: inbox[..<count])
    if !slot.pending.isEmpty {
      slot.pending.append(bytes)
      takePending(slot)
      return
    }
    let taken = take(bytes, slot)
    if slot.phase == .running, taken < count {
      slot.pending.append(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
    }
  }

  /// The client's socket has room again.
  func goOn(_ slot: Slot) {
    if !slot.pending.isEmpty { takePending(slot) }
    if slot.line >= 0 { watch(slot) }
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
          watch(slot)
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
        let isAtRest = at == bytes.count && !slot.isSending && !slot.isSendBroken
        endOnLine(slot, nil, keepsLine: isAtRest && slot.framing.keepsConnection)
        return at
      case .malformed:
        slot.say("The answer is not HTTP/1.1 as RFC 9112 has it")
        endOnLine(slot, .protocolError)
        return at
      }
    }
  }

  /// The peer has closed (no error), or the connection broke.
  ///
  /// 1. The end of an answer that only this ends. 2. A pooled connection that was dead. 3. A reset, or nothing at
  /// all. 4. Closed within the head, 5. within the body.
  private func lose(_ slot: Slot, error: Int32) {
    if error == 0, slot.framing.isWholeAtClose {  // 1
      endOnLine(slot, nil)
      return
    }
    let fault: TransferFault
    if slot.firstByteAt == nil, slot.isReused {  // 2
      fault = .reusedConnectionDied
    } else if error != 0 || slot.firstByteAt == nil {  // 3
      fault = .reset
    } else {
      fault = slot.isHeadSeen ? .closedEarly : .protocolError  // 4, 5
    }
    slot.say(error == 0 ? "Closed before the answer's end" : String(cString: strerror(error)))
    endOnLine(slot, fault, error: error)
  }

  private func endOnLine(
    _ slot: Slot, _ fault: TransferFault?, error: Int32 = 0, keepsLine: Bool = false
  ) {
    flushStaging()
    finishObserving(slot)
    let outcome = TransferOutcome(
      fault: slot.abort == .none ? fault : .init(slot.abort), status: slot.isHeadSeen ? slot.status : 0,
      received: slot.received,
      isRequestSent: slot.connectedAt != nil && !slot.isSendBroken && slot.bodyTaken >= slot.bodySize,
      isReused: slot.isReused, connectTime: .microseconds(slot.connectTime), handshakeTime: .zero, code: 0,
      systemError: error)
    if slot.line >= 0 {
      if keepsLine { keepIdle(slot.line, host: slot.host) } else { closeLine(slot.line) }
      slot.line = -1
    }
    slot.phase = .ended
    slot.segments.removeAll(keepingCapacity: true)
    note(.ended(outcome), slot)
  }
}
