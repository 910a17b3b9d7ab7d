package import Base

/// The header fields that are told apart when a head is read, so that a look-up compares no text.
package enum KnownField: UInt8, CaseIterable, Sendable {
  case other
  case host, authorization, connection, contentLength, contentType, transferEncoding, expect
  case accept, acceptEncoding, cacheControl, cookie, origin, referer, userAgent, upgrade, te
  case requestID, provider, cache, apiKey, xAPIKey, idempotencyKey, contentEncoding
  case accessControlRequestMethod, accessControlRequestHeaders, trailer, keepAlive
}

/// Which header fields cross from one side to the other.
package enum FieldRules {
  /// Whether a provider's field of that name may reach the client.
  package static func crossesToClient(_ name: Span<UInt8>) -> Bool { false }
  /// Whether a client's field of that name may reach a provider.
  package static func crossesToProvider(_ name: Span<UInt8>) -> Bool { false }
}

extension RequestHead {
  /// Whether a field may cross to a provider: by its name, and not named by a Connection field.
  package func crosses(_ field: HeaderField, in bytes: Span<UInt8>) -> Bool { false }
}
