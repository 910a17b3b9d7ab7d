import Base
import Testing

@testable import Wire

/// The heads of HTTP/2 requests (RFC 9113 §8.3.1).
struct FieldSectionTests {
  private static let start =
    ":method: POST\r\n:scheme: https\r\n:authority: localhost:1\r\n:path: /v1/x?a=b\r\n"

  private func parse(_ text: String, isWhole: Bool = false) throws(WireFault) -> RequestParser {
    var parser = RequestParser(maximumHead: 1 << 15)
    let bytes = Array(text.utf8)
    try parser.parse(fieldSection: bytes.span, isWhole: isWhole)
    #expect(parser.head.headLength == bytes.count && parser.head.isHTTP2 && parser.head.keepAlive)
    return parser
  }

  private func text(_ range: Range<Int>, of text: String) -> String {
    String(decoding: Array(text.utf8)[range], as: UTF8.self)
  }

  @Test func pseudoHeaderFieldsAreTheRequestLine() throws {
    let whole = Self.start + "content-length: 12\r\nx-api-key: k\r\n"
    let parser = try parse(whole)
    let (method, version, framing) = (parser.head.method, parser.head.version, parser.head.framing)
    #expect(method == .post && version == .http2 && framing == .length(12))
    let (path, query, host) = (parser.head.path, parser.head.query, parser.head.host)
    #expect(text(path, of: whole) == "/v1/x" && text(query, of: whole) == "a=b")
    #expect(text(host, of: whole) == "localhost:1")
    let key = parser.head.value(of: .xAPIKey)
    #expect(key.map { text($0, of: whole) } == "k")
    let fields = parser.head.fields
    #expect(fields.count == 2)
  }

  @Test func aBodyEndsWithItsStream() throws {
    let (open, whole) = (
      try parse(Self.start).head.framing, try parse(Self.start, isWhole: true).head.framing
    )
    #expect(open == .chunked && whole == BodyFraming.none)
  }

  @Test(arguments: [
    (":method: GET\r\n:path: /\r\n", WireFault.missingHost),
    (":method: GET\r\n:authority: h\r\n", .unsupportedTargetForm),
    (":method: OPTIONS\r\n:authority: h\r\n:path: *\r\n", .unsupportedTargetForm),
    (":method: GET\r\n:authority: h h\r\n:path: /\r\n", .malformedHost),
    (":method: GET\r\n:authority: h\r\n:path: /\u{7f}\r\n", .malformedTarget),
    (":method: GET\r\n:authority: h\r\n:path: /#f\r\n", .malformedTarget),
    (":method: GET\r\n:authority: h\r\n:path: /\r\nexpect: more\r\n", .unknownExpectation),
    (":method: GET\r\n:authority: h\r\n:path: /\r\ncontent-length: -1\r\n", .malformedContentLength),
    (":method: GET\r\n:authority: h\r\n:path: /\r\ntransfer-encoding: chunked\r\n", .unknownTransferEncoding),
    (":method: GET\r\n:authority: h\r\n:path: /\r\nx y: z\r\n", .spaceBeforeColon),
    (":method: GET\r\n:authority: h\r\n:path: /\r\nx: y", .malformedFieldValue),
  ])
  func whatIsNoRequest(_ text: String, _ fault: WireFault) {
    #expect(throws: fault) { _ = try parse(text) }
  }

  @Test func tooMuch() {
    let path = String(repeating: "a", count: Limits.target)
    #expect(throws: WireFault.targetTooLong) {
      _ = try parse(":method: GET\r\n:authority: h\r\n:path: /\(path)\r\n")
    }
    let fields = String(repeating: "x: y\r\n", count: Limits.headerFields + 1)
    #expect(throws: WireFault.tooManyFields) { _ = try parse(Self.start + fields) }
  }
}
