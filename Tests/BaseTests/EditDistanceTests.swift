import Base
import TestSupport
import Testing

@Suite struct EditDistanceTests {
  private static func distance(_ a: String, _ b: String, bound: Int = 100) -> Int {
    EditDistance(from: a.utf8Span.span).to(b.utf8Span.span, bound: bound)
  }

  @Test(arguments: [
    ("", "", 0), ("", "ab", 2), ("ab", "", 2), ("a", "a", 0), ("a", "b", 1), ("ab", "ba", 1),
    ("abc", "ca", 3),
    ("kitten", "sitting", 3), ("GPT-4o", "gpt-4O", 0), ("teir", "tier", 1),
    ("first_tokens", "first_token", 1),
    ("abcdef", "badcfe", 3),
  ])
  func countsSlips(_ a: String, _ b: String, _ expected: Int) {
    #expect(Self.distance(a, b) == expected)
    #expect(Self.distance(b, a) == expected)
  }

  /// The table of all prefixes, as the textbook has it.
  private static func textbook(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var table = Array(repeating: Array(repeating: 0, count: b.count + 1), count: a.count + 1)
    for i in 0...a.count {
      for j in 0...b.count {
        if i == 0 || j == 0 {
          table[i][j] = i + j
          continue
        }
        var least = min(table[i - 1][j], table[i][j - 1]) + 1
        least = min(least, table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          least = min(least, table[i - 2][j - 2] + 1)
        }
        table[i][j] = least
      }
    }
    return table[a.count][b.count]
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>) func isTheTextbooks(_ seed: UInt64) {
    var random = SeededRandom(seed)
    for _ in 0..<1_000 {
      let letters = UInt8.random(in: 1...6, using: &random)
      func word() -> [UInt8] {
        (0..<Int.random(in: 0...64, using: &random)).map { _ in
          97 + UInt8.random(in: 0..<letters, using: &random)
        }
      }
      let a = word()
      var b = word()
      if Bool.random(using: &random) {
        b = a
        for _ in 0..<Int.random(in: 0...4, using: &random) where b.count > 1 {
          let at = Int.random(in: 0..<b.count - 1, using: &random)
          if Bool.random(using: &random) { b.swapAt(at, at + 1) } else { b.remove(at: at) }
        }
      }
      let expected = Self.textbook(a, b)
      let bound = Int.random(in: 0...70, using: &random)
      let distances = EditDistance(from: a.span)
      #expect(distances.to(b.span, bound: 128) == expected, "\(a) \(b)")
      #expect(distances.to(b.span, bound: bound) == min(expected, bound + 1), "\(a) \(b)")
    }
  }

  @Test func onlyTheFirstBytesOfLongWordsCount() {
    let long = String(repeating: "a", count: EditDistance.longest)
    #expect(Self.distance(long + "xyz", long) == 0)
    #expect(Self.distance(long, long + String(repeating: "b", count: 1000)) == 0)
  }
}
