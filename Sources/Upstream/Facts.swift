internal import Base
internal import CCurl
internal import CLinux
internal import Wire

// What libcurl's callbacks do: facts are noted here and acted on after the call into libcurl has returned.
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

  /// Makes the socket for a connection; −1 fails the attempt at this address.
  /// Lifetime: the address is libcurl's, for the length of this call.
  ///
  /// A dead path under an idle stream is found in 10 s + 3 × 3 s by keep-alive probes. TCP_USER_TIMEOUT would
  /// find it under unsent data too, but it also ends a connection whose peer holds its window shut while it
  /// answers every probe: a provider that is slow to read a large body. `Delivery` tells the two apart.
  func openSocket(_ address: UnsafeMutablePointer<curl_sockaddr>, of dial: Dial) -> Int32 {
    let descriptor = socket(
      address.pointee.family,
      address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
      address.pointee.protocol)
    if descriptor < 0 {
      dial.lacksDescriptors = linux_errno() == EMFILE || linux_errno() == ENFILE
      return -1
    }
    set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 10)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 3)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, 3)
    sockets.opened(descriptor, opener: dial.id, cookie: cookie(of: descriptor) ?? 0)
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

  /// Takes note of the sockets of a dial that libcurl has closed without the close callback: 7.88 does so
  /// with those that never became a connection (refused, timed out, second in Happy Eyeballs).
  func noteSilentCloses(of dial: Dial) {
    for at in sockets.entries.indices
    where sockets.entries[at].isOpen && sockets.entries[at].opener == dial.id {
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
}

// What a transfer has come to.
extension Upstream {
  func note(_ fact: TransferEvent.Fact, _ slot: Slot) {
    events.append(TransferEvent(transfer: slot.id, tag: slot.request.tag, fact: fact))
  }

  /// A connection stands, and the request goes out next, unless another transfer of its race was here first, or
  /// nobody waits for it any more (false).
  func mayCarry(_ slot: Slot) -> Bool {
    if slot.isAbandoned { return false }
    if let race = slot.request.race, !slot.hasWonRace {
      if !wonRaces.insert(race).inserted { return false }
      slot.hasWonRace = true
    }
    slot.connectedAt = now
    note(.connected(isReused: slot.isReused), slot)
    return true
  }

  /// Takes lines of a head, which `slot.answer` has read. False: it is too long, and the transfer is given up.
  ///
  /// 1. A head begins, also after an interim one. 2. It ends; an interim head (1xx) is forgotten.
  func takeHead(_ lines: UnsafeRawBufferPointer, isWhole: Bool, _ slot: Slot) -> Bool {
    if slot.firstByteAt == nil { slot.firstByteAt = now }
    if slot.answer.length > Limits.upstreamHead {
      slot.say(Self.tooLong)
      end(slot, .protocolError)
      return false
    }
    if slot.answer.length == lines.count { slot.head.removeAll() }  // 1
    slot.head.append(lines)
    // 2
    if isWhole, slot.status >= 200 || slot.status == 101 && slot.framing.request == .upgrade {
      slot.isHeadSeen = true
      slot.hasContentType = slot.answer.tellsEventStream != nil
      slot.isEventStream = slot.answer.tellsEventStream == true
      note(.head(status: slot.status), slot)
    }
    return true
  }

  static let tooLong = "The answer's head is too long"

  /// The stream has ended: what its last lines were counts too.
  func finishObserving(_ slot: Slot) {
    guard slot.isWatched else { return }
    let before = slot.observer.contentEvents
    slot.observer.finish()
    if slot.observer.contentEvents > before, slot.firstContentAt == nil {
      slot.firstContentAt = now
      slot.lastContentAt = now
      note(.content, slot)
    }
  }
}
