import Base
import Testing

/// What is done by words must be what a reader of single bytes would do: every byte, at every place.
@Suite struct WordsTests {
  @Test func lettersBecomeSmallInEveryPlace() {
    for byte in UInt8.min...UInt8.max {
      for place in 0..<8 {
        var bytes: [UInt8] = [0, 0xFF, 0x5B, 0x7F, 0x80, 0x40, 0xC1, 0xDA]
        bytes[place] = byte
        let word = bytes.span.word(at: 0).asciiLowercased
        for at in 0..<8 {
          #expect(UInt8(truncatingIfNeeded: word >> UInt64(at * 8)) == bytes[at].asciiLowercased)
        }
      }
    }
  }

  private func same(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    let text = String(decoding: b, as: UTF8.self)
    let isSame = a.span.equals(b.span)
    if b.allSatisfy({ $0 < 128 }), a.span.equals(text) != isSame { Issue.record("\(a), \(b)") }
    return isSame
  }

  private func sameIgnoringCase(_ a: [UInt8], _ small: [UInt8]) -> Bool {
    let text = String(decoding: small, as: UTF8.self)
    let isSame = a.span.equalsIgnoringCase(small.span)
    if a.span.equalsIgnoringCase(text) != isSame { Issue.record("\(a), \(small)") }
    return isSame
  }

  /// Texts of every length up to 40, and the same with one byte changed.
  @Test func textsCompareAsTheirBytesDo() {
    for length in 0...40 {
      let small = (0..<length).map { UInt8(97 + $0 % 26) }
      let large = small.map { $0 - 32 }
      #expect(same(small, small))
      #expect(sameIgnoringCase(large, small))
      #expect(length == 0 || !same(large, small))
      for place in 0..<length {
        for byte: UInt8 in [0, 32, 64, 91, 127, 128, 255] {
          var other = small
          other[place] = byte
          #expect(!same(other, small))
          #expect(!sameIgnoringCase(other, small))
        }
      }
    }
  }

  @Test func literalsCompareAsTheirBytesDo() {
    let bytes = Array("X-RateLimit-Remaining-Requests".utf8)
    let long = bytes.span
    let answers = [
      long.equalsIgnoringCase("x-ratelimit-remaining-requests"),
      !long.equals("x-ratelimit-remaining-requests"),
      long.hasPrefix("X-RateLimit-"), !long.hasPrefix("X-RateLimit_"), long.hasPrefix(""),
      long.hasPrefixIgnoringCase("x-rate"), !long.hasPrefixIgnoringCase("x-ratf"),
      long.extracting(0..<2).equals("X-"), !long.extracting(0..<2).hasPrefix("X-R"),
      long.extracting(0..<0).equals(""),
    ]
    #expect(answers.allSatisfy { $0 })
  }

  @Test func decimalsAreWrittenWhole() {
    var out = ByteBuffer()
    var wanted = ""
    let values: [Int64] = [
      0, 9, 10, 99, 100, 12_345, -1, -10, .max, .min, .max / 10, 1_000_000_000_000_000_000,
    ]
    for value in values {
      out.append(decimal: value)
      out.append(UInt8(ascii: " "))
      wanted += "\(value) "
    }
    let text = out.withBytes { $0.text }
    #expect(text == wanted)
  }
}
