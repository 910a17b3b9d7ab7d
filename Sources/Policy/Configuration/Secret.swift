/// A text that is never printed: it has no description but a mask.
package struct Secret: Equatable, Sendable, CustomStringConvertible {
  /// The text itself, for the Authorization header and for comparing; never for a message.
  package let exposed: String
  package init(_ text: String) { exposed = text }
  package var description: String { "****" }
}

/// How a key is shown to a provider.
package enum KeyScheme: Equatable, Sendable {
  case bearer
  /// A header of its own (`api-key`, `x-api-key`) with the bare key.
  case header(String)
  case none
}
