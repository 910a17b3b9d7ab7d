import Base
import Lab
import Testing

@Suite struct AnswerReaderTests {
  private struct Seen: Equatable {
    var progress: AnswerReader.Progress
    var status: Int
    var bodyCount: Int
    var closes: Bool
  }

  /// Feeds the text cut at `cut`.
  private static func read(_ text: String, cut: Int) -> Seen {
    let bytes = Array(text.utf8)
    var reader = AnswerReader()
    var progress = reader.read(bytes.span.extracting(0..<cut))
    if progress == .needMore { progress = reader.read(bytes.span.extracting(cut..<bytes.count)) }
    if progress == .needMore, reader.readEnd() { progress = .complete }
    return Seen(
      progress: progress, status: reader.status, bodyCount: reader.bodyCount, closes: reader.closes)
  }

  @Test(arguments: [
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", AnswerReader.Progress.complete, 200, 5, false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", .complete, 200, 0, true),
    ("HTTP/1.1 204 No Content\r\n\r\n", .complete, 204, 0, false),
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 1\r\n\r\nx", .complete, 201, 1, false),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n",
      .complete, 200, 15, false
    ),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nTrailer: y\r\n\r\n", .complete,
      200, 1,
      false
    ),
    ("HTTP/1.1 200 OK\r\n\r\nuntil the end", .complete, 200, 13, true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", .needMore, 200, 4, false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", .needMore, 200, 5, false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX", .malformed, 200, 5, false),
    ("SSH-2.0-OpenSSH\r\n\r\n", .malformed, 0, 0, false),
  ])
  func atEveryCut(text: String, progress: AnswerReader.Progress, status: Int, count: Int, closes: Bool) {
    let expected = Seen(progress: progress, status: status, bodyCount: count, closes: closes)
    for cut in 0...text.utf8.count { #expect(Self.read(text, cut: cut) == expected, "cut at \(cut)") }
  }
}
