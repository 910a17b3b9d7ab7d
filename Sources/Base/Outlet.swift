internal import CLinux

/// The way out to one client: its socket's write side and the bytes that the socket has not taken yet.
///
/// Bytes go to the socket at once while nothing is waiting; what it does not take is copied to `backlog` and
/// leaves in order with `flush()`. It does not own the descriptor: the connection closes it, after
/// `shutDown()`. The first failed write breaks the outlet for good, and later bytes are dropped.
package final class Outlet {
  private static var nothing: UnsafeRawBufferPointer { .init(start: nil, count: 0) }

  private let descriptor: Int32
  private var backlog = ByteBuffer()
  /// Bytes accepted by the kernel since the start.
  package private(set) var sent: UInt64 = 0
  package private(set) var isBroken = false
  /// Bytes that it was given have not reached the kernel and never will.
  package private(set) var hasDropped = false

  package init(descriptor: Int32) { self.descriptor = descriptor }

  /// Bytes wait for the socket: the producer should pause, and the loop should watch for writability.
  package var isBlocked: Bool { !backlog.isEmpty }
  package var backlogCount: Int { backlog.count }

  /// Sends up to three pieces in one call, in order. All of them are taken: sent, kept or (broken) dropped.
  package func write(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer = nothing,
    _ third: UnsafeRawBufferPointer = nothing
  ) {
    if isBroken {
      hasDropped = true
      return
    }
    var taken = 0
    if backlog.isEmpty { taken = send(first, second, third) }
    if isBroken { return }
    keep(first, &taken)
    keep(second, &taken)
    keep(third, &taken)
  }

  /// Copies what the kernel did not take of one piece; `taken` counts down over the pieces.
  private func keep(_ piece: UnsafeRawBufferPointer, _ taken: inout Int) {
    if taken >= piece.count {
      taken -= piece.count
    } else {
      backlog.append(UnsafeRawBufferPointer(rebasing: piece[taken...]))
      taken = 0
    }
  }

  package func write(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBufferPointer { write(UnsafeRawBufferPointer($0)) }
  }

  /// Sends what waits. True when nothing waits any more (or the outlet is broken).
  @discardableResult package func flush() -> Bool {
    while !isBroken, !backlog.isEmpty {
      let taken = backlog.withBytes { bytes in
        bytes.withUnsafeBufferPointer { send(UnsafeRawBufferPointer($0), Self.nothing, Self.nothing) }
      }
      if taken == 0 { break }
      backlog.consume(taken)
    }
    if isBroken || backlog.isEmpty {
      backlog.recycle(keeping: 0)
      return true
    }
    return false
  }

  /// Drops what waits and takes nothing more: the descriptor is about to be closed.
  package func shutDown() {
    if !backlog.isEmpty { hasDropped = true }
    isBroken = true
    backlog.release()
  }

  /// One sendmsg(2) of the pieces; 0 when the socket is full. MSG_NOSIGNAL: a closed peer is EPIPE, not SIGPIPE.
  private func send(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ c: UnsafeRawBufferPointer)
    -> Int
  {
    // Lifetime: sendmsg only reads the pieces, during the call.
    var vectors = (
      iovec(iov_base: UnsafeMutableRawPointer(mutating: a.baseAddress), iov_len: a.count),
      iovec(iov_base: UnsafeMutableRawPointer(mutating: b.baseAddress), iov_len: b.count),
      iovec(iov_base: UnsafeMutableRawPointer(mutating: c.baseAddress), iov_len: c.count)
    )
    let total = a.count + b.count + c.count
    if total == 0 { return 0 }
    while true {
      let n = withUnsafeMutableBytes(of: &vectors) { raw in
        var message = msghdr()
        message.msg_iov = raw.baseAddress!.assumingMemoryBound(to: iovec.self)
        message.msg_iovlen = 3
        return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
      }
      if n >= 0 {
        sent &+= UInt64(n)
        return n
      }
      switch linux_errno() {
      case EINTR: continue
      case EAGAIN: return 0
      default:
        isBroken = true
        hasDropped = true
        backlog.release()
        return 0
      }
    }
  }
}
