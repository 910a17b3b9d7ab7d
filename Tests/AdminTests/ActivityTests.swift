import Base
import Observability
import Testing

@Suite struct LogBucketsTests {
  /// Every time is in a bucket whose bounds are a quarter of an octave apart, and what is read back is in it.
  @Test func placesRiseWithTheTime() throws {
    var last = -1
    var time: Int64 = 64
    while time < 1 << 30 {
      let place = LogBuckets.place(of: .microseconds(time))
      #expect(place == last || place == last + 1)
      last = place
      var buckets = LogBuckets()
      buckets.add(1, at: place)
      let read = try #require(buckets.quantile(0.5)).microseconds
      #expect(abs(read - time) * 8 <= time + 8, "\(time) reads as \(read)")
      time += max(1, time / 50)
    }
    #expect(last == LogBuckets.count - 1)
  }

  @Test(arguments: [(Int64.min, 0), (-5, 0), (0, 0), (63, 0), (64, 0), (80, 1), (Int64.max / 1000, 95)])
  func clamps(microseconds: Int64, place: Int) {
    #expect(
      LogBuckets.place(
        of: Interval(
          nanoseconds: microseconds.multipliedReportingOverflow(by: 1000).overflow
            ? microseconds : microseconds * 1000)) == place)
  }

  @Test func quantiles() {
    var buckets = LogBuckets()
    #expect(buckets.quantile(0.5) == nil)
    for milliseconds in 1...1000 as ClosedRange<Int64> {
      buckets.add(1, at: LogBuckets.place(of: .milliseconds(milliseconds)))
    }
    for (share, expected) in [(0.5, 500.0), (0.95, 950), (0.01, 10), (1, 1000)] {
      let read = Double(buckets.quantile(share)!.microseconds) / 1000
      #expect(abs(read - expected) < expected * 0.06 + 0.5, "\(share): \(read)")
    }
  }
}

@Suite struct ActivityTests {
  private static let start = Instant(nanoseconds: 5_000_000_000)
  private static func at(_ seconds: Double) -> Instant { start + Interval(nanoseconds: Int64(seconds * 1e9)) }

  private static func count(
    _ activity: Activity, at seconds: Double, isFailed: Bool = false, isSaved: Bool = false
  ) {
    activity.count(
      isFailed: isFailed, firstToken: isFailed ? nil : .milliseconds(100), tokensIn: 10, tokensOut: 3,
      isSaved: isSaved, now: at(seconds))
  }

  private static func rows(_ activity: Activity, at seconds: Double, from first: Int64 = 0) -> [[UInt64]] {
    var rows: [[UInt64]] = []
    activity.forEachBin(from: first, now: at(seconds)) { bin in
      var times = LogBuckets()
      bin.addFirstTokens(to: &times)
      rows.append([
        UInt64(bin.number), UInt64(bin.requests), UInt64(bin.failed), UInt64(bin.tokensIn.value),
        UInt64(bin.tokensOut.value),
        UInt64(times.total),
      ])
    }
    return rows
  }

  @Test func binsByTenSeconds() {
    let activity = Activity(startedAt: Self.start)
    #expect(Self.rows(activity, at: 0).isEmpty)
    Self.count(activity, at: 0)
    Self.count(activity, at: 9.999, isFailed: true)
    Self.count(activity, at: 10, isSaved: true)
    Self.count(activity, at: 35)
    #expect(Self.rows(activity, at: 35) == [[0, 2, 1, 20, 6, 1], [1, 1, 0, 0, 0, 1], [3, 1, 0, 10, 3, 1]])
    #expect(Self.rows(activity, at: 35, from: 1).count == 2)
    #expect(activity.currentBin(now: Self.at(35)) == 3)
  }

  /// What is older than a quarter of an hour is gone, whether its place was taken again or not.
  @Test func forgets() {
    let activity = Activity(startedAt: Self.start)
    Self.count(activity, at: 5)
    #expect(Self.rows(activity, at: 899).count == 1)
    #expect(Self.rows(activity, at: 900).isEmpty)
    Self.count(activity, at: 905)
    #expect(Self.rows(activity, at: 905) == [[90, 1, 0, 10, 3, 1]])
    #expect(Self.rows(activity, at: 1_000_000).isEmpty)
  }

  /// An absurd count saturates or wraps, and stops nothing.
  @Test func takesAnyCount() {
    let activity = Activity(startedAt: Self.start)
    for _ in 0..<70_000 { Self.count(activity, at: 1) }
    #expect(Self.rows(activity, at: 1) == [[0, 70_000, 0, 700_000, 210_000, 65_535]])
    activity.count(
      isFailed: false, firstToken: Interval(nanoseconds: .min), tokensIn: 0, tokensOut: Quantity(Int64.max),
      isSaved: false,
      now: Self.at(-100))
    #expect(Self.rows(activity, at: 1).count == 1)
  }
}
