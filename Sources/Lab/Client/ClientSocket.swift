internal import Base
internal import CLinux
internal import Kernel
package import Transport

/// The socket of an `HTTPClient`, in the clear or over TLS.
struct ClientSocket: ~Copyable {
  enum Opening: Sendable {
    /// Requests can be sent.
    case done
    case underWay
    case failed(ConnectFault)
  }
  enum Sending: Sendable { case complete, blocked, broken }

  private let kind: UInt8
  private let slot: Int
  private let peer: TLSPeer?
  private var socket: Descriptor?
  /// On the socket, once that is connected.
  private var transport = Transport(plain: -1)
  private var interest: Interest = []
  /// Bytes of the request that are out.
  private var sent = 0
  /// Rises with each socket: an event of a former one finds nobody.
  private(set) var generation: UInt32 = 0
  /// Answers that came on this socket.
  var answers = 0
  /// What TLS had to say when it broke: a server that wants a certificate says so only after the handshake (RFC 8446
  /// §4.4.2).
  private(set) var fault: ConnectFault?

  /// - Parameters:
  ///   - kind: what its events are called in the loop, with `slot`.
  ///   - peer: whom TLS is spoken to; nil: it is in the clear.
  init(kind: UInt8, slot: Int, peer: TLSPeer?) {
    self.kind = kind
    self.slot = slot
    self.peer = peer
  }

  /// The descriptor while it is open.
  var raw: Int32? {
    switch socket {
    case .some(let socket): socket.raw
    case .none: nil
    }
  }
  private var token: Token { Token(kind: kind, slot: slot, generation: generation) }

  /// Begins to connect; `open` goes on with it at its first event.
  mutating func connect(to address: SocketAddress, _ poller: Poller) throws(KernelFault) {
    close()
    let socket = try Socket.connect(to: address)
    try poller.add(socket.raw, .write, token: token)
    self.socket = consume socket
    interest = .write
  }

  /// Goes on with the connection and its handshake, and watches for what they wait for.
  mutating func open(to address: SocketAddress, _ poller: Poller) -> Opening {
    guard let raw else { return .underWay }
    if transport.descriptor < 0 {
      if let fault = Socket.connectOutcome(raw, to: address) { return .failed(.kernel(fault)) }
      do throws(TLSFault) {
        transport = if let peer { try Transport(raw, to: peer) } else { Transport(plain: raw) }
      } catch {
        return .failed(.tls(error, name: peer?.name ?? ""))
      }
    }
    do throws(KernelFault) {
      switch transport.shakeHands() {
      case .done: return .done
      case .wantsRead: try watch(.read, poller)
      case .wantsWrite: try watch(.write, poller)
      case .failed(let fault): return .failed(.tls(fault, name: transport.peerName))
      }
      return .underWay
    } catch {
      return .failed(.kernel(error))
    }
  }

  mutating func watch(_ wanted: Interest, _ poller: Poller) throws(KernelFault) {
    guard let raw, wanted != interest else { return }
    interest = wanted
    try poller.modify(raw, wanted, token: token)
  }

  /// Sends the rest of a request, as far as the socket takes it.
  mutating func send(_ request: borrowing ByteBuffer) -> Sending {
    while sent < request.count {
      switch request.withBytes(sent..<request.count, { transport.send($0) }) {
      case .bytes(let n): sent += n
      case .wouldBlock: return .blocked
      case .failed: return .broken
      }
    }
    return .complete
  }

  /// Reads once. `.reset`: the connection broke.
  mutating func receive(into buffer: inout ByteBuffer) -> Kernel.Received {
    var end: Transport.End?
    let count = buffer.fill(room: Limits.loadRead) { free in
      // Lifetime: written to during the call only.
      let got = transport.receive(into: UnsafeMutableRawBufferPointer(rebasing: free.prefix(Limits.loadRead)))
      end = got.end
      return got.count
    }
    // What ended it is told again.
    if count > 0 { return .received(count) }
    switch end {
    case nil: return .wouldBlock
    case .closed: return .endOfStream
    case .broken(let broken):
      fault = .tls(broken, name: transport.peerName)
      return .reset
    case .cutOff, .failed: return .reset
    }
  }

  /// The next request, or this one once more, is sent from its start.
  mutating func rewind() { sent = 0 }

  mutating func close() {
    generation &+= 1
    transport.sayGoodbye()
    transport = Transport(plain: -1)
    socket = nil
    interest = []
    answers = 0
    fault = nil
  }
}

extension Transport {
  package func send(_ bytes: Span<UInt8>) -> Transport.Sent {
    bytes.withUnsafeBytes { bytes in
      // Lifetime: they are read during the call only.
      var piece = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
      return withUnsafePointer(to: &piece) { send(UnsafeBufferPointer(start: $0, count: 1)) }
    }
  }
}
