import Base
import TestSupport
import Testing

@testable import Wire

/// What a request became, in one line.
private func outcome(_ bytes: [UInt8], _ cut: [Range<Int>], maximumHead: Int = 32 * 1024) -> String {
  var parser = RequestParser(maximumHead: maximumHead)
  do throws(WireFault) {
    for piece in cut {
      let received = bytes.span.extracting(0..<piece.upperBound)
      if try parser.parse(received) == .complete { return summary(parser.head, received) }
    }
    return "needMore"
  } catch {
    return "\(error)"
  }
}

private func summary(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) -> String {
  var text = "\(head.method) \(bytes.extracting(head.path).text)?\(bytes.extracting(head.query).text)"
  text += " host=\(bytes.extracting(head.host).text) 1.\(head.minorVersion) \(head.framing)"
  text += head.keepAlive ? " keep" : " close"
  if head.expectsContinue { text += " expect" }
  return text + " fields=\(head.fields.count) length=\(head.headLength)"
}

private func checkAllCuts(_ bytes: [UInt8], _ expected: String, maximumHead: Int = 32 * 1024) {
  for cut in Feed.cuts(bytes.count) {
    let got = outcome(bytes, cut, maximumHead: maximumHead)
    #expect(got == expected, "cut \(cut.count > 2 ? "byte by byte" : "\(cut)")")
    if got != expected { return }
  }
}

@Suite struct RequestParserTests {
  @Test(arguments: [
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "get /? host=a 1.1 none keep fields=1 length=27"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", "get /? host=a 1.1 none keep fields=1 length=27"),
    ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "get /? host=a 1.1 none keep fields=1 length=29"),
    ("GET / HTTP/1.1\r\nhOsT:a:80\t \r\n\r\n", "get /? host=a:80 1.1 none keep fields=1 length=31"),
    ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "get /? host=[::1]:80 1.1 none keep fields=1 length=34"),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "get /? host= 1.1 none keep fields=1 length=25"),
    ("GET / HTTP/1.7\r\nHost: a\r\n\r\n", "get /? host=a 1.1 none keep fields=1 length=27"),
    ("GET / HTTP/1.0\r\n\r\n", "get /? host= 1.0 none close fields=0 length=18"),
    (
      "GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n",
      "get /? host= 1.0 none keep fields=1 length=45"
    ),
    (
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, ,CLOSE\r\n\r\n",
      "get /? host=a 1.1 none close fields=2 length=59"
    ),
    (
      "POST /v1/x?a=b?c HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n",
      "post /v1/x?a=b?c host=a 1.1 length(12) keep fields=2 length=58"
    ),
    (
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n",
      "post /x? host=a 1.1 chunked keep expect fields=3 length=79"
    ),
    (
      "GET http://h.example:8080/p?q HTTP/1.1\r\nHost: other\r\n\r\n",
      "get /p?q host=h.example:8080 1.1 none keep fields=1 length=55"
    ),
    ("GET HTTPS://h HTTP/1.1\r\nHost: h\r\n\r\n", "get ? host=h 1.1 none keep fields=1 length=35"),
    (
      "BREW /%20 HTTP/1.1\r\nHost: h\r\nX: \u{e9}\r\n\r\n",
      "other /%20? host=h 1.1 none keep fields=2 length=38"
    ),
    ("get / HTTP/1.1\r\nHost: h\r\n\r\n", "other /? host=h 1.1 none keep fields=1 length=27"),
    ("GET / HTTP/1.0\r\nExpect: x\r\n\r\n", "get /? host= 1.0 none close fields=1 length=29"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", "get /? host=a 1.1 none keep fields=2 length=31"),
    ("GET / HTTP/1.1\r\nHost: a\r\n", "needMore"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r", "needMore"),
    ("\r", "needMore"),
    ("", "needMore"),
  ])
  func accepts(_ text: String, _ expected: String) { checkAllCuts(text.bytes, expected) }

  @Test(arguments: [
    ("GET / HTTP/1.1\nHost: a\n\n", WireFault.bareLineFeed),
    ("GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed),
    ("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
    ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", .bareCarriageReturn),
    ("GET / HTTP/1.1\r\nX: a\rb\r\n\r\n", .bareCarriageReturn),
    ("GET / HTTP/1.1\r\nX: a\r\r\n\r\n", .bareCarriageReturn),
    ("GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", .malformedFieldValue),
    ("GET / HTTP/1.1\r\nX: a\u{7f}\r\n\r\n", .malformedFieldValue),
    ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", .foldedField),
    ("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", .foldedField),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", .spaceBeforeColon),
    ("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", .spaceBeforeColon),
    ("GET / HTTP/1.1\r\n: a\r\n\r\n", .malformedFieldName),
    ("GET / HTTP/1.1\r\nH\u{e9}: a\r\n\r\n", .malformedFieldName),
    ("GET / HTTP/1.1\r\nA(b: a\r\n\r\n", .malformedFieldName),
    ("GET / HTTP/1.1\r\nHost\r\n\r\n", .malformedFieldName),
    ("GET / HTTP/1.1\r\n\r\n", .missingHost),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", .repeatedHost),
    ("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", .repeatedHost),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .malformedHost),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .malformedHost),
    ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .malformedHost),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", .repeatedContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", .repeatedContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", .malformedContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", .malformedContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", .malformedContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", .malformedContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", .malformedContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", .malformedContentLength),
    (
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      .lengthAndTransferEncoding
    ),
    (
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
      .lengthAndTransferEncoding
    ),
    (
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      .repeatedTransferEncoding
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .unknownTransferEncoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", .unknownTransferEncoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", .unknownTransferEncoding),
    ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .transferEncodingInHTTP10),
    ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", .unknownExpectation),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", .unsupportedVersion),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
    ("GET / HTTP/0.9\r\n\r\n", .unsupportedVersion),
    ("GET /\r\n\r\n", .malformedRequestLine),
    ("GET / http/1.1\r\n\r\n", .malformedRequestLine),
    ("GET / HTTP/1.10\r\n\r\n", .malformedRequestLine),
    ("GET / HTTP/1.1 \r\n\r\n", .malformedRequestLine),
    ("GET  / HTTP/1.1\r\n\r\n", .malformedRequestLine),
    ("GET /  HTTP/1.1\r\n\r\n", .malformedRequestLine),
    ("GET\t/ HTTP/1.1\r\n\r\n", .malformedRequestLine),
    (" GET / HTTP/1.1\r\n\r\n", .malformedRequestLine),
    ("\u{16}\u{3}\u{1}\u{2}\n", .malformedRequestLine),
    ("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", .malformedRequestLine),
    ("GET /a\u{1}b HTTP/1.1\r\n\r\n", .malformedTarget),
    ("GET /\u{e9} HTTP/1.1\r\n\r\n", .malformedTarget),
    ("GET /a#b HTTP/1.1\r\n\r\n", .malformedTarget),
    ("GET http:///a HTTP/1.1\r\n\r\n", .malformedTarget),
    ("GET http://u@h/a HTTP/1.1\r\n\r\n", .malformedTarget),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", .unsupportedTargetForm),
    ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", .unsupportedTargetForm),
    ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", .unsupportedTargetForm),
  ])
  func refuses(_ text: String, _ fault: WireFault) { checkAllCuts(text.bytes, "\(fault)") }

  @Test func refusesWhatIsTooLarge() {
    let long = String(repeating: "a", count: Limits.target)
    let target = "GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n".bytes
    let endless = "GET /\(long)\(long)".bytes
    for bytes in [target, endless] {
      #expect(outcome(bytes, [0..<bytes.count]) == "targetTooLong")
      #expect(outcome(bytes, (0..<bytes.count).map { $0..<$0 + 1 }) == "targetTooLong")
    }
    let largest = "GET \(String(repeating: "/", count: Limits.target)) HTTP/1.1\r\nHost: a\r\n\r\n".bytes
    #expect(outcome(largest, [0..<largest.count]).hasPrefix("get "))
    checkAllCuts("GET / HTTP/1.1\r\nHost: abcdefghijklmnopqrst".bytes, "headTooLarge", maximumHead: 40)
    checkAllCuts("GET / HTTP/1.1\r\nHost: abcdefghijklm\r\n\r\n".bytes, "headTooLarge", maximumHead: 38)
    let fields = String(repeating: "X: y\r\n", count: Limits.headerFields - 1)
    let most = "GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".bytes
    #expect(outcome(most, [0..<most.count]).hasPrefix("get "))
    let more = "GET / HTTP/1.1\r\nHost: a\r\n\(fields)X: y\r\n\r\n".bytes
    #expect(outcome(more, [0..<more.count]) == "tooManyFields")
  }

  @Test func looksUpFields() throws {
    var parser = RequestParser(maximumHead: 4096)
    for round in 0..<3 {
      let bytes =
        "POST / HTTP/1.1\r\nHost: a\r\nX-Synaxis-Provider: p\(round)\r\nX-Own: 1\r\nCookie: a\r\nCookie: b\r\n\r\n"
        .bytes
      let progress = try parser.parse(bytes.span)
      #expect(progress == .complete)
      let provider = parser.head.value(of: .provider) ?? 0..<0
      #expect(bytes.span.extracting(provider).text == "p\(round)")
      let own = parser.head.value(of: "x-own", in: bytes.span) ?? 0..<0
      #expect(bytes.span.extracting(own).text == "1")
      let authorization = parser.head.value(of: .authorization)
      #expect(authorization == nil)
      let counts = [parser.head.count(of: .cookie), parser.head.count(of: .origin)]
      #expect(counts == [2, 0])
      parser.reset()
      #expect(parser.head.fields.isEmpty)
      let forgotten = parser.head.value(of: .provider)
      #expect(forgotten == nil)
    }
  }

  @Test(arguments: KnownField.allCases)
  func knowsEveryFieldInAnyCase(_ field: KnownField) {
    if field == .other { return }
    let name = "\(field.spelling)"
    #expect(KnownField(name.bytes.span) == field)
    #expect(KnownField(name.uppercased().bytes.span) == field)
    #expect(KnownField((name + "x").bytes.span) != field)
  }

  @Test func everyFaultHasAStatusAndAReason() {
    #expect(WireFault.unknownTransferEncoding.status == 501)
    #expect(WireFault.bodyTooLarge.status == 413)
    #expect(WireFault.tooManyFields.status == 431)
    #expect(WireFault.unsupportedVersion.status == 505)
    #expect(WireFault.bareLineFeed.status == 400)
  }
}
