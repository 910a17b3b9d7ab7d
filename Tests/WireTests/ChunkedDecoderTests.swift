import Base
import TestSupport
import Testing

@testable import Wire

/// The decoded body, then `|` and what lies behind it when finished; or the fault.
private func decoded(_ bytes: [UInt8], _ cut: [Range<Int>], limit: Int = 1000) -> String {
  decoded(bytes, cut, with: ChunkedDecoder(limit: limit))
}

private func decoded(_ bytes: [UInt8], _ cut: [Range<Int>], with start: ChunkedDecoder) -> String {
  var buffer = ByteBuffer()
  buffer.append("HEAD" as StaticString)
  var decoder = start
  var isFinished = false
  do throws(WireFault) {
    for piece in cut {
      buffer.append(bytes.span.extracting(piece))
      if isFinished { continue }
      isFinished = try decoder.decode(&buffer, behind: 4) == .finished
      if !isFinished, buffer.count != 4 + decoder.bodyCount { return "left over" }
    }
  } catch {
    return "\(error)"
  }
  let all = buffer.contents
  guard all[..<4].elementsEqual("HEAD".bytes) else { return "head damaged" }
  let body = String(decoding: all[4..<4 + decoder.bodyCount], as: UTF8.self)
  return isFinished
    ? body + "|" + String(decoding: all[(4 + decoder.bodyCount)...], as: UTF8.self) : body + "…"
}

@Suite struct ChunkedDecoderTests {
  @Test(arguments: [
    ("0\r\n\r\n", "|"),
    ("5\r\nhello\r\n0\r\n\r\n", "hello|"),
    ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET / HTTP", "hello world|GET / HTTP"),
    ("a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n", "01234567890123456789|"),
    ("5;a=b;c=\"d;e\"\r\nhello\r\n0;x\r\n\r\n", "hello|"),
    ("00000005\r\nhello\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\nrest", "hello|rest"),
    ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n|"),
    ("5\r\nhel", "hel…"),
    ("5\r\nhello\r\n", "hello…"),
    ("", "…"),
    ("\r\n", "malformedChunkSize"),
    ("g\r\n", "malformedChunkSize"),
    ("0x5\r\nhello\r\n", "malformedChunkSize"),
    ("+5\r\nhello\r\n", "malformedChunkSize"),
    ("-1\r\n", "malformedChunkSize"),
    (" 5\r\nhello\r\n", "malformedChunkSize"),
    ("5 \r\nhello\r\n", "malformedChunkSize"),
    ("5\nhello\r\n", "malformedChunkSize"),
    ("5\r\rhello\r\n", "malformedChunkSize"),
    ("5;a\nhello\r\n", "malformedChunkSize"),
    ("000000005\r\nhello\r\n", "malformedChunkSize"),
    ("5\r\nhelloX\r\n", "malformedChunkEnd"),
    ("5\r\nhello\n", "malformedChunkEnd"),
    ("5\r\nhello\rX", "malformedChunkEnd"),
    ("0\r\n\n", "malformedTrailer"),
    ("0\r\n folded\r\n\r\n", "malformedTrailer"),
    ("0\r\nX: a\n\r\n", "malformedTrailer"),
    ("0\r\nX: a\rb\r\n", "malformedTrailer"),
    ("0\r\n\rX", "malformedTrailer"),
    ("3e9\r\n", "bodyTooLarge"),
    ("ffffffff\r\n", "bodyTooLarge"),
  ])
  func decodes(_ text: String, _ expected: String) {
    let bytes = text.bytes
    for cut in Feed.cuts(bytes.count) {
      let got = decoded(bytes, cut)
      #expect(got == expected)
      if got != expected { return }
    }
  }

  /// What nginx and libcurl take of an answer, and what neither takes.
  @Test(arguments: [
    ("5 \r\nhello\r\n0\r\n\r\n", "hello|"), ("5\t  \r\nhello\r\n0 \r\n\r\n", "hello|"),
    ("5 ;a=b\r\nhello\r\n0\r\n\r\n", "hello|"), ("5\nhello\n0\n\n", "hello|"),
    ("5;a\nhello\r\n0\nX: a\n\nrest", "hello|rest"), ("5 \nhello\r\n0\r\nX: a\r\n\n", "hello|"),
    ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello|"), ("5 \r\nhel", "hel…"), ("5 ", "…"),
    (" 5\r\nhello\r\n", "malformedChunkSize"), ("5x\r\nhello\r\n", "malformedChunkSize"),
    ("5 x\r\nhello\r\n0\r\n\r\n", "hello|"), ("5\r\rhello\r\n", "malformedChunkSize"),
    ("00000000000000005\r\n", "malformedChunkSize"), ("8000000000000000\r\n", "malformedChunkSize"),
    ("ffffffffffffffff\r\n", "malformedChunkSize"), ("7fffffffffffffff\r\nx", "x…"),
    ("2\r\nab\r\n7fffffffffffffff\r\n", "bodyTooLarge"),
    ("\r\n", "malformedChunkSize"), ("\n", "malformedChunkSize"), (" \n", "malformedChunkSize"),
    ("5\r\nhelloX\r\n", "malformedChunkEnd"), ("0\r\n folded\r\n\r\n", "malformedTrailer"),
  ])
  func decodesAnswers(_ text: String, _ expected: String) {
    let bytes = text.bytes
    for cut in Feed.cuts(bytes.count) {
      let got = decoded(bytes, cut, with: .answer)
      #expect(got == expected)
      if got != expected { return }
    }
  }

  @Test func boundsTheBlanksBehindASize() {
    let fits = "1\(String(repeating: " ", count: Limits.chunkExtension))\r\na\r\n0\r\n\r\n".bytes
    #expect(decoded(fits, [0..<fits.count], with: .answer) == "a|")
    let longer = "1\(String(repeating: " ", count: Limits.chunkExtension + 2))\r\na\r\n".bytes
    #expect(decoded(longer, [0..<longer.count], with: .answer) == "chunkExtensionTooLong")
  }

  @Test func boundsWhatIsReadOver() {
    let long = String(repeating: "x", count: Limits.chunkExtension)
    let fits = "1;\(long)\r\na\r\n0\r\n\r\n".bytes
    #expect(decoded(fits, [0..<fits.count]) == "a|")
    let longer = "1;\(long)x\r\na\r\n0\r\n\r\n".bytes
    #expect(decoded(longer, [0..<longer.count]) == "chunkExtensionTooLong")
    let trailers = ("0\r\n" + String(repeating: "X: y\r\n", count: Limits.trailer / 4 + 1) + "\r\n").bytes
    #expect(decoded(trailers, [0..<trailers.count]) == "malformedTrailer")
  }

  @Test func countsAcrossChunks() {
    let bytes = "5\r\nhello\r\n5\r\nhello\r\n1\r\nx\r\n0\r\n\r\n".bytes
    #expect(decoded(bytes, [0..<bytes.count], limit: 11) == "hellohellox|")
    #expect(decoded(bytes, [0..<bytes.count], limit: 10) == "bodyTooLarge")
  }
}
