package import Base
internal import CLinux

/// How far bytes have come that were written to a connected socket, as the kernel tells it (tcp(7)).
///
/// Knows descriptors only, so that connections of every kind are judged alike.
package enum Delivery: Equatable, Sendable {
  /// The other side's kernel has everything that we wrote: silence now is thinking.
  case acknowledged(roundTrip: Interval)
  /// The other side is there and takes no more for now: its window is shut.
  case heldUp(roundTrip: Interval)
  /// Something of what we wrote is not acknowledged, and nothing else has been for that long.
  case unacknowledged(for: Interval, roundTrip: Interval)
  /// The same, and the kernel knows why (errno): no route, prohibited, unreachable.
  case failed(Int32)
  /// Not a connected socket of TCP or of this machine.
  case unknown

  /// Looks at a socket to which something was last written at `since`. `request`: bytes that were written from
  /// then on, at least; nil where that is not known.
  ///
  /// 1. Nothing waits. Only the queue's length says so: packets that this machine's own firewall, route or
  /// interface refused are not counted as out. 2. The window is shut, and the peer answers the kernel's probes.
  /// 3. An error that TCP itself takes for a hint (RFC 1122 §4.2.3.9) and that no acknowledgement has belied.
  /// 4. Silence since the kernel sent it: this thread may have been busy, and written later than it believes. Of several
  /// packets the kernel sends one more as a probe, soon, which looks like a later sending (RFC 8985 §7.2).
  /// 5. Or since the last acknowledgement: a host that hears nothing may still send, and what it sends
  /// acknowledges something. That counts only where part of the request is among it.
  package static func of(_ descriptor: Int32, since: Instant, request: Int?, now: Instant) -> Delivery {
    let waiting = linux_unacknowledged_bytes(descriptor)
    guard waiting >= 0, let info = tcpInfo(descriptor) else {
      // What is written to a socket of this machine has arrived.
      return isUnix(descriptor) ? .acknowledged(roundTrip: .zero) : .unknown
    }
    let roundTrip = Interval.microseconds(Int64(info.tcpi_rtt))
    if waiting == 0 { return .acknowledged(roundTrip: roundTrip) }  // 1
    if info.tcpi_unacked == 0, info.tcpi_probes < 2 {  // 2
      let window = linux_send_window(descriptor)
      if window < min(waiting, Int64(info.tcpi_snd_mss)) { return .heldUp(roundTrip: roundTrip) }
    }
    let fault = pendingError(descriptor)
    if fault != 0 { return .failed(fault) }  // 3
    var silence = now - since
    if info.tcpi_retransmits == 0, info.tcpi_probes == 0 {  // 4
      let probe = info.tcpi_unacked > 1 ? Limits.lossProbe : .zero
      silence = min(silence, .milliseconds(Int64(info.tcpi_last_data_sent)) + probe)
    }
    let isUnheard = request.map { waiting >= Int64($0) } ?? false
    if !isUnheard { silence = min(silence, .milliseconds(Int64(info.tcpi_last_ack_recv))) }  // 5
    return .unacknowledged(for: silence, roundTrip: roundTrip)
  }

  /// The round trip of a socket that is connected; nil: it is not.
  static func roundTrip(_ descriptor: Int32) -> Interval? {
    guard let info = tcpInfo(descriptor), info.tcpi_state == UInt8(TCP_ESTABLISHED) else { return nil }
    return .microseconds(Int64(info.tcpi_rtt))
  }

  private static func isUnix(_ descriptor: Int32) -> Bool {
    var domain: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // Lifetime: getsockopt writes into the local during the call.
    return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX
  }

  private static func tcpInfo(_ descriptor: Int32) -> tcp_info? {
    var info = tcp_info()
    var length = socklen_t(MemoryLayout<tcp_info>.size)
    // Lifetime: getsockopt writes into the local during the call.
    let result = withUnsafeMutablePointer(to: &info) {
      getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, $0, &length)
    }
    return result == 0 ? info : nil
  }

  /// SO_ERROR (socket(7)): the error that waits, or the last hint that came; reading takes it away.
  private static func pendingError(_ descriptor: Int32) -> Int32 {
    var error: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // Lifetime: as above.
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : 0
  }
}
