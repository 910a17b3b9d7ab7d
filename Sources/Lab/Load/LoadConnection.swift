internal import Base
internal import Wire

/// One connection of a load run, with one request at a time.
final class LoadConnection {
  /// Why an answer does not count as good.
  enum Failure { case connect, cut, stream, timeout, status(Int) }

  let slot: Int
  var client: HTTPClient
  /// A connect failed; it is tried again a little later.
  var isPausing = false

  // MARK: The request under way

  /// False in the warm-up.
  var isMeasured = false
  /// When the request was due; latencies count from here.
  var intended = Instant.distantPast
  var firstAt: Instant?
  var lastEventAt = Instant.distantPast
  var seenEvents = 0

  init(_ client: consuming HTTPClient, slot: Int) {
    self.slot = slot
    self.client = client
  }

  func prepare(intended: Instant, isMeasured: Bool) {
    self.intended = intended
    self.isMeasured = isMeasured
    firstAt = nil
    seenEvents = 0
  }

  /// What is wrong with a whole answer.
  func verdict(wantsStream: Bool) -> Failure? {
    let status = client.answer.status
    if status / 100 != 2 { return .status(status) }
    if !wantsStream { return nil }
    guard client.answer.isEventStream else { return .stream }
    switch client.answer.observer.end {
    case .done, .completed, .incomplete, .messageStop:
      return client.answer.observer.sawErrorFrame ? .stream : nil
    case .none, .failed: return .stream
    }
  }
}
