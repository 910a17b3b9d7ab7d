internal import Base
internal import Wire

/// What makes a request for embeddings one of those that can be sent as one, and with whom it is.
final class BatchInput {
  /// Equal requests have an equal one.
  let key: Fingerprint
  /// Where in the body the input is.
  let input: EmbeddingInput
  /// Those with whom it is asked, or was.
  var call: BatchCall?
  /// The attempt that it makes with them; nil: it has left them.
  var attempt: Int?

  init(key: Fingerprint, input: EmbeddingInput) {
    self.key = key
    self.input = input
  }

  /// What it needs of the list's room.
  var bytes: Int { input.value.count + 1 }
}
