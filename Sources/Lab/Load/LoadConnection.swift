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
  var socket: ClientSocket
  var state = State.idle

  // MARK: The request under way

  var reader = AnswerReader()
  /// False in the warm-up.
  var isMeasured = false
  /// When the request was due; latencies count from here.
  var intended = Instant.distantPast
  var firstAt: Instant?
  var lastEventAt = Instant.distantPast
  var seenEvents = 0

  init(kind: UInt8, slot: Int) {
    self.slot = slot
    socket = ClientSocket(kind: kind, slot: slot)
  }

  func prepare(intended: Instant, isMeasured: Bool) {
    self.intended = intended
    self.isMeasured = isMeasured
    rewind()
  }

  /// Forgets what came of the answer: the request is sent from its start.
  func rewind() {
    reader.reset()
    socket.rewind()
    firstAt = nil
    seenEvents = 0
  }
}
