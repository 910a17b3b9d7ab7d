internal import Base
internal import CCurl
internal import CLinux
internal import Wire

// What the callbacks do: facts are noted here and acted on after the call into libcurl has returned.
extension Upstream {
  func noteInterest(_ what: Int32, on descriptor: Int32) {
    switch what {
    case CURL_POLL_IN: sockets.want(.read, on: descriptor)
    case CURL_POLL_OUT: sockets.want(.write, on: descriptor)
    case CURL_POLL_INOUT: sockets.want([.read, .write], on: descriptor)
    default: sockets.want([], on: descriptor)
    }
  }

  /// −1 disarms, 0 is the next turn (CURLMOPT_TIMERFUNCTION).
  func noteTimer(_ milliseconds: Int) {
    curlDue = milliseconds < 0 ? .distantFuture : now + .milliseconds(Int64(milliseconds))
  }

  func note(_ fact: TransferEvent.Fact, _ slot: Slot) {
    events.append(TransferEvent(transfer: slot.id, tag: slot.request.tag, fact: fact))
  }

  /// The connection stands and the request goes out next, unless this says no.
  ///
  /// 1. Parts of the body were sent before on a pooled connection that died: libcurl is about to send the
  /// request a second time, which might be billed twice. 2. Another transfer of the race was here first.
  /// 3. The request goes out.
  func connectionReady(_ slot: Slot, local: UInt16, remote: UInt16) -> Bool {
    // 1
    if isSecondTry(slot) { return false }
    // 2
    if slot.isAbandoned {
      slot.abort = .lostRace
      return false
    }
    if let race = slot.request.race, !slot.hasWonRace {
      if !wonRaces.insert(race).inserted {
        slot.abort = .lostRace
        return false
      }
      slot.hasWonRace = true
    }
    // 3
    slot.localPort = local
    slot.remotePort = remote
    let isFirst = slot.connectedAt == nil
    slot.connectedAt = now
    if isFirst { note(.connected(isReused: slot.isReused), slot) }
    return true
  }

  /// Notes that the transfer must end if body bytes would go out again. How many bytes of a lent body have gone
  /// is not known here: all of them count as sent.
  private func isSecondTry(_ slot: Slot) -> Bool {
    let mayHaveSent = slot.isBodyLent ? slot.bodySize > 0 : slot.bodyTaken > 0
    if slot.connectedAt == nil || !mayHaveSent { return false }
    slot.abort = .reusedConnectionDied
    return true
  }

  /// Copies the next body bytes to libcurl; 0 is the end.
  func giveBody(_ room: UnsafeMutableRawBufferPointer, _ slot: Slot) -> Int {
    var given = 0
    while given < room.count, slot.segment < slot.segments.count {
      let segment = slot.segments[slot.segment]
      let count = min(segment.count - slot.segmentOffset, room.count - given)
      // Lifetime: the caller of `open` keeps the segment in place until the transfer has ended.
      memcpy(room.baseAddress! + given, segment.baseAddress! + slot.segmentOffset, count)
      given += count
      slot.segmentOffset += count
      if slot.segmentOffset == segment.count {
        slot.segment += 1
        slot.segmentOffset = 0
      }
    }
    slot.bodyTaken += given
    return given
  }

  /// Makes the socket for a connection; −1 fails the attempt at this address.
  /// Lifetime: the address is libcurl's, for the length of this call.
  ///
  /// A dead path under an idle stream is found in 10 s + 3 × 3 s by keep-alive probes. TCP_USER_TIMEOUT would
  /// find it under unsent data too, but it also ends a connection whose peer holds its window shut while it
  /// answers every probe: a provider that is slow to read a large body. `Delivery` tells the two apart.
  func openSocket(_ address: UnsafeMutablePointer<curl_sockaddr>, _ slot: Slot) -> Int32 {
    if isSecondTry(slot) { return -1 }
    let descriptor = socket(
      address.pointee.family,
      address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
      address.pointee.protocol)
    if descriptor < 0 { return -1 }
    set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 10)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 3)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, 3)
    slot.socketsOpened += 1
    sockets.opened(
      descriptor, host: slot.host, opener: slot.id, remotePort: ccurl_remote_port(address),
      cookie: cookie(of: descriptor) ?? 0)
    return descriptor
  }

  /// libcurl is done with a socket. True: it is being handed over and stays open.
  func keepsOpen(_ descriptor: Int32) -> Bool {
    if descriptor == handover {
      handover = -1
      return true
    }
    sockets.closed(descriptor)
    return false
  }

  /// Takes note of the sockets of a transfer that libcurl has closed without the close callback: 7.88 does so
  /// with those that never became a connection (refused, timed out, second in Happy Eyeballs).
  func noteSilentCloses(of slot: Slot) {
    if slot.socketsOpened == 0 { return }
    for at in sockets.entries.indices
    where sockets.entries[at].isOpen && sockets.entries[at].opener == slot.id {
      if !isOurs(Int32(at)) { sockets.closed(Int32(at)) }
    }
  }

  /// The descriptor still is the socket that was opened for a connection, and not a client's that got the same
  /// number after it.
  func isOurs(_ descriptor: Int32) -> Bool {
    guard let entry = sockets[descriptor], entry.isOpen else { return false }
    return cookie(of: descriptor) == entry.cookie
  }

  /// SO_COOKIE (socket(7)); nil: no socket; 0 where the kernel does not know the option.
  private func cookie(of descriptor: Int32) -> UInt64? {
    var cookie: UInt64 = 0
    var length = socklen_t(MemoryLayout<UInt64>.size)
    // Lifetime: getsockopt writes into the local during the call.
    if getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 { return cookie }
    return linux_errno() == EBADF || linux_errno() == ENOTSOCK ? nil : 0
  }

  private func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    _ = setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Takes one line of a response head from libcurl, which lets more pass than a line of ours does.
  func takeForeignHeaderLine(_ line: UnsafeRawBufferPointer, _ slot: Slot) -> Bool {
    // Lifetime: the span is over libcurl's bytes and does not leave this function.
    let text = Span<UInt8>(_unsafeBytes: line)
    if !slot.isHeadSeen, !slot.speaksHTTP2, !text.hasPrefix("HTTP/2") {
      var at = 0
      if slot.framing.next(text, &at) == .malformed {
        slot.abort = .unusableHead
        return false
      }
    }
    return takeHeaderLine(line, slot)
  }

  /// Takes one line of a response head. False: the head is of no use, and the transfer is given up.
  ///
  /// 1. A line after the head is a trailer, which is not relayed. 2. A status line begins a head, also after
  /// an interim one. 3. An empty line ends it; an interim head (1xx) is forgotten.
  func takeHeaderLine(_ line: UnsafeRawBufferPointer, _ slot: Slot) -> Bool {
    // 1
    if slot.isHeadSeen { return true }
    if slot.firstByteAt == nil { slot.firstByteAt = now }
    if slot.head.count + line.count > Limits.upstreamHead {
      slot.abort = .unusableHead
      return false
    }
    // Lifetime: the span is over libcurl's bytes and does not leave this function.
    let text = Span<UInt8>(_unsafeBytes: line)
    // 2
    if text.hasPrefix("HTTP/") {
      slot.head.removeAll()
      slot.speaksHTTP2 = text.hasPrefix("HTTP/2")
      slot.status = Self.status(in: text)
    }
    slot.head.append(line)
    if line.count > 2 {
      if let isEventStream = ResponseHead.tellsEventStream(text) {
        slot.hasContentType = true
        slot.isEventStream = isEventStream
      }
      return true
    }
    // 3
    if slot.status >= 200 {
      slot.isHeadSeen = true
      note(.head(status: slot.status), slot)
    }
    return true
  }

  private static func status(in line: Span<UInt8>) -> Int {
    guard let space = line.firstIndex(of: UInt8(ascii: " ")), space + 4 <= line.count else { return 0 }
    return Int(line.extracting(space + 1..<space + 4).decimal ?? 0)
  }
}
