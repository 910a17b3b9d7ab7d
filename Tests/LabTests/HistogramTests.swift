import Base
import Lab
import Testing

@Suite struct HistogramTests {
  @Test(arguments: [UInt64(1), 2, 3, 4])
  func agreesWithSorting(seed: UInt64) {
    var state = seed
    var histogram = Histogram()
    var values: [Int64] = []
    for _ in 0..<20_000 {
      // xorshift64; the shift spreads the values over many powers of two.
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      let value = Int64(state >> (26 + state % 30))
      values.append(value)
      histogram.record(Interval(nanoseconds: value))
    }
    values.sort()
    #expect(histogram.count == 20_000)
    #expect(histogram.least.nanoseconds == values.first)
    #expect(histogram.greatest.nanoseconds == values.last)
    for part in [0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0] {
      let exact = values[Int((part * 20_000).rounded(.up)) - 1]
      let found = histogram.percentile(part)?.nanoseconds ?? -1
      #expect(abs(found - exact) <= exact / 1000, "\(part): \(found) for \(exact)")
    }
  }

  @Test func smallValuesAreExactAndTheRangeIsKept() {
    for value in [Int64(0), 1, 127, 128, 1023] {
      var histogram = Histogram()
      histogram.record(Interval(nanoseconds: value))
      histogram.record(Interval(nanoseconds: value))
      #expect(histogram.percentile(0.5)?.nanoseconds == value)
    }
    var histogram = Histogram()
    #expect(histogram.percentile(0.5) == nil)
    histogram.record(Interval(nanoseconds: -5))
    histogram.record(Interval(nanoseconds: .max))
    #expect(histogram.percentile(0.5) == .zero)
    #expect(histogram.percentile(1)?.nanoseconds == 1 << 40)
  }
}
