import Base
import Testing

@testable import Wire

private let now = WallTime(milliseconds: 1_700_000_000_000)

/// In milliseconds.
private func hint(_ fields: String, _ body: String = "") -> Int64? {
  let raw = "HTTP/1.1 429 \r\n\(fields)\r\n".bytes
  let bodyBytes = body.bytes
  var head = ResponseHead()
  head.parse(raw.span)
  return RetryHints.interval(head, in: raw.span, body: bodyBytes.span, now: now)?.milliseconds
}

@Suite struct RetryHintsTests {
  @Test(
    arguments: [
      ("6m0s", 360_000), ("1h2m3.5s", 3_723_500), ("12ms", 12), ("1.5s", 1500), ("2d", 172_800_000),
      ("500us", 0), ("7us", 0),
      ("0", 0), ("30", 30_000), ("0.25", 250), ("1e2", 100_000), ("1700000060", 60_000), ("1699999999", 0),
      ("1700000060.5", 60_500), ("1700000060000", 60_000), ("2023-11-14T22:14:20Z", 60_000),
      ("2023-11-14T23:14:20.250+01:00", 60_250), ("2020-01-01T00:00:00Z", 0),
      ("", nil), ("-1", nil), ("-5s", nil), ("NaN", nil), ("inf", nil), ("nan", nil), ("soon", nil),
      ("1x", nil), ("m", nil),
      ("s5", nil), ("999999999", nil), ("99999999999999999999999", nil), ("1e400", nil),
      ("9999h99999999m", nil), ("1.2.3s", nil),
      ("9999-12-31T23:59:59Z", nil), ("0x10", nil), ("1 2", nil),
    ] as [(String, Int64?)])
  func readsResets(_ value: String, _ expected: Int64?) {
    let bytes = value.bytes
    let read = RetryHints.resetInterval(bytes.span, now: now)
    #expect(read?.milliseconds == expected)
  }

  @Test(
    arguments: [
      ("Retry-After: 17\r\n", "", 17_000), ("retry-after: 1.5\r\n", "", 1500),
      ("Retry-After: Tue, 14 Nov 2023 22:15:20 GMT\r\n", "", 120_000),
      ("Retry-After: Tue, 14 Nov 2020 22:15:20 GMT\r\n", "", 0),
      ("Retry-After: 17\r\nretry-after-ms: 250\r\n", "", 250),
      ("retry-after-ms: -1\r\nRetry-After: 3\r\n", "", 3000),
      ("retry-after: x\r\n", "", nil), ("", "", nil), ("x: 5\r\n", "{}", nil),
      ("", #"[{"error":{"details":[{"@type":"RetryInfo","retryDelay": "17s"}]}}]"#, 17_000),
      ("", #"{"retryDelay":"0.5s"}"#, 500), ("", #"{"retryDelay":17}"#, nil), ("", #"{"retryDelay":""#, nil),
      ("", #"{"error":{"message":"Rate limit reached. Please try again in 7m12.5s. Visit"}}"#, 432_500),
      ("", #"{"error":{"message":"Please try again in 20ms."}}"#, 20), ("", "try again in a while", nil),
      (
        "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 2m\r\nx-ratelimit-remaining-tokens: 5\r\n"
          + "x-ratelimit-reset-tokens: 9m\r\n", "", 120_000
      ),
      (
        "anthropic-ratelimit-tokens-remaining: 0\r\nanthropic-ratelimit-tokens-reset: 2023-11-14T22:13:30Z\r\n",
        "", 10_000
      ),
      ("x-ratelimit-reset-requests: 2m\r\nx-ratelimit-reset-tokens: 7.66s\r\n", "", 7660),
      ("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1700000030000\r\n", "", 30_000),
      ("x-reset: 5\r\n", "", nil),
    ] as [(String, String, Int64?)])
  func readsHints(_ fields: String, _ body: String, _ expected: Int64?) {
    #expect(hint(fields, body) == expected)
  }

  @Test(
    arguments: [
      ("0", 0), ("14399", 14399), ("12.7", 12), ("-1", nil), ("unlimited", nil), ("", nil), ("1e3", 1000),
      ("1e30", 1_099_511_627_776), ("9223372036854775807", 1_099_511_627_776), ("NaN", nil), ("inf", nil),
      ("+5", 5),
    ] as [(String, Quantity?)])
  func readsRemaining(_ value: String, _ expected: Quantity?) {
    let bytes = value.bytes
    let read = bytes.span.quantity
    #expect(read == expected)
  }

  @Test func readsQuotas() {
    let raw =
      ("HTTP/1.1 200 OK\r\nX-RateLimit-Limit-Requests: 100\r\nX-RateLimit-Remaining-Requests: 99\r\n"
      + "x-ratelimit-reset-requests: 1s\r\nx-ratelimit-remaining-tokens-minute: 0\r\nx-ratelimit-reset-tokens-minute: 2s\r\n"
      + "x-tokenlimit-remaining: 7\r\nx-ratelimit-remaining-audio: -1\r\nremaining: 4\r\n").bytes
    var head = ResponseHead()
    head.parse(raw.span)
    var quotas: [QuotaReading] = []
    RetryHints.forEachQuota(head, in: raw.span, now: now) { quotas.append($0) }
    #expect(
      quotas == [
        QuotaReading(remaining: 99, reset: .seconds(1), isTokens: false),
        QuotaReading(remaining: 0, reset: .seconds(2), isTokens: true),
        QuotaReading(remaining: 7, reset: nil, isTokens: true),
      ])
    let exhausted = RetryHints.exhaustedReset(head, in: raw.span, now: now)
    #expect(exhausted == .seconds(2))
  }
}
