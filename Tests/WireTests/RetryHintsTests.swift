import Base
import TestSupport
import Testing

@testable import Wire

private let now = WallTime(milliseconds: 1_700_000_000_000)

/// In milliseconds.
private func hint(_ fields: String, _ body: String = "", isRate: Bool = true, zone: Interval = .zero)
  -> Int64?
{
  let raw = "HTTP/1.1 429 \r\n\(fields)\r\n".bytes
  let bodyBytes = body.bytes
  var head = ResponseHead()
  head.parse(raw.span)
  let error = ErrorBody(bodyBytes.span)
  return RetryHints.interval(
    head, in: raw.span, body: bodyBytes.span, error: error.text.span, isRate: isRate, zone: zone, now: now
  )?.milliseconds
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
      ("", #"{"retryDelay":"0.5s"}"#, 500), ("", #"{"retryDelay":17}"#, 17_000),
      ("", #"{"retryDelay":""#, nil),
      ("", #"{"retryDelay":"5s"#, nil), ("", #"{"retryDelay":"soon","retry_after":3}"#, 3000),
      (
        "", #"{"error":{"type":"usage_limit_reached","resets_at":1700000060,"resets_in_seconds":60}}"#, 60_000
      ),
      ("", #"{"error":{"resets_at":"2023-11-14T22:14:20Z"}}"#, 60_000),
      ("", #"{"error":{"details":[{"metadata":{"quotaResetDelay":"1h16m0.5s"}}]}}"#, 4_560_500),
      (
        "",
        #"{"error":{"code":429,"metadata":{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1700000030000"}}}}"#,
        30_000
      ),
      ("Retry-After: 9\r\n", #"{"error":{"message":"Please retry in 5s"}}"#, 9000),
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

  /// The clock stands at 2023-11-14 22:13:20 UTC.
  @Test(
    arguments: [
      ("You exceeded your current quota, please check your plan. \nPlease retry in 47.434392449s.", 47_434),
      ("Rate limit reached. Please try again in 7m12s. Visit", 432_000),
      ("Limit 100. Please try again in 20ms.", 20), ("Please try again in 1h2m3.5s", 3_723_500),
      ("Please retry after 86400 seconds. Please go here", 86_400_000),
      ("reached organization max RPM: 3, please try again after 1 seconds", 1000),
      ("Rate limit of 10 per 60s exceeded. Please wait 42 seconds before retrying.", 42_000),
      ("Please wait 10 hours 58 minutes before trying again.", 39_480_000),
      ("Please wait for your limit to reset in 3 hours 49 minutes or switch", 13_740_000),
      ("Please wait for your limit to reset in 1 hour and 5 minutes", 3_900_000),
      ("Try again in about 3 hours.", 10_800_000), ("Please try again in 2 hours, 5 min.", 7_500_000),
      ("Please try again in an hour", 3_600_000), ("Try again in a minute.", 60_000),
      ("Your quota will reset after 27h41m36s.", 99_696_000), ("Resets in 9h22m20s.", 33_740_000),
      ("Come back in 3h 47m", 13_620_000), ("Try again in 2 days", 172_800_000),
      ("available in 30 sec", 30_000), ("retry in: 5s", 5000), ("RETRY IN ~ 5s", 5000),
      ("Retrying is no use. Wait 5s", 5000), ("Wait a moment, then retry in 6s", 6000),
      // Dates.
      ("Usage limit reached for 5 hour. Your limit will reset at 2023-11-15 02:13:20", 14_400_000),
      ("[1308][Your limit will reset at 2023-11-14 22:14:20][20231114]", 60_000),
      ("Limit Exhausted... reset at 2023-11-14T22:14:20Z", 60_000),
      ("reset at 2023-11-14T22:14:20.500Z", 60_000), ("resets at 2023-11-14T23:14:20+01:00", 60_000),
      ("resets at 2023-11-14 23:14:20 +0100 CET", 60_000), ("reset at 2023-11-15 06:14:20 UTC+8", 60_000),
      ("reset at 2023-11-15 06:14:20 (UTC+08:00)", 60_000),
      ("reset at 2023-11-14 22:14:20 +0000 UTC", 60_000),
      ("You will regain access on 2023-11-15 at 00:00 UTC.", 6_400_000),
      ("You will regain access on 2023-11-15.", 6_400_000), ("You may retry on 2023/11/15", 6_400_000),
      ("blocked until 2023-11-14, 22:15", 100_000),
      ("\u{60A8}\u{7684}\u{9650}\u{989D}\u{5C06}\u{5728} 2023-11-14 22:14:20 \u{91CD}\u{7F6E}", 60_000),
      // Nothing to go by.
      ("try again later", nil), ("try again in a while", nil), ("Please wait a moment", nil),
      ("try again in a few seconds", nil), ("reset at 2020-01-01 00:00:00", nil),
      ("reset at 2023-11-14", nil),
      ("reset at 2023-13-45 00:00", nil), ("API version 2023-11-20-preview", nil),
      ("resets at 10:57 PM", nil), ("retry in 5", nil), ("retry in 5 tries", nil), ("wait 5 months", nil),
      ("limit 5s", nil), ("retry", nil), ("retry in ", nil), ("wait 999999999 hours", nil), ("", nil),
      ("retry in 1.s", nil), ("reset at 2023-11-15 0", 6_400_000), ("wait 99999999999999999999999999h", nil),
    ] as [(String, Int64?)])
  func readsSentences(_ sentence: String, _ expected: Int64?) {
    #expect(hint("", sentence) == expected)
    var body = ByteBuffer()
    body.append(#"{"error":{"message":"#)
    body.append(jsonString: sentence.bytes.span)
    body.append("}}")
    #expect(
      hint("", String(decoding: body.withBytes { $0.withUnsafeBufferPointer { Array($0) } }, as: UTF8.self))
        == expected)
  }

  /// Z.ai's dates are Beijing's, and say so nowhere.
  @Test func datesWithoutAZoneAreTheProviders() {
    let zone = Interval.seconds(8 * 3600)
    #expect(hint("", "reset at 2023-11-15 06:14:20", zone: zone) == 60_000)
    #expect(hint("", "reset at 2023-11-14 22:14:20 UTC", zone: zone) == 60_000)
    #expect(hint("", "wait 5s", zone: zone) == 5000)
  }

  /// A minute's quota that is not used up says nothing of an account that is.
  @Test func shortResetsAreNotAQuotas() {
    #expect(hint("x-ratelimit-reset-requests: 20ms\r\n", "{}") == 20)
    #expect(hint("x-ratelimit-reset-requests: 20ms\r\n", "{}", isRate: false) == nil)
    #expect(hint("Retry-After: 3\r\nx-ratelimit-reset-requests: 20ms\r\n", "{}", isRate: false) == 3000)
  }

  /// Every beginning of every sentence is read without a mistake.
  @Test func sentencesMayBreakOff() {
    for text in [
      "reset at 2023-11-15 06:14:20.5 (UTC+08:00)", "wait 1 hour and 5 min, 3.5 s", "on an a retry a",
    ] {
      let bytes = text.bytes
      for length in 0...bytes.count { _ = hint("", String(decoding: bytes[..<length], as: UTF8.self)) }
    }
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
