internal import Base
internal import Lab
internal import Transport

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
  var socket: ClientSocket
  var state = State.idle

  var ask: BatchAsk?
  /// The line's `custom_id` with its quotes, and what it is known by.
  var name = ByteBuffer()
  var key = Fingerprint(high: 0, low: 0)
  var request = ByteBuffer()
  var reader = AnswerReader(keeps: true)

  init(kind: UInt8, slot: Int, peer: TLSPeer?) {
    self.slot = slot
    socket = ClientSocket(kind: kind, slot: slot, peer: peer)
  }

  /// Forgets what came of the answer: the request is sent from its start.
  func rewind() {
    reader.reset()
    socket.rewind()
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
