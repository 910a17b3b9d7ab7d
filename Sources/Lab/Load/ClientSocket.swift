package import Base
package import Kernel

/// The socket of a client that asks one HTTP/1.1 request at a time, as a part of somebody's loop.
package struct ClientSocket: ~Copyable {
  package enum Sending: Sendable { case complete, blocked, broken }

  private let kind: UInt8
  private let slot: Int
  private var socket: Descriptor?
  private var interest: Interest = []
  /// Bytes of the request that are out.
  private var sent = 0
  /// Rises with each socket: an event of a former one finds nobody.
  package private(set) var generation: UInt32 = 0
  /// Answers that came on this socket.
  package var answers = 0

  /// - Parameter kind: what its events are called in the loop, with `slot`.
  package init(kind: UInt8, slot: Int) {
    self.kind = kind
    self.slot = slot
  }

  /// The descriptor while it is open.
  package var raw: Int32? {
    switch socket {
    case .some(let socket): socket.raw
    case .none: nil
    }
  }
  private var token: Token { Token(kind: kind, slot: slot, generation: generation) }

  /// Begins to connect; it is writable when that is decided.
  package mutating func connect(to address: SocketAddress, _ poller: Poller) throws(KernelFault) {
    close()
    let socket = try Socket.connect(to: address)
    try poller.add(socket.raw, .write, token: token)
    self.socket = consume socket
    interest = .write
  }

  package mutating func watch(_ wanted: Interest, _ poller: Poller) throws(KernelFault) {
    guard let raw, wanted != interest else { return }
    interest = wanted
    try poller.modify(raw, wanted, token: token)
  }

  /// Sends the rest of a request, as far as the socket takes it.
  package mutating func send(_ request: borrowing ByteBuffer) -> Sending {
    guard let raw else { return .broken }
    while sent < request.count {
      switch request.withBytes(sent..<request.count, { Socket.send(raw, $0) }) {
      case .sent(let n): sent += n
      case .wouldBlock: return .blocked
      case .broken: return .broken
      }
    }
    return .complete
  }

  /// The next request, or this one once more, is sent from its start.
  package mutating func rewind() { sent = 0 }

  package mutating func close() {
    generation &+= 1
    socket = nil
    interest = []
    answers = 0
  }
}
