import Base
import TestSupport
import Testing
import Wire

@Suite struct WebSocketTests {
  /// RFC 6455 §1.3.
  @Test func accepts() {
    let key = "dGhlIHNhbXBsZSBub25jZQ==".bytes
    let isKey = WebSocket.isKey(key.span)
    let accept = WebSocket.accept(of: key.span)
    #expect(isKey)
    #expect(accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }

  @Test(arguments: [
    "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ==x", "dGhlIHNhbXBsZSBub25jZ===",
    "dGhlIHNhbXBsZSBub25j\r\n==",
  ])
  func noKeys(_ text: String) {
    let bytes = text.bytes
    let isKey = WebSocket.isKey(bytes.span)
    #expect(!isKey)
  }

  /// FIPS 180-4's own examples, of one block and of two.
  @Test(arguments: [
    ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"), ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
  ])
  func digests(_ text: String, _ expected: String) {
    let bytes = text.bytes
    let digest = SHA1.digest(of: bytes.span)
    var hex = ByteBuffer()
    for i in 0..<20 { hex.append(hex: UInt64(digest[i]), digits: 2) }
    #expect(hex.contentText == expected)
  }

  /// Frames of all three lengths, masked and not; the last one closes.
  private static let frames: [[UInt8]] = [
    [0x81, 0x02, 65, 66], [0x81, 0x82, 1, 2, 3, 4, 65, 66], [0x89, 0], [0x8a, 0x80, 1, 2, 3, 4],
    [0x02, 126, 0x01, 0x00] + [UInt8](repeating: 8, count: 256),
    [0x80, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 9, 9, 9, 9] + [UInt8](repeating: 0x88, count: 65537),
    [0x88, 0x82, 0, 0, 0, 0, 3, 232],
  ]

  @Test(arguments: [1, 2, 3, 7, 100, 1 << 20]) func walks(_ step: Int) {
    var walk = FrameWalk()
    for (number, frame) in Self.frames.enumerated() {
      var at = 0
      while at < frame.count {
        #expect(walk.isBetweenFrames == (at == 0))
        let end = min(at + step, frame.count)
        walk.observe(frame.span.extracting(at..<end))
        at = end
      }
      #expect(walk.isBetweenFrames)
      #expect(walk.sawClose == (number == Self.frames.count - 1))
    }
  }

  @Test func ownFramesAreFrames() {
    for isMasked in [false, true] {
      var walk = FrameWalk()
      let frame = WebSocket.closeFrame(.goingAway, "bye", isMasked: isMasked)
      walk.observe(frame.span)
      #expect(walk.isBetweenFrames && walk.sawClose)
      #expect(frame.suffix(5) == [0x03, 0xe9, 98, 121, 101])
    }
  }

  @Test(arguments: [
    ("model=a", "a", "model=x%2fy"), ("b=c&model=a%2Fb+c&d", "a/b c", "b=c&model=x%2fy&d"),
    ("model=a%2", "a%2", "model=x%2fy"), ("model=a&model=b", "a", "model=x%2fy&model=b"),
    ("model=a&mod%65l=b", "a", "model=x%2fy&mod%65l=b"), ("%6dodel=a", "a", "%6dodel=x%2fy"),
  ])
  func models(_ query: String, _ name: String, _ rewritten: String) {
    let bytes = query.bytes
    let model = QueryModel(bytes.span)
    #expect(model?.name == name.bytes)
    #expect(model?.isRepeated == query.contains("l=b"))
    var out = ByteBuffer()
    let other = "x/y".bytes
    model?.write(bytes.span, naming: other.span, into: &out)
    #expect(out.contentText == rewritten)
  }

  @Test(arguments: ["", "model=", "model", "models=a", "xmodel=a", "a=model=b"])
  func noModels(_ query: String) {
    let bytes = query.bytes
    let model = QueryModel(bytes.span)
    #expect(model?.name == nil)
  }
}
