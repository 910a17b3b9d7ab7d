package import Base

/// Counts of times in buckets whose width grows with the value: every value is known to within 0.1 %.
///
/// 512 buckets for each power of two, after HdrHistogram's idea; all memory is taken at the start, and
/// recording allocates nothing. Values beyond 2^40 ns (18 minutes) count as that.
package struct Histogram: Sendable {
  private static let precision = 9
  private static let highest: Int64 = 1 << 40
  private var buckets: [UInt64]
  package private(set) var count: UInt64 = 0
  package private(set) var least = Interval(nanoseconds: .max)
  package private(set) var greatest = Interval.zero

  package init() {
    buckets = Array(repeating: 0, count: Self.index(of: Self.highest) + 1)
  }

  package mutating func record(_ value: Interval) {
    let clamped = min(max(value.nanoseconds, 0), Self.highest)
    buckets[Self.index(of: clamped)] += 1
    count += 1
    if clamped < least.nanoseconds { least = Interval(nanoseconds: clamped) }
    if clamped > greatest.nanoseconds { greatest = Interval(nanoseconds: clamped) }
  }

  /// The value that this part of the recorded ones does not exceed (0 < part ≤ 1); nil without any.
  package func percentile(_ part: Double) -> Interval? {
    guard count > 0 else { return nil }
    // Rounded up by hand: `rounded` would want libm.
    let exact = min(max(part * Double(count), 0), Double(count))
    let rank = max(1, UInt64(exact) + (Double(UInt64(exact)) < exact ? 1 : 0))
    if rank == count { return greatest }
    var seen: UInt64 = 0
    for index in buckets.indices {
      seen += buckets[index]
      if seen >= rank {
        let middle = Self.middle(of: index)
        return Interval(nanoseconds: min(max(middle, least.nanoseconds), greatest.nanoseconds))
      }
    }
    return greatest
  }

  /// Values below 1024 have a bucket each; above, the leading ten bits of a value choose it.
  private static func index(of value: Int64) -> Int {
    let shift = max(0, Int64.bitWidth - 1 - value.leadingZeroBitCount - precision)
    return shift << precision + Int(value >> Int64(shift))
  }

  /// The middle of the values that fall into a bucket.
  private static func middle(of index: Int) -> Int64 {
    if index < 2 << precision { return Int64(index) }
    let shift = index >> precision - 1
    let low = Int64(index - shift << precision) << Int64(shift)
    return low + (1 << Int64(shift)) / 2
  }
}
