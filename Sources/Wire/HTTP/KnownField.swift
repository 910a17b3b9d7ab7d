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
    self =
      switch name.count {
      case 2: name.named(.te)
      case 3: name.named(.via)
      case 4: name.named(.host, .date)
      case 6: name.named(.expect, .accept, .cookie, .origin, .server)
      case 7: name.named(.referer, .upgrade, .apiKey, .trailer)
      case 9: name.named(.xAPIKey)
      case 10: name.named(.connection, .userAgent, .keepAlive, .setCookie)
      case 11: name.named(.traceparent)
      case 12: name.named(.contentType, .requestID)
      case 13: name.named(.authorization, .cacheControl)
      case 14: name.named(.contentLength)
      case 15: name.named(.acceptEncoding, .cache, .idempotencyKey)
      case 16: name.named(.contentEncoding)
      case 17: name.named(.transferEncoding)
      case 18: name.named(.provider)
      case 29: name.named(.accessControlRequestMethod)
      case 30: name.named(.accessControlRequestHeaders)
      default: .other
      }
  }

  /// Its place in a set of 64 bits.
  @inline(__always) var bit: UInt64 { 1 &<< UInt64(rawValue) }

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

extension Span<UInt8> {
  /// The one of some fields that this is the name of. Inlined always: spellings are known then, and compared as numbers.
  @inline(always)
  fileprivate func named(
    _ first: KnownField, _ second: KnownField = .other, _ third: KnownField = .other,
    _ fourth: KnownField = .other, _ fifth: KnownField = .other
  ) -> KnownField {
    if equalsIgnoringCase(first.spelling) { return first }
    if second != .other, equalsIgnoringCase(second.spelling) { return second }
    if third != .other, equalsIgnoringCase(third.spelling) { return third }
    if fourth != .other, equalsIgnoringCase(fourth.spelling) { return fourth }
    if fifth != .other, equalsIgnoringCase(fifth.spelling) { return fifth }
    return .other
  }
}
