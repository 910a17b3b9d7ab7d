internal import Base
internal import CLinux

/// What one try to accept gave.
package enum Accepted: ~Copyable {
  case accepted(Descriptor, peer: SocketAddress)
  case wouldBlock
  /// EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection still waits. Stop accepting until something was closed,
  /// or a level-triggered loop spins.
  case outOfDescriptors
  /// This one connection is gone already; the next may be fine.
  case aborted
}

/// A listening stream socket, and the unix socket's file where it made one.
///
/// Accepted sockets do not block, are closed on exec, and have TCP_NODELAY: Linux copies it from the listener,
/// which saves a call for each.
package final class Listener {
  private let socket: Descriptor
  /// Where it listens, as the operator would write it; the real port where 0 was asked for.
  package let text: String
  package let address: SocketAddress
  /// A unix socket's file as it was after bind: only the same file is removed at the end.
  private let file: (path: String, device: UInt64, inode: UInt64)?

  package var descriptor: Int32 { socket.raw }

  private init(
    _ socket: consuming Descriptor, text: String?, file: (path: String, device: UInt64, inode: UInt64)?
  ) {
    var local = linux_address()
    _ = linux_local_address(socket.raw, &local)
    address = SocketAddress(local)
    self.text = text ?? address.text
    self.file = file
    self.socket = socket
  }

  deinit {
    guard let file else { return }
    var now = stat()
    if lstat(file.path, &now) == 0, UInt64(now.st_dev) == file.device, UInt64(now.st_ino) == file.inode {
      _ = unlink(file.path)
    }
  }

  /// Listens on a numeric IP address or `localhost`; port 0 takes any free one. An IPv6 listener takes IPv6
  /// only, so that `0.0.0.0` and `::` can stand side by side.
  package convenience init(host: String, port: UInt16, backlog: Int = Limits.backlog) throws(KernelFault) {
    let address = try SocketAddress(host: host, port: port)
    let text = address.text
    let raw = linux_stream_socket(address.family)
    guard raw >= 0 else { throw KernelFault(.socket, text) }
    let socket = Descriptor(owning: raw)
    _ = linux_set_option(raw, SOL_SOCKET, SO_REUSEADDR, 1)
    _ = linux_set_option(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    if address.family == AF_INET6 {
      _ = linux_set_option(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
    }
    var target = address.raw
    guard linux_bind(raw, &target) == 0 else { throw KernelFault(.bind, text) }
    guard listen(raw, Int32(backlog)) == 0 else { throw KernelFault(.listen, text) }
    self.init(socket, text: nil, file: nil)
  }

  /// Listens on a unix socket, mode 0660. A socket file that nobody listens on any more is replaced; anything
  /// else at that path is left alone and is a fault.
  package convenience init(unix path: String, backlog: Int = Limits.backlog) throws(KernelFault) {
    let address = try SocketAddress(unix: path)
    let text = "unix:" + path
    let raw = linux_stream_socket(AF_UNIX)
    guard raw >= 0 else { throw KernelFault(.socket, text) }
    let socket = Descriptor(owning: raw)
    var target = address.raw
    // The mode of the socket is the mode of its file, less the umask: never wider than wanted at any time.
    _ = fchmod(raw, 0o660)
    if linux_bind(raw, &target) < 0 {
      guard linux_errno() == EADDRINUSE else { throw KernelFault(.bind, text) }
      try Self.removeStale(path, address)
      guard linux_bind(raw, &target) == 0 else { throw KernelFault(.bind, text) }
    }
    let isAbstract = path.utf8.first == UInt8(ascii: "@")
    var made = stat()
    if !isAbstract {
      _ = chmod(path, 0o660)
      guard lstat(path, &made) == 0 else { throw KernelFault(.bind, text) }
    }
    guard listen(raw, Int32(backlog)) == 0 else { throw KernelFault(.listen, text) }
    self.init(
      socket, text: text, file: isAbstract ? nil : (path, UInt64(made.st_dev), UInt64(made.st_ino)))
  }

  /// Takes over a listening socket that the service manager opened. Its unix socket's file stays: it is the
  /// manager's.
  package convenience init(inherited raw: Int32) throws(KernelFault) {
    let text = "fd://\(raw)"
    guard linux_option(raw, SOL_SOCKET, SO_ACCEPTCONN) == 1,
      linux_option(raw, SOL_SOCKET, SO_TYPE) == Int32(SOCK_STREAM.rawValue)
    else { throw KernelFault(.inherit, text, code: EINVAL) }
    let socket = Descriptor(owning: raw)
    guard linux_set_nonblocking(raw) == 0, linux_set_cloexec(raw) == 0 else {
      throw KernelFault(.inherit, text)
    }
    _ = linux_set_option(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    self.init(socket, text: text, file: nil)
  }

  /// Removes a socket file that refuses connections.
  private static func removeStale(_ path: String, _ address: SocketAddress) throws(KernelFault) {
    let text = "unix:" + path
    var found = stat()
    if lstat(path, &found) == 0, found.st_mode & UInt32(S_IFMT) != UInt32(S_IFSOCK) {
      throw KernelFault(.bind, text, code: EEXIST)
    }
    do {
      // Connected, or its queue is full: somebody listens.
      _ = try Socket.connect(to: address)
    } catch {
      guard error.code == ECONNREFUSED || error.code == ENOENT else {
        throw KernelFault(.bind, text, code: EADDRINUSE)
      }
      _ = unlink(path)
      return
    }
    throw KernelFault(.bind, text, code: EADDRINUSE)
  }

  /// Takes one waiting connection. Call it a bounded number of times per turn (`Limits.acceptsPerTurn`).
  package func accept() -> Accepted {
    var peer = linux_address()
    while true {
      let raw = linux_accept(socket.raw, &peer)
      if raw >= 0 { return .accepted(Descriptor(owning: raw), peer: SocketAddress(peer)) }
      switch linux_errno() {
      case EINTR: continue
      case EAGAIN: return .wouldBlock
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .outOfDescriptors
      default: return .aborted
      }
    }
  }
}
