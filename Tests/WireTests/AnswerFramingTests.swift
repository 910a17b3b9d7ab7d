import Base
import TestSupport
import Testing

@testable import Wire

/// How an answer reads: status lines by their status, fields by their length, the body's bytes, and how it ends:
/// `.` complete and the connection stays, `/` complete and it does not, `…` more is needed (`…|` if closing now
/// would make it whole), `!` malformed; then what lies behind the end.
private func read(
  _ bytes: [UInt8], _ cut: [Range<Int>], to request: AnswerFraming.Request = .ordinary
) -> String {
  var framing = AnswerFraming()
  framing.request = request
  var head = ResponseHead()
  var buffer = ByteBuffer()
  var told = ""
  var isOver = false
  for piece in cut {
    buffer.append(bytes.span.extracting(piece))
    var at = 0
    reading: while !isOver {
      switch buffer.withBytes({ framing.next($0, &at, head: &head) }) {
      case .head(let lines, let isWhole):
        for line in buffer.withBytes({ $0.extracting(lines).lines }) where line.count > 2 {
          told += "\(line.count),"
        }
        if isWhole { told += "\(framing.status) " }
      case .body(let range): told += buffer.withBytes { $0.extracting(range).text }
      case .needMore: break reading
      case .complete: isOver = true
      case .malformed: return told + "!"
      }
    }
    buffer.consume(at)
  }
  if isOver { return told + (framing.keepsConnection ? "." : "/") + buffer.contentText }
  return told + "…" + (framing.isWholeAtClose ? "|" : "")
}

private let ok = "HTTP/1.1 200 OK\r\n"

@Suite struct AnswerFramingTests {
  @Test(arguments: [
    // A length, chunks, or the connection's end.
    (ok + "Content-Length: 5\r\n\r\nhello", "17,19,200 hello."),
    (ok + "Content-Length: 5\r\n\r\nhelloHTTP", "17,19,200 hello.HTTP"),
    (ok + "Content-Length: 0\r\n\r\n", "17,19,200 ."),
    (ok + "Content-Length: 5\r\n\r\nhell", "17,19,200 hell…"),
    (ok + "content-length:5\r\nContent-Length: 5 \r\n\r\nhello", "17,18,20,200 hello."),
    (
      ok + "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX: y\r\n\r\n",
      "17,28,200 hello!."
    ),
    (ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "17,28,200 hello…"),
    (ok + "Transfer-Encoding: chunked\r\n\r\n5  \r\nhello\r\n0 \r\n\r\n", "17,28,200 hello."),
    (ok + "Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n", "17,28,200 hello."),
    (ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n", "17,28,200 …"),
    (ok + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", "17,29,19,200 x."),
    (ok + "\r\nall up to the end", "17,200 all up to the end…|"),
    (ok + "\r\n", "17,200 …|"),
    // Answers without a body, and interim ones.
    ("HTTP/1.1 204 No Content\r\n\r\n", "25,204 ."),
    ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "27,19,304 ."),
    (
      "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n" + ok + "Content-Length: 1\r\n\r\nx",
      "23,19,100 17,19,200 x."
    ),
    ("HTTP/1.1 101 Switching\r\nContent-Length: 3\r\n\r\nabcd", "24,19,!"),
    ("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 101 Switching\r\n\r\n" + ok, "25,102 24,!"),
    // Whether another request may follow.
    (ok + "Connection: Close\r\nContent-Length: 1\r\n\r\nx", "17,19,19,200 x/"),
    (ok + "Connection: keep-alive\r\nContent-Length: 1\r\n\r\nx", "17,24,19,200 x."),
    ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "17,19,200 x/"),
    (ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "17,19,28,200 x/"),
    // Line ends and status lines that are allowed.
    ("HTTP/1.1 200\nContent-Length: 1\n\nx", "13,18,200 x."),
    ("HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", "15,19,200 x."),
    (ok + "HTTP/1.1: 100 x\r\nContent-Length: 1\r\n\r\nx", "17,17,19,200 x."),
    // Not HTTP/1.1, or not to be believed.
    ("SSH-2.0-OpenSSH_9.2\r\n", "!"), ("SSH", "!"), ("HTTP/1.", "…"), ("", "…"), ("\r\n", "!"),
    ("HTTP/2 200 OK\r\n", "!"), ("HTTP/1.1  200 OK\r\n", "!"), ("HTTP/1.1 2000 OK\r\n", "!"),
    ("HTTP/1.1 20 OK\r\n", "!"), ("HTTP/1.1 099 OK\r\n", "!"), ("HTTP/1.x 200 OK\r\n", "!"),
    (ok + "Content-Length: 5\r\nContent-Length: 6\r\n", "17,19,!"),
    (ok + "Content-Length: +5\r\n", "17,!"), (ok + "Content-Length: 5, 5\r\n", "17,!"),
    (ok + "Content-Length:\r\n", "17,!"), (ok + "Content-Length: 99999999999999999999\r\n", "17,!"),
    (ok + "Content-Length : 5\r\nContent-Length: 6\r\n", "17,20,!"),
    (ok + "Transfer-Encoding: gzip\r\n", "17,!"), (ok + "Transfer-Encoding: chunked, chunked\r\n", "17,!"),
    (ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "17,28,!"),
    (ok + "X: y\r\n folded\r\n", "17,6,!"), (ok + "No colon here\r\n", "17,!"), (ok + "X: \0\r\n", "17,!"),
    (ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "17,28,200 !"),
    (ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX", "17,28,200 hello!"),
    (ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", "17,28,200 !"),
  ])
  func readsAtEveryCut(_ text: String, _ expected: String) {
    let bytes = text.bytes
    for cut in Feed.cuts(bytes.count) {
      let got = read(bytes, cut)
      #expect(got == expected, "\(cut)")
      if got != expected { return }
    }
  }

  /// What was asked for decides what an answer's body is.
  @Test(arguments: [
    (AnswerFraming.Request.head, ok + "Content-Length: 5\r\n\r\n" + ok, "17,19,200 ." + ok),
    (.head, ok + "Transfer-Encoding: chunked\r\n\r\n", "17,28,200 ."),
    (.head, ok + "\r\n", "17,200 ."),
    (.upgrade, "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\u{1}\u{1}x", "24,20,101 \u{1}\u{1}x…|"),
    (.upgrade, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching\r\n\r\n", "23,100 24,101 …|"),
    (.upgrade, "HTTP/1.1 400 No\r\nContent-Length: 1\r\n\r\nx", "17,19,400 x."),
  ])
  func asksForOtherThings(_ request: AnswerFraming.Request, _ text: String, _ expected: String) {
    let bytes = text.bytes
    for cut in Feed.cuts(bytes.count) {
      #expect(read(bytes, cut, to: request) == expected, "\(cut)")
    }
  }

  @Test func boundsALineWithoutAnEnd() {
    let bytes = (ok + "X: " + String(repeating: "x", count: Limits.upstreamHead + 1)).bytes
    #expect(read(bytes, [0..<bytes.count]) == "17,!")
  }
}
