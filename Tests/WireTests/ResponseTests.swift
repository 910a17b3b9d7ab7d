import Base
import TestSupport
import Testing

@testable import Wire

@Suite struct ResponseTests {
  private let now = WallTime(milliseconds: 784_111_777_000)

  @Test(
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
      (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
      (951_782_399_999, "Mon, 28 Feb 2000 23:59:59 GMT", "2000-02-28T23:59:59.999Z"),
      (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00.000Z"),
      (1_709_251_199_000, "Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59.000Z"),
      (4_107_542_400_000, "Mon, 01 Mar 2100 00:00:00 GMT", "2100-03-01T00:00:00.000Z"),
      (-1, "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59.999Z"),
    ] as [(Int64, String, String)])
  func writesAndReadsDates(_ milliseconds: Int64, _ http: String, _ rfc3339: String) {
    let time = WallTime(milliseconds: milliseconds)
    var out = ByteBuffer()
    out.append(httpDate: time)
    #expect(out.contentText == http)
    var iso = ByteBuffer()
    iso.append(rfc3339: time)
    #expect(iso.contentText == rfc3339)
    let second = WallTime(milliseconds: milliseconds - (milliseconds % 1000 + 1000) % 1000)
    let readHTTP = HTTPDate.parse(http.bytes.span, now: now)
    #expect(readHTTP == second)
    let readISO = HTTPDate.parseRFC3339(rfc3339.bytes.span)
    #expect(readISO == time)
  }

  @Test(
    arguments: [
      ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777_000), ("Sun Nov  6 08:49:37 1994", 784_111_777_000),
      ("Sun Nov 16 08:49:37 1994", 784_975_777_000), ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
      ("Sun, 06 Nov 1994 08:49:37 CET", nil), ("Sun, 31 Feb 1994 08:49:37 GMT", nil),
      ("Sun, 06 Nov 1994 24:49:37 GMT", nil), ("Sun, 6 Nov 1994 08:49:37 GMT", nil),
      ("Sun, 06 Foo 1994 08:49:37 GMT", nil),
      ("", nil), (",", nil), ("Sun,", nil), ("1994-11-06T08:49:37Z", nil),
    ] as [(String, Int64?)])
  func readsOldDates(_ text: String, _ expected: Int64?) {
    let read = HTTPDate.parse(text.bytes.span, now: now)
    #expect(read == expected.map { WallTime(milliseconds: $0) })
  }

  @Test(
    arguments: [
      ("1994-11-06T09:49:37+01:00", 784_111_777_000), ("1994-11-06 08:49:37.5z", 784_111_777_500),
      ("1994-11-06T08:19:37.1239999-00:30", 784_111_777_123), ("1994-11-06T08:49:37", nil),
      ("1994-13-06T08:49:37Z", nil), ("1994-11-06T08:49:37.Z", nil), ("1994-11-06T08:49:37+0100", nil),
    ] as [(String, Int64?)])
  func readsRFC3339(_ text: String, _ expected: Int64?) {
    let read = HTTPDate.parseRFC3339(text.bytes.span)
    #expect(read == expected.map { WallTime(milliseconds: $0) })
  }

  @Test func writesHeads() {
    var out = ByteBuffer()
    out.appendStatusLine(429)
    out.appendField("X-A", "b")
    out.appendField("X-C", "d\r\ne: \u{7f}é".bytes.span)
    out.appendField("content-length", decimal: 12)
    out.append("Date: ")
    out.append(httpDate: now)
    out.append("\r\n")
    out.appendHeadEnd()
    out.appendChunkStart(255)
    out.appendChunkEnd()
    out.appendLastChunk()
    #expect(
      out.contentText
        == "HTTP/1.1 429 Too Many Requests\r\nX-A: b\r\nX-C: d  e:  é\r\ncontent-length: 12\r\n"
        + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nff\r\n\r\n0\r\n\r\n")
    var odd = ByteBuffer()
    odd.appendStatusLine(799)
    #expect(odd.contentText == "HTTP/1.1 799 \r\n")
  }

  @Test func readsAProvidersHead() {
    let raw =
      ("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/2 200 \r\nContent-Type:  text/event-stream \r\nempty:\r\n"
      + "no colon\r\n: none\r\nb d: x\r\nhttp/1.1: 100 x\r\nHTTP/1.1 204 b: x\r\nConnection: close, X-Hop\r\nx-hop: 1\r\nX-Stay: 1\nset-cookie: a\r\n\r\n")
      .bytes
    var head = ResponseHead()
    #expect(head.parse(raw.span) == true)
    #expect(head.status == 200)
    var lines: [String] = []
    for field in head.fields {
      let name = raw.span.extracting(field.name).text
      let value = raw.span.extracting(field.value).text
      lines.append("\(name)=\(value)" + (head.crosses(field, in: raw.span) ? "" : " stays"))
    }
    #expect(
      lines == [
        "Content-Type=text/event-stream", "empty=", "Connection=close, X-Hop stays", "x-hop=1 stays",
        "X-Stay=1",
        "set-cookie=a stays",
      ])
    let type = head.value(of: "content-type", in: raw.span) ?? 0..<0
    #expect(raw.span.extracting(type).text == "text/event-stream")
    #expect(head.value(of: .contentType) == type)
    #expect(head.value(of: .host) == nil)
    #expect(head.parse("nonsense\r\n".bytes.span) == false)
    #expect(head.status == 0)
  }

  @Test(arguments: [
    "content-type", "X-RateLimit-Remaining-Requests", "ratelimit-reset", "anthropic-ratelimit-tokens-reset",
    "retry-after",
    "Retry-After-Ms", "openai-processing-ms", "cf-ray", "request-id", "content-encoding", "content-language",
    "x-groq-region",
  ])
  func crossesToTheClient(_ name: String) { #expect(isToldToClients(name) == true) }

  @Test(arguments: [
    "Connection", "keep-alive", "proxy-authenticate", "Proxy-Connection", "te", "trailer",
    "Transfer-Encoding", "upgrade",
    "Set-Cookie", "set-cookie2", "Content-Length", "date", "Server", "alt-svc", "Strict-Transport-Security",
    "x-request-id",
    "X-Synaxis-Provider", "x-synaxis-anything", "Access-Control-Allow-Origin", "x-accel-redirect",
    "x-sendfile",
    "www-authenticate", "via", "age", "cache-control", "server-timing", "nel", "report-to", "",
  ])
  func staysBehind(_ name: String) { #expect(isToldToClients(name) == false) }

  @Test(arguments: [
    "Accept", "content-type", "User-Agent", "OpenAI-Beta", "openai-organization", "openai-project",
    "anthropic-beta",
    "anthropic-version", "Idempotency-Key", "HTTP-Referer", "X-Title", "X-Stainless-OS", "x-custom",
    "traceparent",
    "tracestate", "baggage", "x-session-id", "session-id", "x-grok-conv-id", "X-Client-Request-Id",
    "x-request-id",
    "x-amzn-trace-id", "accept-language", "Cache-Control", "helicone-property-a", "X-Tokens",
  ])
  func crossesToTheProvider(_ name: String) { #expect(isToldToProviders(name) == true) }

  @Test(arguments: [
    "Authorization", "Cookie", "Host", "Connection", "Content-Length", "Transfer-Encoding", "Origin",
    "Referer",
    "Accept-Encoding", "X-Synaxis-Cache", "x-forwarded-for", "X-Real-IP", "x-api-key", "api-key",
    "expect", "content-encoding", "x-forwarded-proto", "x-forwarded-access-token", "true-client-ip",
    "CF-Connecting-IP",
    "cf-access-jwt-assertion", "x-goog-api-key", "x-csrf-token", "X-Auth-Request-Email",
    "X-Cluster-Client-IP",
    "remote-user", "x-remote-user", "via", "sec-fetch-site", "Sec-WebSocket-Key", "upgrade-insecure-requests",
    "access-control-request-method", "HTTP2-Settings", "keep-alive", "x-ms-client-principal-name",
    "Forwarded", "proxy-authorization", "te", "",
  ])
  func staysHere(_ name: String) { #expect(isToldToProviders(name) == false) }
}

private func isToldToClients(_ name: String) -> Bool {
  FieldRules.crossesToClient(KnownField(name.bytes.span), name.bytes.span)
}

private func isToldToProviders(_ name: String) -> Bool {
  FieldRules.crossesToProvider(KnownField(name.bytes.span), name.bytes.span)
}
