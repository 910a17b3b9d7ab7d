import Base
import Testing

@Suite struct BytesTests {
  @Test(
    arguments: [
      ("0", 0), ("42", 42), ("9223372036854775807", Int64.max), ("", nil), ("+5", nil), ("-1", nil),
      (" 1", nil),
      ("9223372036854775808", nil), ("99999999999999999999", nil), ("1\u{0660}", nil),
    ] as [(String, Int64?)])
  func readsDecimalsStrictly(_ text: String, _ value: Int64?) {
    #expect(Array(text.utf8).span.decimal == value)
  }

  @Test func namesAreFoundByBytes() {
    let table = NameTable(["groq/a", "b", "", "b", "@cf/meta/llama"])
    #expect(table.index(of: Array("b".utf8).span) == 1)
    #expect(table.index(of: Array("@cf/meta/llama".utf8).span) == 4)
    #expect(table.index(of: Array("".utf8).span) == 2)
    #expect(table.index(of: Array("B".utf8).span) == nil)
  }

  @Test func instantsSaturate() {
    #expect(Instant(nanoseconds: 5) + Interval(nanoseconds: .max) == .distantFuture)
    #expect(Interval.milliseconds(1_001).wholeSecondsUp == 2)
    #expect(Interval.milliseconds(-5).wholeSecondsUp == 0)
  }
}
