import Base
import Testing

@Suite struct ByteBufferTests {
  @Test func appendsAndConsumesInOrder() {
    var buffer = ByteBuffer()
    var expected: [UInt8] = []
    var state: UInt64 = 7
    for _ in 0..<2_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let n = Int(state >> 40) % 300
      if state >> 63 == 0 {
        let piece = (0..<n).map { UInt8(truncatingIfNeeded: $0 &+ Int(state >> 20)) }
        buffer.append(piece.span)
        expected += piece
      } else {
        let drop = min(n, expected.count)
        buffer.consume(drop)
        expected.removeFirst(drop)
      }
      #expect(buffer.count == expected.count)
    }
    #expect(buffer.withBytes { $0.equals(expected.span) })
  }

  @Test(arguments: [
    (0, "0"), (7, "7"), (-1, "-1"), (1_234_567_890, "1234567890"), (Int.min, "-9223372036854775808"),
  ])
  func writesDecimals(_ value: Int, _ text: String) {
    var buffer = ByteBuffer()
    buffer.append(decimal: value)
    #expect(buffer.withBytes { $0.text } == text)
  }

  @Test(arguments: [
    (0, "0"), (15, "f"), (16, "10"), (0xdead_beef, "deadbeef"), (Int.max, "7fffffffffffffff"),
  ])
  func writesHexadecimals(_ value: Int, _ text: String) {
    var buffer = ByteBuffer()
    buffer.append(hex: value)
    #expect(buffer.withBytes { $0.text } == text)
  }

  @Test func takesAndRecycles() {
    var buffer = ByteBuffer()
    buffer.append("hello")
    let taken = buffer.take()
    #expect(buffer.isEmpty && buffer.capacity == 0)
    #expect(taken.withBytes { $0.equals("hello") })
    buffer.reserve(10_000)
    buffer.recycle(keeping: 4_096)
    #expect(buffer.capacity == 0)
  }

  @Test func everyLengthIsAppended() {
    let bytes = (0..<80).map { UInt8($0) }
    for length in 0...40 {
      var buffer = ByteBuffer()
      var expected: [UInt8] = []
      while expected.count < 1000 {
        let piece = expected.count % 37..<expected.count % 37 + length
        buffer.append(bytes.span.extracting(piece))
        expected += bytes[piece]
        buffer.append(7)
        expected.append(7)
      }
      let written = buffer.withBytes { $0.array }
      #expect(written == expected)
    }
  }
}
