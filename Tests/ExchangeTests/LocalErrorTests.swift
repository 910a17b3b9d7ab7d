import Base
import Exchange
import Testing

@Suite struct LocalErrorTests {
  struct Row: Sendable {
    var error: LocalError
    var status: Int
    var code: String
    var type: String
    var side: LocalError.Side
    var closes = false
    var retry: Int64?
    var param: String?
  }

  /// SPEC 4, "Errors", and the errors that it leaves to us.
  static let table: [Row] = [
    Row(
      error: .malformed("x"), status: 400, code: "bad_request", type: "invalid_request_error", side: .client,
      closes: true),
    Row(
      error: .invalidJSON(offset: 3, reason: "x"), status: 400, code: "invalid_json",
      type: "invalid_request_error", side: .client),
    Row(
      error: .missingField("model"), status: 400, code: "missing_required_field",
      type: "invalid_request_error",
      side: .client, param: "model"),
    Row(
      error: .invalidField("stream", reason: "x"), status: 400, code: "invalid_value",
      type: "invalid_request_error", side: .client, param: "stream"),
    Row(
      error: .invalidKey, status: 401, code: "invalid_api_key", type: "authentication_error", side: .client),
    Row(
      error: .originNotAllowed, status: 403, code: "origin_not_allowed", type: "permission_error",
      side: .client),
    Row(
      error: .hostNotAllowed, status: 403, code: "host_not_allowed", type: "permission_error", side: .client),
    Row(
      error: .modelNotAllowed, status: 403, code: "model_not_allowed", type: "permission_error", side: .client
    ),
    Row(error: .adminOff, status: 403, code: "admin_off", type: "permission_error", side: .client),
    Row(
      error: .modelNotFound, status: 404, code: "model_not_found", type: "invalid_request_error",
      side: .client,
      param: "model"),
    Row(
      error: .providerNotFound, status: 404, code: "provider_not_found", type: "invalid_request_error",
      side: .client),
    Row(error: .notFound, status: 404, code: "not_found", type: "invalid_request_error", side: .client),
    Row(
      error: .methodNotAllowed(allow: "GET"), status: 405, code: "method_not_allowed",
      type: "invalid_request_error", side: .client),
    Row(
      error: .requestTimeout, status: 408, code: "request_timeout", type: "invalid_request_error",
      side: .client,
      closes: true),
    Row(
      error: .requestTooLarge(limit: 1), status: 413, code: "request_too_large",
      type: "invalid_request_error",
      side: .client, closes: true),
    Row(
      error: .unsupportedEncoding, status: 415, code: "unsupported_content_encoding",
      type: "invalid_request_error", side: .client),
    Row(
      error: .targetTooLong, status: 414, code: "target_too_long", type: "invalid_request_error",
      side: .client,
      closes: true),
    Row(
      error: .expectationFailed, status: 417, code: "expectation_failed", type: "invalid_request_error",
      side: .client, closes: true),
    Row(
      error: .clientRateLimited(.milliseconds(1500)), status: 429, code: "rate_limit_exceeded",
      type: "rate_limit_error", side: .client, retry: 2),
    Row(
      error: .clientSpent(.seconds(3600)), status: 429, code: "spend_limit_exceeded",
      type: "rate_limit_error", side: .client, retry: 3600),
    Row(
      error: .rateLimited(.seconds(7)), status: 429, code: "rate_limit_exceeded", type: "rate_limit_error",
      side: .upstream, retry: 7),
    Row(
      error: .headTooLarge, status: 431, code: "header_too_large", type: "invalid_request_error",
      side: .client,
      closes: true),
    Row(
      error: .notImplemented("x"), status: 501, code: "not_implemented", type: "invalid_request_error",
      side: .client, closes: true),
    Row(
      error: .attemptsFailed, status: 502, code: "upstream_routing_failure", type: "server_error",
      side: .upstream),
    Row(error: .upstreamCut, status: 502, code: "upstream_cut", type: "server_error", side: .upstream),
    Row(error: .pathLost, status: 502, code: "path_lost", type: "server_error", side: .upstream),
    Row(
      error: .unavailable(.seconds(9)), status: 503, code: "no_provider_available", type: "server_error",
      side: .upstream, retry: 9),
    Row(
      error: .overloaded, status: 503, code: "overloaded", type: "server_error", side: .local, retry: 1),
    Row(
      error: .draining, status: 503, code: "draining", type: "server_error", side: .local, closes: true,
      retry: 5),
    Row(error: .followerTooSlow, status: 503, code: "reader_too_slow", type: "server_error", side: .client),
    Row(
      error: .deadlineExceeded, status: 504, code: "deadline_exceeded", type: "server_error", side: .upstream),
    Row(
      error: .upstreamStalled, status: 504, code: "upstream_stalled", type: "server_error", side: .upstream),
    Row(
      error: .versionNotSupported, status: 505, code: "version_not_supported", type: "invalid_request_error",
      side: .client, closes: true),
  ]

  @Test(arguments: table)
  func row(_ row: Row) {
    let found = row.error.row
    #expect(found.status == row.status)
    #expect(found.code.string == row.code)
    #expect(found.kind.name.string == row.type)
    #expect(found.side == row.side)
    #expect(found.closes == row.closes)
    #expect(row.error.retryAfter?.wholeSecondsUp == row.retry)
    #expect(row.error.param?.string == row.param)
  }

  /// What a client or a log reader sees of two errors differs, but for the two kinds of rate.
  @Test func codesAreUnique() {
    var seen: [String: String] = [:]
    for row in Self.table {
      let other = seen.updateValue(row.type, forKey: row.code)
      #expect(other == nil || row.code == "rate_limit_exceeded", "\(row.code)")
    }
    for (n, a) in Self.table.enumerated() {
      for (m, b) in Self.table.enumerated() {
        #expect((a.error == b.error) == (n == m), "\(a.code) \(b.code)")
      }
    }
  }

  @Test func equalityLooksPastTextsAndTimes() {
    #expect(LocalError.rateLimited(.seconds(1)) == .rateLimited(.seconds(2)))
    #expect(LocalError.malformed("a") == .malformed("b"))
    #expect(LocalError.rateLimited(.seconds(1)) != .clientRateLimited(.seconds(1)))
  }
}
