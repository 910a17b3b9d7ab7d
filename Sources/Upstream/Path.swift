package import Base
internal import CCurl
internal import CLinux

/// What the kernel knows about a transfer's way to its provider (TCP_INFO, tcp(7)).
///
/// Behind an HTTP proxy it is the way to the proxy.
package enum PathState: Equatable, Sendable {
  /// No address has answered: the name is being looked up, a SYN is out, or the transfer waits for another
  /// one's connection.
  case connecting
  /// TCP stands, the TLS handshake is not done.
  case handshaking(roundTrip: Interval)
  /// Bytes of the request have been out for at least the threshold without any acknowledgement.
  case unacknowledged(for: Interval)
  /// The other side's kernel has what we sent: silence now is thinking.
  case acknowledged(roundTrip: Interval)
  /// Not open, ended, or the connection could not be found.
  case unknown
}

extension Upstream {
  /// 1. Before the connection is ready, the best of the sockets that the transfer has opened tells. 2. After
  /// it, the connection's own: dead where bytes are out and the request was started at least `threshold` ago,
  /// and nothing of its body was acknowledged, 3. or the last acknowledgement of anything came as long ago.
  ///
  /// A host that hears nothing may still send: what it had sent before and misses the acknowledgement of comes
  /// again, and is an acknowledgement too. A zero window holds bytes back in the kernel without counting them
  /// as out, so a provider that reads slowly is not taken for a dead one.
  ///
  /// With a threshold of zero every silence is told, and the caller decides when to look again.
  package func pathState(_ id: TransferID, now: Instant, threshold: Interval) -> PathState {
    guard let slot = live(id), slot.phase == .running else { return .unknown }
    guard let connectedAt = slot.connectedAt else { return connectingState(id) }  // 1
    guard let descriptor = descriptor(of: slot), let info = tcpInfo(descriptor) else { return .unknown }
    if info.tcpi_unacked > 0 {
      var silence = now - connectedAt
      if !isUnheard(slot, descriptor) {  // 2
        silence = min(silence, .milliseconds(Int64(info.tcpi_last_ack_recv)))  // 3
      }
      if silence >= threshold { return .unacknowledged(for: silence) }
    }
    return .acknowledged(roundTrip: .microseconds(Int64(info.tcpi_rtt)))
  }

  /// No byte of the body was acknowledged. Where streams share a connection, others' bytes cannot be told from
  /// this one's.
  private func isUnheard(_ slot: Slot, _ descriptor: Int32) -> Bool {
    if sharesConnections, slot.target?.speaksHTTP2 ?? false { return false }
    return linux_unacknowledged_bytes(descriptor) > (slot.isBodyLent ? slot.bodySize : slot.bodyTaken)
  }

  private func connectingState(_ id: TransferID) -> PathState {
    for (descriptor, entry) in sockets.entries.enumerated() where entry.isOpen && entry.opener == id {
      if !isOurs(Int32(descriptor)) { continue }
      guard let info = tcpInfo(Int32(descriptor)), info.tcpi_state == UInt8(TCP_ESTABLISHED) else { continue }
      return .handshaking(roundTrip: .microseconds(Int64(info.tcpi_rtt)))
    }
    return .connecting
  }

  /// The socket that carries a transfer, found by the ports which libcurl told when the connection was
  /// ready: 7.88 names no descriptor during a transfer, and its socket callback is silent about a second
  /// transfer on an HTTP/2 connection.
  func descriptor(of slot: Slot) -> Int32? {
    if slot.connectedAt == nil { return nil }
    if slot.line >= 0 { return slot.line }
    if let entry = sockets[slot.descriptor], entry.isOpen, entry.localPort == slot.localPort,
      entry.remotePort == slot.remotePort
    {
      return slot.descriptor
    }
    for at in 0..<sockets.entries.count {
      let entry = sockets.entries[at]
      guard entry.isOpen, entry.remotePort == slot.remotePort else { continue }
      let descriptor = Int32(at)
      let port = entry.localPort != 0 ? entry.localPort : ccurl_local_port(descriptor)
      sockets.setLocalPort(port, of: descriptor)
      if port == slot.localPort, entry.host == slot.host {
        slot.descriptor = descriptor
        return descriptor
      }
    }
    return nil
  }

  private func tcpInfo(_ descriptor: Int32) -> tcp_info? {
    var info = tcp_info()
    var length = socklen_t(MemoryLayout<tcp_info>.size)
    // Lifetime: getsockopt writes into the local during the call.
    let result = withUnsafeMutablePointer(to: &info) {
      getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, $0, &length)
    }
    return result == 0 ? info : nil
  }
}

// A path that is dead: what leads the same way is of no use either.
extension Upstream {
  /// Closes the idle connections to the target's host: they lead where a path has just been found dead.
  ///
  /// libcurl has no call for it. A socket that is shut down is found dead before it is used again.
  package func dropConnections(of id: TargetID) {
    guard let target = targets[Int(id.index)] else { return }
    target.speaksHTTP2 = false
    var busy: [Int32] = []
    for slot in slots where slot.phase == .running && slot.host == target.host {
      if let descriptor = descriptor(of: slot) { busy.append(descriptor) }
    }
    dropLines(to: target.host)
    for (at, entry) in sockets.entries.enumerated() where entry.isOpen && entry.host == target.host {
      let isConnecting = live(entry.opener).map { $0.phase == .running && $0.connectedAt == nil } ?? false
      if !isConnecting, !busy.contains(Int32(at)), isOurs(Int32(at)) { shutOff(Int32(at)) }
    }
  }

  /// Makes a connection useless. What the kernel has not delivered is thrown away when the descriptor is
  /// closed: it would go on trying, and when the path comes back within a minute or two the provider would get a
  /// request that another one has answered.
  func shutOff(_ descriptor: Int32) {
    closeAtOnce(descriptor)
    _ = shutdown(descriptor, Int32(SHUT_RDWR))
    if sockets[descriptor]?.wanted.isEmpty == true { sockets.turnAway(descriptor) }
  }

  /// Lets a later close(2) be a reset, and drop what is on its way.
  func closeAtOnce(_ descriptor: Int32) {
    var atOnce = linger(l_onoff: 1, l_linger: 0)
    _ = setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &atOnce, socklen_t(MemoryLayout<linger>.size))
  }
}
