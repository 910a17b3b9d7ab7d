package import Base

/// Times on a logarithmic scale, four buckets to the octave: a quantile read from them is within 12 %.
///
/// From 64 µs to 18 minutes; what is shorter or longer counts in the first or last bucket.
package struct LogBuckets {
  private static let octaves = 24
  /// Of the first octave: 2⁶ µs.
  private static let start = 6
  package static let count = octaves * 4

  private var counts = InlineArray<96, UInt32>(repeating: 0)
  package private(set) var total: UInt32 = 0

  package init() {}

  package static func place(of time: Interval) -> Int {
    let microseconds = UInt64(max(1 << start, time.microseconds))
    let octave = 63 - microseconds.leadingZeroBitCount
    let quarter = Int(truncatingIfNeeded: microseconds >> UInt64(octave - 2)) & 3
    return min((octave - start) * 4 + quarter, count - 1)
  }

  package mutating func add(_ number: UInt32, at place: Int) {
    counts[place] &+= number
    total &+= number
  }

  /// The time that this share (0 to 1) of all is not above, in between a bucket's bounds by rank; nil without any.
  package func quantile(_ share: Double) -> Interval? {
    if total == 0 { return nil }
    let rank = share * Double(total)
    var below = 0.0
    for place in 0..<Self.count where counts[place] > 0 {
      let here = Double(counts[place])
      if below + here >= rank {
        let octave = Self.start + place / 4
        let width = Int64(1) << Int64(octave - 2)
        let from = width * Int64(4 + place % 4)
        return .microseconds(from + Int64(Double(width) * (rank - below) / here))
      }
      below += here
    }
    return nil
  }
}
