internal import Base
internal import Kernel
internal import Transport
internal import Wire

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

  /// Why an answer does not count as good.
  enum Failure { case connect, cut, stream, timeout, status(Int) }

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

  init(kind: UInt8, slot: Int, peer: TLSPeer?) {
    self.slot = slot
    socket = ClientSocket(kind: kind, slot: slot, peer: peer)
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

  /// What is wrong with a whole answer.
  func verdict(wantsStream: Bool) -> Failure? {
    if reader.status / 100 != 2 { return .status(reader.status) }
    if !wantsStream { return nil }
    guard reader.isEventStream else { return .stream }
    switch reader.observer.end {
    case .done, .completed, .incomplete, .messageStop: return reader.observer.sawErrorFrame ? .stream : nil
    case .none, .failed: return .stream
    }
  }
}
