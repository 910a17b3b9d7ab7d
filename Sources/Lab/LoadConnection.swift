internal import Base
internal import Kernel

/// One connection of a load run, with one request at a time.
final class LoadConnection {
  enum State {
    /// No request is under way; the socket may be open.
    case idle
    case connecting
    case sending
    case receiving
    /// A connect failed; it is tried again a little later.
    case pausing
  }

  let slot: Int
  var generation: UInt32 = 0
  var socket: Descriptor?
  var state = State.idle
  var interest: Interest = []
  /// Answers that came on this socket.
  var answers = 0

  // MARK: The request under way

  var reader = AnswerReader()
  var sent = 0
  /// False in the warm-up.
  var isMeasured = false
  /// When the request was due; latencies count from here.
  var intended = Instant.distantPast
  var firstAt: Instant?
  var lastEventAt = Instant.distantPast
  var seenEvents = 0

  init(slot: Int) { self.slot = slot }

  var isOpen: Bool { socket != nil }

  func prepare(intended: Instant, isMeasured: Bool) {
    self.intended = intended
    self.isMeasured = isMeasured
    rewind()
  }

  /// Forgets what came of the answer: the request is sent from its start.
  func rewind() {
    reader.reset()
    sent = 0
    firstAt = nil
    seenEvents = 0
  }

  func closeSocket() {
    socket = nil
    interest = []
    answers = 0
  }
}
