internal import Base
internal import Policy

/// A request as it was read, before it has an exchange.
struct Arrival: ~Copyable {
  var request: ByteBuffer
  var body: Range<Int>
  var query: Range<Int>
  var isShared: Bool
  var storeKey: Fingerprint?
  var stored: StoredRequest?
  var payer: ClientAccount?
  var estimate = Money.none
  var batchInput: BatchInput?
}
