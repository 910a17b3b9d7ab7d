internal import Base
internal import Kernel
internal import Lab

/// A line that is to be asked: where it stands, and what is known of it.
struct BatchAsk {
  var place: LinePlace
  /// Of the model's name: a provider's wait is the model's.
  var model: Fingerprint
  var tries = 0
  /// Not before.
  var due = Instant.distantPast
}

/// One connection to the instance, with one request at a time.
final class BatchConnection {
  enum State {
    /// No request is under way; the socket may be open.
    case idle
    case connecting, sending, receiving
  }

  let slot: Int
  var generation: UInt32 = 0
  var socket: Descriptor?
  var state = State.idle
  var interest: Interest = []
  /// Answers that came on this socket.
  var answers = 0

  var ask: BatchAsk?
  /// The line's `custom_id` with its quotes, and what it is known by.
  var name = ByteBuffer()
  var key = Fingerprint(high: 0, low: 0)
  var request = ByteBuffer()
  var sent = 0
  var reader = AnswerReader(keeps: true)

  init(slot: Int) { self.slot = slot }

  /// Forgets what came of the answer: the request is sent from its start.
  func rewind() {
    reader.reset()
    sent = 0
  }

  func close() {
    generation &+= 1
    socket = nil
    interest = []
    answers = 0
  }

  /// The line is done with, or waits.
  func clear() {
    ask = nil
    state = .idle
    rewind()
    name.removeAll()
    request.recycle(keeping: Limits.keptBuffer)
  }
}
