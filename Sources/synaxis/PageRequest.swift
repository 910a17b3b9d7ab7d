internal import Base
internal import CLinux
internal import Kernel
internal import Lab
internal import Transport
internal import Wire

/// One request to a running instance, for the commands: it blocks, and has a deadline.
struct PageRequest {
  enum Fault: Error {
    case connect(ConnectFault)
    case silent
    case cut
    case notHTTP
  }

  struct Answer: ~Copyable {
    var status: Int
    var body: ByteBuffer
  }

  let instance: Instance
  /// Whom TLS is spoken to; nil: it is in the clear.
  let peer: TLSPeer?

  /// Asks for a page, or for what a page does (POST without a body).
  func ask(_ method: StaticString, _ path: String, token: String?) throws(Fault) -> Answer {
    let socket = try connect()
    let deadline = Clock.instant() + Limits.pageTime
    let transport = try open(on: socket.raw, until: deadline)
    try send(head(method, path, token), on: transport, until: deadline)
    var bytes = ByteBuffer()
    while true {
      var end: Transport.End?
      _ = bytes.fill(room: Limits.loadRead) { free in
        // Lifetime: written to during the call only.
        let got = transport.receive(into: free)
        end = got.end
        return got.count
      }
      if bytes.count > Limits.pageAnswer { throw .notHTTP }
      switch end {
      case nil: try wait(socket.raw, Int16(POLLIN), until: deadline)
      case .closed: return try Self.read(&bytes)
      case .broken(let fault): throw .connect(.tls(fault, name: transport.peerName))
      case .cutOff, .failed: throw .cut
      }
    }
  }

  /// HTTP/1.0, so that the answer ends with the connection and is never chunked.
  private func head(_ method: StaticString, _ path: String, _ token: String?) -> ByteBuffer {
    var head = ByteBuffer()
    head.append(method)
    head.append(
      " \(instance.prefix)\(path) HTTP/1.0\r\nHost: \(instance.host)\r\nUser-Agent: synaxis-status\r\n")
    if let token { head.append("Authorization: Bearer \(token)\r\n") }
    if method.utf8CodeUnitCount == 4 { head.append("Content-Length: 0\r\n") }
    head.append("\r\n")
    return head
  }

  private func connect() throws(Fault) -> Descriptor {
    do throws(KernelFault) {
      let target = try instance.address.resolved()
      let socket = try Socket.connect(to: target)
      var ready = pollfd(fd: socket.raw, events: Int16(POLLOUT), revents: 0)
      guard poll(&ready, 1, Int32(Limits.pageTime.milliseconds)) == 1 else {
        throw KernelFault(.connect, target.text, code: ETIMEDOUT)
      }
      if let fault = Socket.connectOutcome(socket.raw, to: target) { throw fault }
      return socket
    } catch {
      throw .connect(.kernel(error))
    }
  }

  private func open(on socket: Int32, until deadline: Instant) throws(Fault) -> Transport {
    guard let peer else { return Transport(plain: socket) }
    var transport: Transport
    do throws(TLSFault) {
      transport = try Transport(socket, to: peer)
    } catch {
      throw .connect(.tls(error, name: peer.name))
    }
    while true {
      switch transport.shakeHands() {
      case .done: return transport
      case .wantsRead: try wait(socket, Int16(POLLIN), until: deadline)
      case .wantsWrite: try wait(socket, Int16(POLLOUT), until: deadline)
      case .failed(let fault): throw .connect(.tls(fault, name: peer.name))
      }
    }
  }

  private func send(_ bytes: consuming ByteBuffer, on transport: borrowing Transport, until deadline: Instant)
    throws(Fault)
  {
    while !bytes.isEmpty {
      switch bytes.withBytes({ transport.send($0) }) {
      case .bytes(let count): bytes.consume(count)
      case .wouldBlock: try wait(transport.descriptor, Int16(POLLOUT), until: deadline)
      case .failed: throw .cut
      }
    }
  }

  private func wait(_ socket: Int32, _ events: Int16, until deadline: Instant) throws(Fault) {
    let left = deadline - Clock.instant()
    var ready = pollfd(fd: socket, events: events, revents: 0)
    guard left > .zero, poll(&ready, 1, Int32(left.milliseconds) + 1) != 0 else { throw .silent }
  }

  private static func read(_ bytes: inout ByteBuffer) throws(Fault) -> Answer {
    var head = ResponseHead()
    var length: Int?
    let end = bytes.withBytes { all -> Int? in
      guard let end = all.firstRange(of: "\r\n\r\n") else { return nil }
      let raw = all.extracting(0..<end + 2)
      guard head.parse(raw) else { return nil }
      length = head.value(of: "content-length", in: raw).flatMap { raw.extracting($0).decimal }.map {
        Int(clamping: $0)
      }
      return end + 4
    }
    guard let end else { throw bytes.isEmpty ? .cut : .notHTTP }
    bytes.consume(end)
    if let length {
      if bytes.count < length { throw .cut }
      bytes.truncate(to: length)
    }
    return Answer(status: head.status, body: bytes.take())
  }
}
