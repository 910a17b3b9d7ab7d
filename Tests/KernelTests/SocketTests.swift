import Base
import Glibc
import Kernel
import TestSupport
import Testing

/// Waits until a descriptor is ready for `interest`, and gives the event.
private func awaitReady(_ descriptor: Int32, _ interest: Interest) throws -> PolledEvent {
  let poller = try Poller()
  let events = PolledEvents(capacity: 1)
  try poller.add(descriptor, interest, token: Token(bits: 0))
  while events.count == 0 { try poller.wait(timeout: nil, into: events) }
  return events[0]
}

private struct NotAccepted: Error {}

private func acceptOne(_ listener: Listener) throws -> Descriptor {
  _ = try awaitReady(listener.descriptor, .read)
  switch listener.accept() {
  case .accepted(let descriptor, _): return descriptor
  default: throw NotAccepted()
  }
}

private func option(_ raw: Int32, _ level: Int32, _ name: Int32) -> Int32 {
  var value: Int32 = -1
  var n = socklen_t(4)
  _ = getsockopt(raw, level, name, &value, &n)
  return value
}

@Suite struct AddressTests {
  @Test(arguments: [
    ("127.0.0.1", "127.0.0.1:80", true), ("localhost", "127.0.0.1:80", true), ("::1", "[::1]:80", true),
    ("0.0.0.0", "0.0.0.0:80", false), ("::", "[::]:80", false), ("127.9.9.9", "127.9.9.9:80", true),
    ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]:80", true), ("192.0.2.1", "192.0.2.1:80", false),
  ])
  func numericHosts(host: String, text: String, isLoopback: Bool) throws {
    let address = try SocketAddress(host: host, port: 80)
    #expect(address.text == text)
    #expect(address.isLoopback == isLoopback)
    #expect(address.port == 80)
    #expect(!address.isUnix)
  }

  @Test(arguments: ["", "example.org", "[::1]", "1.2.3.4.5", "127.0.0.1:80", "::g"])
  func namesAreNotResolved(host: String) {
    #expect(throws: KernelFault(.resolve, host, code: EINVAL)) { try SocketAddress(host: host, port: 1) }
  }

  @Test func aNameThatIsNoneIsNamed() {
    let fault = #expect(throws: KernelFault.self) { try SocketAddress(resolving: "a..b", port: 1) }
    #expect(fault?.text == "cannot find the address of a..b: DNS does not know it, or does not answer")
  }

  @Test func unixPathsHaveABound() throws {
    #expect(try SocketAddress(unix: String(repeating: "a", count: 107)).isUnix)
    #expect(try SocketAddress(unix: "@name").isLoopback)
    for path in ["", "@", String(repeating: "a", count: 108)] {
      let fault = #expect(throws: KernelFault.self) { try SocketAddress(unix: path) }
      #expect(fault?.code == ENAMETOOLONG)
    }
  }
}

@Suite struct SocketTests {
  @Test(arguments: ["127.0.0.1", "::1"])
  func tcpFromConnectToEnd(host: String) throws {
    let listener = try Listener(host: host, port: 0)
    #expect(listener.address.port != 0)
    #expect(listener.text == listener.address.text)
    guard case .wouldBlock = listener.accept() else {
      Issue.record("nobody has connected yet")
      return
    }
    let client = try Socket.connect(to: listener.address)
    #expect(try awaitReady(client.raw, .write).writable)
    #expect(Socket.connectOutcome(client.raw, to: listener.address) == nil)
    let server = try acceptOne(listener)
    for raw in [client.raw, server.raw] {
      #expect(option(raw, Int32(IPPROTO_TCP), TCP_NODELAY) != 0)
      #expect(fcntl(raw, F_GETFL) & O_NONBLOCK != 0)
      #expect(fcntl(raw, F_GETFD) & FD_CLOEXEC != 0)
    }

    var buffer = ByteBuffer()
    #expect(Socket.receive(server.raw, into: &buffer, room: 2) == .wouldBlock)
    #expect(Socket.send(client.raw, [1, 2, 3].span) == .sent(3))
    Socket.shutdownWrite(client.raw)
    _ = try awaitReady(server.raw, .peerClosed)
    #expect(Socket.receive(server.raw, into: &buffer, room: 2) == .received(2))
    #expect(Socket.receive(server.raw, into: &buffer, room: 2) == .received(1))
    #expect(Socket.receive(server.raw, into: &buffer, room: 2) == .endOfStream)
    #expect(buffer.withBytes { $0.equals([1, 2, 3].span) })

    // A half-closed client still reads.
    #expect(Socket.send(server.raw, [4].span) == .sent(1))
    _ = try awaitReady(client.raw, .read)
    #expect(Socket.receive(client.raw, into: &buffer, room: 9) == .received(1))

    Socket.resetOnClose(server.raw)
    close(server.take())
    _ = try awaitReady(client.raw, .read)
    #expect(Socket.receive(client.raw, into: &buffer, room: 9) == .reset)
    #expect(Socket.send(client.raw, [5].span) == .broken)
    _ = consume client
  }

  @Test func aFullSocketWouldBlock() throws {
    let pair = Pair()
    let block = [UInt8](repeating: 7, count: 1 << 16)
    var total = 0
    loop: while true {
      switch Socket.send(pair.a, block.span) {
      case .sent(let n): total += n
      case .wouldBlock: break loop
      case .broken:
        Issue.record("broken")
        return
      }
    }
    #expect(total > 0)
  }

  @Test(arguments: ["/nowhere/x.sock", "@nowhere-\(getpid())", "/" + String(repeating: "x", count: 106)])
  func aSocketThatIsNotThereIsNamed(path: String) throws {
    let address = try SocketAddress(unix: path)
    #expect(address.text == "unix:\(path)")
    do throws(KernelFault) {
      _ = try Socket.connect(to: address)
      Issue.record("nobody listens there")
    } catch {
      #expect(error.text.hasPrefix("cannot connect to unix:\(path): "))
    }
  }

  @Test func refusedConnectIsNamed() throws {
    let listener = try Listener(host: "127.0.0.1", port: 0)
    let address = listener.address
    _ = consume listener
    do {
      let client = try Socket.connect(to: address)
      _ = try awaitReady(client.raw, .write)
      let fault = Socket.connectOutcome(client.raw, to: address)
      #expect(fault == KernelFault(.connect, address.text, code: ECONNREFUSED))
      #expect(fault?.text.contains("nothing listens there") == true)
    } catch let fault as KernelFault {
      #expect(fault.code == ECONNREFUSED)
    }
  }

  @Test func portInUseIsNamedWithAdvice() throws {
    let first = try Listener(host: "127.0.0.1", port: 0)
    let fault = #expect(throws: KernelFault.self) {
      try Listener(host: "127.0.0.1", port: first.address.port)
    }
    #expect(fault?.code == EADDRINUSE)
    #expect(fault?.text.hasPrefix("cannot listen on \(first.text): ") == true)
    #expect(fault?.text.contains("port in use") == true)
  }

  @Test func bothFamiliesShareAPort() throws {
    let six = try Listener(host: "::", port: 0)
    let four = try Listener(host: "0.0.0.0", port: six.address.port)
    #expect(four.address.port == six.address.port)
  }

  @Test func inheritedListenerIsTakenOverAndOthersAreNot() throws {
    let original = try Listener(host: "127.0.0.1", port: 0)
    let copy = dup(original.descriptor)
    let taken = try Listener(inherited: copy)
    #expect(taken.address.port == original.address.port)
    #expect(fcntl(copy, F_GETFD) & FD_CLOEXEC != 0)
    let pair = Pair()
    #expect(throws: KernelFault(.inherit, "fd://\(pair.a)", code: EINVAL)) { try Listener(inherited: pair.a) }
    #expect(isOpen(pair.a))
    #expect(throws: KernelFault.self) { try Listener(inherited: 9_999) }
  }
}

@Suite struct UnixListenerTests {
  @Test func fileIsMadeWithItsModeAndGoesWithTheListener() throws {
    let path = scratchPath("mode")
    var facts = stat()
    do {
      let listener = try Listener(unix: path)
      #expect(listener.text == "unix:" + path)
      #expect(stat(path, &facts) == 0)
      #expect(facts.st_mode & 0o777 == 0o660)
      let client = try Socket.connect(to: listener.address)
      let server = try acceptOne(listener)
      #expect(Socket.send(client.raw, [1].span) == .sent(1))
      var buffer = ByteBuffer()
      _ = try awaitReady(server.raw, .read)
      #expect(Socket.receive(server.raw, into: &buffer, room: 5) == .received(1))
    }
    #expect(stat(path, &facts) != 0)
  }

  @Test func staleFileIsReplacedALiveOneIsNot() throws {
    let path = scratchPath("stale")
    // A socket file that outlived its listener: bound, listening, closed without unlink.
    let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    #expect(bound == 0 && listen(raw, 1) == 0)
    let busy = #expect(throws: KernelFault.self) { try Listener(unix: path) }
    #expect(busy?.code == EADDRINUSE)
    #expect(busy?.text.contains("another process listens on this socket") == true)
    close(raw)
    let listener = try Listener(unix: path)
    #expect(throws: KernelFault.self) { try Listener(unix: path) }
    _ = try Socket.connect(to: listener.address)
  }

  @Test func aPlainFileIsLeftAlone() throws {
    let path = scratchPath("plain")
    let file = open(path, O_CREAT | O_WRONLY, 0o600)
    close(file)
    defer { unlink(path) }
    let fault = #expect(throws: KernelFault.self) { try Listener(unix: path) }
    #expect(fault?.code == EEXIST)
    #expect(access(path, F_OK) == 0)
  }

  @Test func aSuccessorsFileIsNotRemoved() throws {
    let path = scratchPath("successor")
    var first: Listener? = try Listener(unix: path)
    #expect(first != nil)
    unlink(path)
    let second = try Listener(unix: path)
    first = nil
    #expect(access(path, F_OK) == 0)
    _ = try Socket.connect(to: second.address)
  }

  @Test(arguments: [
    ("/nonexistent-directory/s.sock", ENOENT), (String(repeating: "x", count: 200), ENAMETOOLONG),
  ])
  func pathsThatCannotBe(path: String, code: Int32) {
    let fault = #expect(throws: KernelFault.self) { try Listener(unix: path) }
    #expect(fault?.code == code)
    #expect(fault?.text.hasPrefix("cannot listen on unix:") == true)
  }
}
