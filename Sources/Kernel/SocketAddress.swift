internal import CLinux

/// The address of a stream socket: IPv4, IPv6 or a unix socket.
package struct SocketAddress: Sendable {
  var raw: linux_address

  init(_ raw: linux_address) { self.raw = raw }

  /// A numeric IP address (v6 without brackets) or `localhost`, which means 127.0.0.1.
  package init(host: String, port: UInt16) throws(KernelFault) {
    var raw = linux_address()
    guard linux_resolve(host == "localhost" ? "127.0.0.1" : host, port, 0, &raw) == 0 else {
      throw KernelFault(.resolve, host, code: EINVAL)
    }
    self.raw = raw
  }

  /// A host name's first address. Asks the system's resolver and may block: not for the proxy's loop.
  package init(resolving host: String, port: UInt16) throws(KernelFault) {
    var raw = linux_address()
    guard linux_resolve(host, port, 1, &raw) == 0 else { throw KernelFault(.lookUp, host, code: EINVAL) }
    self.raw = raw
  }

  /// A unix socket's path; a leading `@` means the abstract namespace.
  package init(unix path: String) throws(KernelFault) {
    var raw = linux_address()
    var path = path
    let fits = path.withUTF8 { utf8 in
      // Lifetime: the path is copied into `raw` before the call returns.
      utf8.withMemoryRebound(to: CChar.self) { name -> Bool in
        guard let base = name.baseAddress, !name.isEmpty else { return false }
        let isAbstract = base[0] == CChar(UInt8(ascii: "@"))
        return isAbstract
          ? linux_unix_address(base + 1, name.count - 1, 1, &raw) == 0
          : linux_unix_address(base, name.count, 0, &raw) == 0
      }
    }
    guard fits else { throw KernelFault(.bind, "unix:" + path, code: ENAMETOOLONG) }
    self.raw = raw
  }

  var family: Int32 { Int32(raw.storage.ss_family) }

  package var isUnix: Bool { family == AF_UNIX }

  /// The peer is on this machine: 127.0.0.0/8, ::1 or a unix socket.
  package var isLoopback: Bool {
    var raw = raw
    return linux_is_loopback(&raw) != 0
  }

  /// 0 for a unix socket.
  package var port: UInt16 {
    var raw = raw
    return linux_port(&raw)
  }

  /// `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/x.sock`.
  package var text: String {
    var raw = raw
    let isUnix = isUnix
    let name = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 112) { room -> String? in
      // Lifetime: the text is copied into a String before the scratch memory goes.
      if isUnix {
        linux_unix_path(&raw, room.baseAddress!, room.count)
      } else if linux_host_text(&raw, room.baseAddress!, room.count) != 0 {
        return nil
      }
      return String(cString: room.baseAddress!)
    }
    guard let name else { return "an address of a family that is not known here" }
    if isUnix { return "unix:\(name)" }
    return family == AF_INET6 ? "[\(name)]:\(port)" : "\(name):\(port)"
  }
}
