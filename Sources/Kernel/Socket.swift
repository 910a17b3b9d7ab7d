package import Base
internal import CLinux

/// What a read from a socket gave.
package enum Received: Equatable, Sendable {
  case received(Int)
  case wouldBlock
  /// The peer has shut down its writing side; it may still read.
  case endOfStream
  /// The connection is gone: reset, timed out, unreachable.
  case reset
}

/// What a write to a socket gave.
package enum Sent: Equatable, Sendable {
  case sent(Int)
  case wouldBlock
  case broken
}

/// The calls on a stream socket. None of them blocks, none raises SIGPIPE.
package enum Socket {
  /// Reads at most `room` bytes behind what the buffer holds.
  package static func receive(_ descriptor: Int32, into buffer: inout ByteBuffer, room: Int) -> Received {
    precondition(room > 0)
    var result = Received.wouldBlock
    _ = buffer.fill(room: room) { free in
      while true {
        // Lifetime: the kernel writes into the buffer's free bytes during the call only.
        let n = recv(descriptor, free.baseAddress!, min(room, free.count), Int32(MSG_DONTWAIT))
        if n > 0 {
          result = .received(n)
          return n
        }
        if n == 0 {
          result = .endOfStream
          return 0
        }
        switch linux_errno() {
        case EINTR: continue
        case EAGAIN: result = .wouldBlock
        default: result = .reset
        }
        return 0
      }
    }
    return result
  }

  /// One send(2). What the socket did not take is the caller's to keep; `WriteBuffer` does both.
  package static func send(_ descriptor: Int32, _ bytes: Span<UInt8>) -> Sent {
    if bytes.isEmpty { return .sent(0) }
    return bytes.withUnsafeBufferPointer { pointer in
      while true {
        // Lifetime: the kernel only reads the bytes, during the call.
        let n = CLinux.send(
          descriptor, pointer.baseAddress!, pointer.count,
          Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        if n >= 0 { return .sent(n) }
        switch linux_errno() {
        case EINTR: continue
        case EAGAIN: return .wouldBlock
        default: return .broken
        }
      }
    }
  }

  /// Tells the peer that nothing more comes; reading goes on.
  package static func shutdownWrite(_ descriptor: Int32) {
    _ = shutdown(descriptor, Int32(SHUT_WR))
  }

  /// The next close sends a reset in place of a clean end.
  package static func resetOnClose(_ descriptor: Int32) {
    var linger = linger(l_onoff: 1, l_linger: 0)
    _ = setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
  }

  /// Starts to connect. Watch the descriptor for writing, then ask `connectOutcome`; a unix socket is ready
  /// at once, and watching it does no harm.
  package static func connect(to address: SocketAddress) throws(KernelFault) -> Descriptor {
    let raw = linux_stream_socket(address.family)
    guard raw >= 0 else { throw KernelFault(.socket, address.text) }
    let socket = Descriptor(owning: raw)
    if !address.isUnix { _ = linux_set_option(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
    var target = address.raw
    if linux_connect(raw, &target) < 0, linux_errno() != EINPROGRESS, linux_errno() != EINTR {
      throw KernelFault(.connect, address.text)
    }
    return socket
  }

  /// Nil when a started connect has succeeded, else its fault. Ask once the descriptor is writable.
  package static func connectOutcome(_ descriptor: Int32, to address: SocketAddress) -> KernelFault? {
    let code = linux_option(descriptor, SOL_SOCKET, SO_ERROR)
    if code == 0 { return nil }
    return KernelFault(.connect, address.text, code: code < 0 ? linux_errno() : code)
  }
}
