package import Base

/// An error that synaxis itself answers with. `row` is the one table of statuses and codes.
package enum LocalError: Error, Equatable, Sendable {
  case malformed(StaticString)
  case invalidJSON(offset: Int, reason: StaticString)
  case missingField(StaticString)
  case invalidField(StaticString, reason: StaticString)
  case invalidKey
  case originNotAllowed
  case hostNotAllowed
  case modelNotAllowed
  /// `/providers/NAME/…` is not for clients that `models` restricts, and not open at this provider.
  case rawNotAllowed
  case rawOff
  /// `/providers/NAME/…` names nobody who is used.
  case providerNotFound
  case adminOff
  case invalidToken
  case modelNotFound
  case notFound
  case methodNotAllowed(allow: StaticString)
  case requestTimeout
  case requestTooLarge(limit: Int)
  case targetTooLong
  case unsupportedEncoding
  case expectationFailed
  case headTooLarge
  case notImplemented(StaticString)
  case versionNotSupported
  /// What is here speaks WebSocket only.
  case upgradeRequired
  /// The client is over its own budget, or every candidate is over its provider's.
  case clientRateLimited(Interval)
  /// The client's own money for the day, for that long.
  case clientSpent(Interval)
  case rateLimited(Interval)
  case attemptsFailed
  case unavailable(Interval)
  case overloaded
  /// `limits.memory` is used up by what others have sent or are sent.
  case memoryFull
  /// No connection to a provider can be opened.
  case outOfDescriptors
  case draining
  case deadlineExceeded
  /// What `/providers/NAME/…` was asked for did not get there, or nothing came back.
  case providerFailed
  case providerStalled
  case upstreamCut
  case upstreamStalled
  case pathLost
  case followerTooSlow

  /// Whose fault it is.
  package enum Side: Sendable { case client, upstream, local }

  /// OpenAI's `type`.
  package enum Kind: Sendable {
    case request, authentication, permission, rateLimit, server
    package var name: StaticString {
      switch self {
      case .request: "invalid_request_error"
      case .authentication: "authentication_error"
      case .permission: "permission_error"
      case .rateLimit: "rate_limit_error"
      case .server: "server_error"
      }
    }
  }

  package struct Row: Sendable {
    package var status: Int
    /// OpenAI's `code`, and what the log line ends with.
    package var code: StaticString
    package var kind: Kind
    package var side: Side
    /// Where the request ends is not known, or the rest of it must not be read.
    package var closes = false
  }

  package var row: Row {
    switch self {
    case .malformed: Row(status: 400, code: "bad_request", kind: .request, side: .client, closes: true)
    case .invalidJSON: Row(status: 400, code: "invalid_json", kind: .request, side: .client)
    case .missingField: Row(status: 400, code: "missing_required_field", kind: .request, side: .client)
    case .invalidField: Row(status: 400, code: "invalid_value", kind: .request, side: .client)
    case .invalidKey: Row(status: 401, code: "invalid_api_key", kind: .authentication, side: .client)
    case .originNotAllowed: Row(status: 403, code: "origin_not_allowed", kind: .permission, side: .client)
    case .hostNotAllowed: Row(status: 403, code: "host_not_allowed", kind: .permission, side: .client)
    case .modelNotAllowed: Row(status: 403, code: "model_not_allowed", kind: .permission, side: .client)
    case .rawNotAllowed: Row(status: 403, code: "raw_not_allowed", kind: .permission, side: .client)
    case .providerNotFound: Row(status: 404, code: "provider_not_found", kind: .request, side: .client)
    case .rawOff: Row(status: 403, code: "raw_off", kind: .permission, side: .client)
    case .adminOff: Row(status: 403, code: "admin_off", kind: .permission, side: .client)
    case .invalidToken: Row(status: 401, code: "invalid_admin_token", kind: .authentication, side: .client)
    case .modelNotFound: Row(status: 404, code: "model_not_found", kind: .request, side: .client)
    case .notFound: Row(status: 404, code: "not_found", kind: .request, side: .client)
    case .methodNotAllowed: Row(status: 405, code: "method_not_allowed", kind: .request, side: .client)
    case .requestTimeout:
      Row(status: 408, code: "request_timeout", kind: .request, side: .client, closes: true)
    case .requestTooLarge:
      Row(status: 413, code: "request_too_large", kind: .request, side: .client, closes: true)
    case .targetTooLong:
      Row(status: 414, code: "target_too_long", kind: .request, side: .client, closes: true)
    case .unsupportedEncoding:
      Row(status: 415, code: "unsupported_content_encoding", kind: .request, side: .client)
    case .expectationFailed:
      Row(status: 417, code: "expectation_failed", kind: .request, side: .client, closes: true)
    case .headTooLarge:
      Row(status: 431, code: "header_too_large", kind: .request, side: .client, closes: true)
    case .upgradeRequired:
      Row(status: 426, code: "upgrade_required", kind: .request, side: .client)
    case .notImplemented:
      Row(status: 501, code: "not_implemented", kind: .request, side: .client, closes: true)
    case .versionNotSupported:
      Row(status: 505, code: "version_not_supported", kind: .request, side: .client, closes: true)
    case .clientSpent: Row(status: 429, code: "spend_limit_exceeded", kind: .rateLimit, side: .client)
    case .clientRateLimited:
      Row(status: 429, code: "rate_limit_exceeded", kind: .rateLimit, side: .client)
    case .rateLimited: Row(status: 429, code: "rate_limit_exceeded", kind: .rateLimit, side: .upstream)
    case .attemptsFailed: Row(status: 502, code: "upstream_routing_failure", kind: .server, side: .upstream)
    case .unavailable: Row(status: 503, code: "no_provider_available", kind: .server, side: .upstream)
    case .overloaded, .memoryFull, .outOfDescriptors:
      Row(status: 503, code: "overloaded", kind: .server, side: .local)
    case .draining: Row(status: 503, code: "draining", kind: .server, side: .local, closes: true)
    case .deadlineExceeded: Row(status: 504, code: "deadline_exceeded", kind: .server, side: .upstream)
    case .providerFailed: Row(status: 502, code: "provider_failed", kind: .server, side: .upstream)
    case .providerStalled: Row(status: 504, code: "provider_stalled", kind: .server, side: .upstream)
    case .upstreamCut: Row(status: 502, code: "upstream_cut", kind: .server, side: .upstream)
    case .upstreamStalled: Row(status: 504, code: "upstream_stalled", kind: .server, side: .upstream)
    case .pathLost: Row(status: 502, code: "path_lost", kind: .server, side: .upstream)
    case .followerTooSlow: Row(status: 503, code: "reader_too_slow", kind: .server, side: .client)
    }
  }

  /// When to come back, for `Retry-After`.
  package var retryAfter: Interval? {
    if case .clientRateLimited(let time) = self { return time }
    if case .clientSpent(let time) = self { return time }
    if case .rateLimited(let time) = self { return time }
    if case .unavailable(let time) = self { return time }
    if case .overloaded = self { return .seconds(1) }
    if case .memoryFull = self { return .seconds(1) }
    if case .outOfDescriptors = self { return .seconds(1) }
    if case .draining = self { return .seconds(5) }
    return nil
  }

  /// The request's field that is at fault, for `param`.
  package var param: StaticString? {
    if case .missingField(let name) = self { return name }
    if case .invalidField(let name, _) = self { return name }
    if case .modelNotFound = self { return "model" }
    return nil
  }

  /// Equal in what the client sees of it but for texts and times.
  package static func == (a: LocalError, b: LocalError) -> Bool {
    let (a, b) = (a.row, b.row)
    return a.status == b.status && a.kind == b.kind && a.side == b.side
      && UnsafeRawBufferPointer(start: a.code.utf8Start, count: a.code.utf8CodeUnitCount)
        .elementsEqual(UnsafeRawBufferPointer(start: b.code.utf8Start, count: b.code.utf8CodeUnitCount))
  }
}
