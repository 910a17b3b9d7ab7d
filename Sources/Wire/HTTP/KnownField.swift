internal import Base

/// The header fields that are told apart when a head is read, so that a look-up compares no text.
@frozen @usableFromInline package enum KnownField: UInt8, CaseIterable, Sendable {
  case other
  case host, authorization, connection, contentLength, contentType, transferEncoding, expect
  case accept, acceptEncoding, cacheControl, cookie, origin, referer, userAgent, upgrade, te
  case requestID, provider, cache, apiKey, xAPIKey, idempotencyKey, contentEncoding
  case accessControlRequestMethod, accessControlRequestHeaders, trailer, keepAlive, traceparent
  case date, server, setCookie, via

  /// The field with that name, in any case.
  package init(_ name: Span<UInt8>) {
    self = name.isEmpty ? .other : Self.candidate(length: name.count, first: name[0].asciiLowercased)
    if self != .other, !name.equalsIgnoringCase(spelling) { self = .other }
  }

  /// The one field whose name is that long and begins with that letter.
  @inline(__always)
  private static func candidate(length: Int, first: UInt8) -> KnownField {
    switch (length, first) {
    case (2, UInt8(ascii: "t")): .te
    case (3, UInt8(ascii: "v")): .via
    case (4, UInt8(ascii: "h")): .host
    case (4, UInt8(ascii: "d")): .date
    case (6, UInt8(ascii: "e")): .expect
    case (6, UInt8(ascii: "a")): .accept
    case (6, UInt8(ascii: "c")): .cookie
    case (6, UInt8(ascii: "o")): .origin
    case (6, UInt8(ascii: "s")): .server
    case (7, UInt8(ascii: "r")): .referer
    case (7, UInt8(ascii: "u")): .upgrade
    case (7, UInt8(ascii: "a")): .apiKey
    case (7, UInt8(ascii: "t")): .trailer
    case (9, UInt8(ascii: "x")): .xAPIKey
    case (10, UInt8(ascii: "c")): .connection
    case (10, UInt8(ascii: "u")): .userAgent
    case (10, UInt8(ascii: "k")): .keepAlive
    case (10, UInt8(ascii: "s")): .setCookie
    case (11, UInt8(ascii: "t")): .traceparent
    case (12, UInt8(ascii: "c")): .contentType
    case (12, UInt8(ascii: "x")): .requestID
    case (13, UInt8(ascii: "a")): .authorization
    case (13, UInt8(ascii: "c")): .cacheControl
    case (14, UInt8(ascii: "c")): .contentLength
    case (15, UInt8(ascii: "a")): .acceptEncoding
    case (15, UInt8(ascii: "x")): .cache
    case (15, UInt8(ascii: "i")): .idempotencyKey
    case (16, UInt8(ascii: "c")): .contentEncoding
    case (17, UInt8(ascii: "t")): .transferEncoding
    case (18, UInt8(ascii: "x")): .provider
    case (29, UInt8(ascii: "a")): .accessControlRequestMethod
    case (30, UInt8(ascii: "a")): .accessControlRequestHeaders
    default: .other
    }
  }

  /// The field's name in lower case; empty for `other`, and no field's name is.
  @inline(__always) package var spelling: StaticString {
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
    case .traceparent: "traceparent"
    case .date: "date"
    case .server: "server"
    case .setCookie: "set-cookie"
    case .via: "via"
    }
  }
}
