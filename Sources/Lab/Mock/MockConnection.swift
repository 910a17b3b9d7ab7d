internal import Base
internal import Kernel
internal import Wire

/// How an answer is brought to its end.
enum MockEnding {
  case complete
  /// The connection is closed where the answer stands.
  case close
  /// The connection is reset where the answer stands.
  case reset
}

/// One client of the mock: its socket, the request being read, the answer being sent.
final class MockConnection {
  enum State {
    case reading
    /// The request is there, the answer has not begun.
    case thinking
    case answering
    /// No answer will come.
    case hanging
  }

  let socket: Descriptor
  let token: Token
  var state = State.reading
  var interest = Interest.read

  // MARK: The request

  var input = ByteBuffer()
  var parser = RequestParser(maximumHead: Limits.mockHead)
  var decoder: ChunkedDecoder?
  var saidContinue = false
  /// Echoed in the answer.
  var requestID = ByteBuffer()
  var isPost = false
  var keepAlive = true

  // MARK: The answer

  /// The head, with the first part of the body where that is short.
  var out = ByteBuffer()
  var script: MockScript?
  /// Bytes of the script's body that were sent or put into `out`.
  var cursor = 0
  /// Events that may be sent by now, and where the last of them ends.
  var released = 0
  var limit = 0
  /// Where the answer ends in the way of `ending`.
  var finalLimit = 0
  var ending = MockEnding.complete
  /// The answer is one of the failures that were asked for.
  var isFailure = false
  /// When the next event is due.
  var due = Instant.distantFuture

  init(_ socket: consuming Descriptor, token: Token) {
    self.socket = socket
    self.token = token
  }

  /// Plans the answer: `script` up to `stop` bytes of its body.
  func plan(_ script: MockScript, stop: Int, ending: MockEnding, isFailure: Bool) {
    self.script = script
    self.ending = ending
    self.isFailure = isFailure
    cursor = 0
    released = 0
    limit = 0
    finalLimit = stop
  }

  /// Lets `count` more events go.
  func release(_ count: Int) {
    guard let script else { return }
    released = min(released + count, script.ends.count)
    limit = released == 0 ? 0 : min(script.ends[released - 1], finalLimit)
  }

  func releaseAll() {
    released = script?.ends.count ?? 0
    limit = finalLimit
  }

  /// Puts the beginning of the body behind the head, so that both leave in one write.
  func joinHeadAndBody() {
    guard let script, cursor == 0, limit > 0 else { return }
    let end = min(limit, Limits.mockFirstWrite)
    script.body.withBytes(0..<end) { out.append($0) }
    cursor = end
  }

  enum Flushed { case all, blocked, gone }

  /// Sends what may be sent by now. `bytes` counts what the socket took.
  func flush(counting bytes: inout Int) -> Flushed {
    while !out.isEmpty {
      let sent = out.withBytes { Socket.send(socket.raw, $0) }
      switch sent {
      case .sent(let n):
        bytes += n
        out.consume(n)
      case .wouldBlock: return .blocked
      case .broken: return .gone
      }
    }
    guard let script else { return .all }
    while cursor < limit {
      let end = min(limit, cursor + Limits.mockWrite)
      let sent = script.body.withBytes(cursor..<end) { Socket.send(socket.raw, $0) }
      switch sent {
      case .sent(let n):
        bytes += n
        cursor += n
      case .wouldBlock: return .blocked
      case .broken: return .gone
      }
    }
    return .all
  }

  /// The answer has been sent up to where it ends.
  var isAtEnd: Bool { out.isEmpty && cursor == finalLimit }

  /// Forgets the request and its answer; what the client sent behind it stays.
  func reset() {
    state = .reading
    script = nil
    decoder = nil
    saidContinue = false
    parser.reset()
    input.count == 0 ? input.recycle(keeping: Limits.mockHead) : ()
    due = .distantFuture
  }
}
