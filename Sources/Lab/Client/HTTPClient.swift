package import Base
package import Kernel
package import Transport

/// A client's connection to a server, as a part of somebody's loop: HTTP/1.1, one request at a time, in the clear or over
/// TLS. It is made when it is first used, and again when it has gone.
///
/// The loop hands it the events that bear its kind and slot. The bytes of the request are the caller's, the same from
/// `start` until its end.
package struct HTTPClient: ~Copyable {
  private enum State { case idle, connecting, sending, receiving }

  /// How far a request has come.
  package enum Step: Sendable {
    /// It goes on with the next event.
    case waiting
    /// As `waiting`, and `receive` may find more at once.
    case more
    /// The answer is whole, and in `answer` until the next request.
    case complete
    /// No connection could be made, or the server wants none with us.
    case unreachable(ConnectFault)
    /// The connection broke off, or what came is no HTTP answer.
    case cut
  }

  private let address: SocketAddress
  private let poller: Poller
  private var socket: ClientSocket
  private var state = State.idle
  package private(set) var answer: AnswerReader

  /// - Parameters:
  ///   - kind: what its events are called in the loop, with `slot`.
  ///   - peer: whom TLS is spoken to; nil: it is in the clear.
  ///   - keeps: the answer's head and body are kept.
  package init(
    to address: SocketAddress, in poller: Poller, kind: UInt8, slot: Int, peer: TLSPeer?, keeps: Bool = false
  ) {
    self.address = address
    self.poller = poller
    socket = ClientSocket(kind: kind, slot: slot, peer: peer)
    answer = AnswerReader(keeps: keeps)
  }

  /// A request is under way.
  package var isBusy: Bool { state != .idle }

  /// Begins a request.
  package mutating func start(_ request: borrowing ByteBuffer) -> Step {
    rewind()
    if socket.raw == nil { return connect() }
    state = .sending
    return write(request)
  }

  /// Goes on at an event: sends, and reads once.
  package mutating func take(
    _ event: PolledEvent, _ request: borrowing ByteBuffer, into buffer: inout ByteBuffer
  )
    -> Step
  {
    guard socket.generation == event.token.generation else { return .waiting }
    if event.writable || event.failed || event.hungUp || state == .connecting {
      let step = write(request)
      guard case .waiting = step, socket.generation == event.token.generation else { return step }
    }
    return event.readable || event.hungUp || event.failed ? receive(into: &buffer) : .waiting
  }

  /// Reads once, `buffer` being scratch.
  package mutating func receive(into buffer: inout ByteBuffer) -> Step {
    guard socket.raw != nil, state != .connecting else { return .waiting }
    buffer.removeAll()
    switch socket.receive(into: &buffer) {
    case .received(let count):
      if state == .idle {
        // Bytes that nothing asked for, or that come behind an answer: the connection is of no use.
        close()
        return .waiting
      }
      switch buffer.withBytes({ answer.read($0) }) {
      case .needMore: return count < Limits.loadRead ? .waiting : .more
      case .complete: return complete()
      case .malformed: return cut()
      }
    case .wouldBlock: return .waiting
    case .endOfStream, .reset: return lost()
    }
  }

  /// Takes the body of an answer that is whole.
  package mutating func takeBody() -> ByteBuffer { answer.takeBody() }

  /// Gives up what is under way, and the connection.
  package mutating func close() {
    socket.close()
    state = .idle
  }

  /// Forgets what came of the answer: the request is sent from its start.
  private mutating func rewind() {
    answer.reset()
    socket.rewind()
  }

  private mutating func connect() -> Step {
    do throws(KernelFault) {
      try socket.connect(to: address, poller)
      state = .connecting
      return .waiting
    } catch {
      close()
      return .unreachable(.kernel(error))
    }
  }

  private mutating func write(_ request: borrowing ByteBuffer) -> Step {
    if state == .connecting {
      switch socket.open(to: address, poller) {
      case .done: state = .sending
      case .underWay: return .waiting
      case .failed(let fault):
        close()
        return .unreachable(fault)
      }
    }
    guard state == .sending else { return .waiting }
    switch socket.send(request) {
    case .complete:
      state = .receiving
      return watch(.read)
    case .blocked: return watch([.read, .write])
    case .broken: return lost()
    }
  }

  private mutating func watch(_ wanted: Interest) -> Step {
    do throws(KernelFault) {
      try socket.watch(wanted, poller)
      return .waiting
    } catch {
      return cut()
    }
  }

  private mutating func complete() -> Step {
    socket.answers += 1
    // An answer before the request was sent whole leaves the rest of it in the way.
    if answer.closes || state == .sending { socket.close() }
    state = .idle
    return .complete
  }

  /// The connection has ended.
  private mutating func lost() -> Step {
    if state == .idle {
      close()
      return .waiting
    }
    if answer.readEnd() {
      close()
      return .complete
    }
    if let fault = socket.fault {
      close()
      return .unreachable(fault)
    }
    // A server may close an idle connection just when it is used again: that says nothing about the answer.
    if socket.answers > 0, answer.isUntouched {
      rewind()
      return connect()
    }
    return cut()
  }

  private mutating func cut() -> Step {
    close()
    return .cut
  }
}
