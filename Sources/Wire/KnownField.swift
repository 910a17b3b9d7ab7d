internal import Base

/// The header fields that are told apart when a head is read, so that a look-up compares no text.
package enum KnownField: UInt8, CaseIterable, Sendable {
  case other
  case host, authorization, connection, contentLength, contentType, transferEncoding, expect
  case accept, acceptEncoding, cacheControl, cookie, origin, referer, userAgent, upgrade, te
  case requestID, provider, cache, apiKey, xAPIKey, idempotencyKey, contentEncoding
  case accessControlRequestMethod, accessControlRequestHeaders, trailer, keepAlive

  /// The field with that name, in any case.
  package init(_ name: Span<UInt8>) {
    // The length leaves at most four spellings to compare with.
    switch name.count {
    case 2: self = Self.match(name, .te)
    case 4: self = Self.match(name, .host)
    case 6: self = Self.match(name, .expect, .accept, .cookie, .origin)
    case 7: self = Self.match(name, .referer, .upgrade, .apiKey, .trailer)
    case 9: self = Self.match(name, .xAPIKey)
    case 10: self = Self.match(name, .connection, .userAgent, .keepAlive)
    case 12: self = Self.match(name, .contentType, .requestID)
    case 13: self = Self.match(name, .authorization, .cacheControl)
    case 14: self = Self.match(name, .contentLength)
    case 15: self = Self.match(name, .acceptEncoding, .cache, .idempotencyKey)
    case 16: self = Self.match(name, .contentEncoding)
    case 17: self = Self.match(name, .transferEncoding)
    case 18: self = Self.match(name, .provider)
    case 29: self = Self.match(name, .accessControlRequestMethod)
    case 30: self = Self.match(name, .accessControlRequestHeaders)
    default: self = .other
    }
  }

  private static func match(
    _ name: Span<UInt8>, _ a: KnownField, _ b: KnownField = .other, _ c: KnownField = .other,
    _ d: KnownField = .other
  ) -> KnownField {
    if name.equalsIgnoringCase(a.spelling) { return a }
    if name.equalsIgnoringCase(b.spelling) { return b }
    if name.equalsIgnoringCase(c.spelling) { return c }
    return name.equalsIgnoringCase(d.spelling) ? d : .other
  }

  /// The field's name in lower case; empty for `other`, and no field's name is.
  package var spelling: StaticString {
    switch self {
    case .other: ""
    case .host: "host"
    case .authorization: "authorization"
    case .connection: "connection"
    case .contentLength: "content-length"
    case .contentType: "content-type"
    case .transferEncoding: "transfer-encoding"
    case .expect: "expect"
    case .accept: "accept"
    case .acceptEncoding: "accept-encoding"
    case .cacheControl: "cache-control"
    case .cookie: "cookie"
    case .origin: "origin"
    case .referer: "referer"
    case .userAgent: "user-agent"
    case .upgrade: "upgrade"
    case .te: "te"
    case .requestID: "x-request-id"
    case .provider: "x-synaxis-provider"
    case .cache: "x-synaxis-cache"
    case .apiKey: "api-key"
    case .xAPIKey: "x-api-key"
    case .idempotencyKey: "idempotency-key"
    case .contentEncoding: "content-encoding"
    case .accessControlRequestMethod: "access-control-request-method"
    case .accessControlRequestHeaders: "access-control-request-headers"
    case .trailer: "trailer"
    case .keepAlive: "keep-alive"
    }
  }
}
