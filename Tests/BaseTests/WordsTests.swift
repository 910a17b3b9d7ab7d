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

  /// Each byte beside each that a text without capitals may have, in each place.
  @Test func wordsCompareWithoutCaseInEveryPlace() {
    for place in 0..<8 {
      for small in UInt8.min...UInt8.max where small.asciiLowercased == small {
        for byte in UInt8.min...UInt8.max {
          var bytes: [UInt8] = [0x5B, 0xC1, 0x7A, 0x40, 0x00, 0xFF, 0x61, 0x7F]
          bytes[place] = small
          let text = bytes.span.word(at: 0)
          bytes[place] = byte
          let isSame = bytes.span.word(at: 0).equalsWithoutCase(text)
          if isSame != (byte.asciiLowercased == small) { Issue.record("\(byte), \(small) at \(place)") }
        }
      }
    }
  }

  /// What is left of a text is one word, whatever stands before it.
  @Test func lastBytesAreOneWord() {
    for count in 0...20 {
      let bytes = (0..<count).map { UInt8(0xE0 + $0) }
      for at in max(0, count - 7)...count {
        var word: UInt64 = 0
        for byte in bytes[at...].reversed() { word = word << 8 | UInt64(byte) }
        let found = bytes.span.lastWord(at: at)
        #expect(found == word)
      }
    }
  }

  /// Literals around the lengths of half a word, a word and two, with one byte changed.
  @Test func literalsCompareWithoutCase() {
    let rows: [(String, ([UInt8]) -> Bool)] = [
      ("te", { $0.span.equalsIgnoringCase("te") }), ("via", { $0.span.equalsIgnoringCase("via") }),
      ("host", { $0.span.equalsIgnoringCase("host") }),
      ("x-token", { $0.span.equalsIgnoringCase("x-token") }),
      ("x-accel-", { $0.span.equalsIgnoringCase("x-accel-") }),
      ("x-api-key", { $0.span.equalsIgnoringCase("x-api-key") }),
      ("content-encoding", { $0.span.equalsIgnoringCase("content-encoding") }),
      ("transfer-encoding", { $0.span.equalsIgnoringCase("transfer-encoding") }),
    ]
    for (name, isSame) in rows {
      let small = Array(name.utf8)
      #expect(isSame(small.map { $0 &- 97 < 26 ? $0 - 32 : $0 }))
      for place in small.indices {
        for byte in UInt8.min...UInt8.max {
          var other = small
          other[place] = byte
          let isEqual = isSame(other)
          if isEqual != (byte.asciiLowercased == small[place]) { Issue.record("\(other)") }
        }
      }
      #expect(!isSame(small.dropLast()))
      #expect(!isSame(small + [0x61]))
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
    var values: [Int64] = [12_345, .max, .min, .max / 10, 1_000_000_020_000_000_300]
    var power: Int64 = 1
    for _ in 0...18 {
      values += [power - 1, power, power + 1, -power]
      power &*= 10
    }
    for value in values {
      out.append(decimal: value)
      out.append(UInt8(ascii: " "))
      wanted += "\(value) "
    }
    let text = out.withBytes { $0.text }
    #expect(text == wanted)
  }

  @Test(arguments: [
    (0, "0.00"), (9_999, "0.00"), (10_000, "0.01"), (999_999, "0.99"), (12_345_678, "12.34"),
    (3_600_000_500_000, "3600000.50"), (-1, "0.00"),
  ])
  func millisecondsHaveTwoDecimals(_ nanoseconds: Int64, _ wanted: String) {
    var out = ByteBuffer()
    out.append(milliseconds: Interval(nanoseconds: nanoseconds))
    let text = out.withBytes { $0.text }
    #expect(text == wanted)
  }
}
