internal import Base
internal import Wire

/// What makes a request for embeddings one of those that can be sent as one.
struct BatchInput {
  /// Equal requests have an equal one.
  let key: Fingerprint
  /// Where in the body the input is.
  let input: EmbeddingInput

  /// What it needs of the list's room.
  var bytes: Int { input.value.count + 1 }
}
