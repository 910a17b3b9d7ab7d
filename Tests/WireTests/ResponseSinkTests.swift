import Base
import Testing
import Wire

/// An answer as a client's connection gets it: the sink gathers, and nothing is sent.
private struct Answer: ~Copyable {
  let sink = ResponseSink(WriteBuffer(gathering: WriteQueue(), place: 0))
  var head = ByteBuffer()

  mutating func begin(_ version: HTTPVersion, length: Int64?, hasBody: Bool = true, goesOn: Bool = true) {
    head.appendStatusLine(200)
    sink.begin(version, length: length, hasBody: hasBody, in: &head)
    sink.endHead(&head, goesOn: goesOn)
  }

  mutating func send(_ text: String) {
    let bytes = Array(text.utf8)
    sink.send(&head, bytes.span)
  }

  /// All that has been written so far.
  var written: String { String(decoding: sink.output.waiting, as: UTF8.self) }
}

/// RFC 9112 §6.3: what says where a body ends, by what is known of it and by what the client knows.
@Suite struct ResponseSinkTests {
  struct Row: CustomTestStringConvertible {
    let version: HTTPVersion
    let length: Int64?
    var hasBody = true
    var goesOn = true
    let fields: String
    let body: String
    let endsConnection: Bool
    var testDescription: String {
      "\(version), \(length.map(String.init) ?? "no length"), \(hasBody), \(goesOn)"
    }
  }

  @Test(arguments: [
    Row(version: .http11, length: 5, fields: "Content-Length: 5\r\n", body: "abcde", endsConnection: false),
    Row(
      version: .http11, length: nil, fields: "Transfer-Encoding: chunked\r\n",
      body: "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", endsConnection: false),
    Row(
      version: .http11, length: nil, goesOn: false,
      fields: "Transfer-Encoding: chunked\r\nConnection: close\r\n",
      body: "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", endsConnection: false),
    Row(
      version: .http10, length: 5, fields: "Content-Length: 5\r\nConnection: keep-alive\r\n", body: "abcde",
      endsConnection: false),
    Row(version: .http10, length: nil, fields: "Connection: close\r\n", body: "abcde", endsConnection: true),
    Row(version: .http2, length: nil, fields: "", body: "abcde", endsConnection: false),
    Row(
      version: .http2, length: 5, goesOn: false, fields: "Content-Length: 5\r\n", body: "abcde",
      endsConnection: false),
  ]) func framing(_ row: Row) {
    var answer = Answer()
    answer.begin(row.version, length: row.length, goesOn: row.goesOn)
    answer.send("ab")
    answer.send("")
    answer.send("cde")
    answer.sink.end()
    #expect(answer.written == "HTTP/1.1 200 OK\r\n\(row.fields)\r\n\(row.body)")
    #expect(answer.sink.endsConnection == row.endsConnection)
  }

  /// An answer to HEAD, 204 and 304 have no body, and so no end of one.
  @Test(arguments: [HTTPVersion.http10, .http11, .http2]) func withoutBody(_ version: HTTPVersion) {
    for length: Int64? in [nil, 7] {
      var answer = Answer()
      answer.begin(version, length: length, hasBody: false)
      answer.send("")
      answer.sink.end()
      let told = length == nil ? "" : "Content-Length: 7\r\n"
      let kept = version == .http10 ? "Connection: keep-alive\r\n" : ""
      #expect(answer.written == "HTTP/1.1 200 OK\r\n\(told)\(kept)\r\n")
      #expect(!answer.sink.endsConnection)
    }
  }

  /// Nobody may take it for whole; the next answer's fate is its own.
  @Test func aCutEndsTheConnection() {
    var answer = Answer()
    answer.begin(.http11, length: 9)
    answer.send("abc")
    answer.sink.cut()
    #expect(answer.sink.isCut && answer.sink.endsConnection)
    answer.begin(.http11, length: 0)
    #expect(!answer.sink.isCut && !answer.sink.endsConnection)
  }

  /// Small pieces are copied behind their head, large ones lie where they are, and two are one chunk: what comes is the
  /// same.
  @Test(arguments: [0, 1, Limits.copiedPiece, Limits.copiedPiece + 1, 70_000]) func anySize(_ size: Int) {
    let text = String(repeating: "x", count: size)
    var answer = Answer()
    answer.begin(.http11, length: nil)
    answer.send(text)
    let chunk = size == 0 ? "" : "\(String(size, radix: 16))\r\n\(text)\r\n"
    #expect(answer.written == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(chunk)")
    let isSent = answer.head.isEmpty
    #expect(isSent)
    let before = answer.written
    Array(text.utf8).withUnsafeBytes { bytes in
      let (first, second) = (bytes.prefix(size / 3), bytes.dropFirst(size / 3))
      answer.sink.send(
        &answer.head, UnsafeRawBufferPointer(rebasing: first), UnsafeRawBufferPointer(rebasing: second),
        isLast: true)
    }
    #expect(answer.written == before + chunk)
  }

  @Test func afterASwitchBytesAreNoLongerHTTP() {
    var answer = Answer()
    answer.sink.switchProtocols()
    answer.send("frames")
    answer.sink.end()
    #expect(answer.written == "frames")
    #expect(answer.sink.endsConnection)
  }
}
