internal import Base
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
  let slot: Int
  var client: HTTPClient

  /// The line that is asked; nil: no request is under way.
  var ask: BatchAsk?
  /// The line's `custom_id` with its quotes, and what it is known by.
  var name = ByteBuffer()
  var key = Fingerprint(high: 0, low: 0)
  var request = ByteBuffer()

  init(_ client: consuming HTTPClient, slot: Int) {
    self.slot = slot
    self.client = client
  }

  var isIdle: Bool { ask == nil }

  /// The line is done with, or waits.
  func clear() {
    ask = nil
    name.removeAll()
    request.recycle(keeping: Limits.keptBuffer)
  }
}
