package import Base
internal import CLinux
internal import Kernel
package import Policy
internal import Transport
package import Wire

/// A client's socket, in the clear or TLS: what it sent and is not yet read, and the way out to it. Where the socket
/// carries HTTP/2, also each of its streams.
///
/// Owns the descriptor. `Downstream` moves it from state to state; nobody else changes one.
package final class Connection {
  enum State {
    /// The TLS handshake is under way.
    case securing
    /// It carries streams, each of which is a connection of its own.
    case carrying
    /// Between requests: nothing of the next one has come.
    case idle
    /// Part of a head has come.
    case readingHead
    case readingBody
    /// A complete request has been told of, its answer is on the way.
    case answering
    /// The answer is complete and the socket has not taken all of it. Nothing further is read meanwhile, so a
    /// client that pipelines without reading cannot make us hold more than one answer.
    case flushing
    /// The answer is sent; what the client still sends is read away, so that it sees the answer, not a reset.
    case lingering
    /// Out of the poller; freed at the end of the turn.
    case closed
  }

  package let id: SlotID
  private let descriptor: Descriptor?
  let raw: Int32
  /// A stream's place on the connection that carries it; nil: it has a socket.
  let lane: Lane?
  var carriage: Carriage?
  /// What lies on the socket. All reading goes through it, and what `sink` gathers.
  var transport: Transport
  /// The way out for its answers.
  package let sink: ResponseSink
  var output: WriteBuffer { sink.output }
  package let reach: Gate.Reach
  /// A client of the admin listener.
  package let isAdmin: Bool

  var state = State.idle
  package var inbound = ByteBuffer()
  var parser: RequestParser
  /// The current request's head, in `inbound`.
  package var head: RequestHead {
    _read { yield parser.head }
  }
  var decoder = ChunkedDecoder(limit: 0)
  /// The current request's body, where it is passed on as it comes, until its end was passed on.
  package var feed: ClientFeed?
  /// Bytes of head and body of the current request, once its length is known.
  package var requestLength = 0
  /// The answer may be followed by another request.
  package var keepsAlive = true
  /// It has had an answer, so that it may be closed while it is idle (RFC 9112 §9.5).
  var wasAnswered = false
  /// The client has shut down its writing side and still reads.
  package var isHalfClosed = false
  /// It has said so by TLS, in the read that brought its last bytes (RFC 8446 §6.1).
  var hasSaidAll = false
  /// What the gate said about the current request.
  package var access = AccessDecision()
  /// The current request's body, until its exchange has it.
  package var reservation: MemoryReservation?
  /// Its number among the bodies under way, while more of it is to come, and whether it comes fast enough.
  var upload: UInt64?
  var pace = UploadPace(bytes: 0, now: .distantPast)
  /// The client's right to this answer, while it is being made.
  package var permit: ClientPermit?
  /// What the poller watches for now.
  var interest: Interest = []
  /// `output.sent` when the write side was last seen to move.
  var sentBefore: UInt64 = 0

  /// - Parameter queue: where its output waits for the end of a turn, if it is not to be in the clear.
  init(
    id: SlotID, descriptor: consuming Descriptor, maximumHead: Int, reach: Gate.Reach, isAdmin: Bool,
    gathering queue: WriteQueue?
  ) {
    self.id = id
    raw = descriptor.raw
    lane = nil
    transport = Transport(plain: raw)
    sink = ResponseSink(
      queue.map { WriteBuffer(gathering: $0, place: id.slot) } ?? WriteBuffer(descriptor: raw))
    self.descriptor = consume descriptor
    self.reach = reach
    self.isAdmin = isAdmin
    parser = RequestParser(maximumHead: maximumHead)
  }

  /// A stream.
  init(id: SlotID, lane: Lane, maximumHead: Int, gathering queue: WriteQueue) {
    self.id = id
    self.lane = lane
    descriptor = nil
    raw = -1
    transport = Transport(plain: -1)
    sink = ResponseSink(WriteBuffer(gathering: queue, place: id.slot))
    reach = lane.carrier.reach
    isAdmin = lane.carrier.isAdmin
    parser = RequestParser(maximumHead: maximumHead)
    state = .readingHead
  }

  /// Its request is told of, and its answer not yet complete.
  package var isAnswering: Bool {
    if case .answering = state { true } else { false }
  }

  /// Bytes that it holds for its client: what was sent and is not yet read, and what waits to be taken.
  package var bytesHeld: Int { inbound.count + output.backlogCount }
  /// Those of them that no reservation counts.
  package var bytesUncounted: Int {
    output.backlogCount + max(0, inbound.count - (reservation?.bytes ?? 0))
  }

  /// Where the body of a complete request is in `inbound`.
  package var body: Range<Int> { parser.head.headLength..<requestLength }
  var token: Token { Token(kind: TokenKind.connection, slot: Int(id.slot), generation: id.generation) }

  /// Takes the request's bytes out: head and body. What the client pipelined behind them stays.
  package func takeRequest() -> ByteBuffer {
    let rest = inbound.count - requestLength
    defer { requestLength = 0 }
    if rest == 0 { return inbound.take() }
    var behind = ByteBuffer(capacity: rest)
    inbound.withBytes(requestLength..<inbound.count) { behind.append($0) }
    var request = inbound.take()
    request.truncate(to: requestLength)
    inbound = behind.take()
    return request
  }

  /// Asks whether the peer that sent FIN is gone or has only stopped writing.
  ///
  /// One urgent byte: a closed peer answers it with a reset, which the poller reports; a half-closed one keeps
  /// it out of its ordinary stream (RFC 9293 §3.8.5, SO_OOBINLINE off). Unix sockets need no question: there
  /// a close is EPOLLHUP at once.
  package func askWhetherPeerReads() {
    var byte: UInt8 = 0
    _ = send(raw, &byte, 1, Int32(MSG_OOB | MSG_NOSIGNAL | MSG_DONTWAIT))
  }
}
