/// When the bytes of a recording came: one mark of eight bytes for each millisecond in which some did.
///
/// Times count from the first byte, so that a replay starts at once and keeps the gaps. At the bound, or when
/// the meter is full, later bytes count as come with the last mark.
struct RecordedPace {
  private struct Mark {
    var offset: UInt32
    var milliseconds: UInt32
  }

  private let isKept: Bool
  private var begin = Instant.distantPast
  private var marks: [Mark] = []
  private var cost = 0

  init(isKept: Bool) { self.isKept = isKept }

  /// Bytes from `offset` on came at `now`. Returns the bytes of memory it took for that (usually none).
  mutating func note(offset: Int, at now: Instant, meter: MemoryMeter) -> Int {
    guard isKept, marks.count < Limits.recordingMarks else { return 0 }
    if marks.isEmpty { begin = now }
    let milliseconds = UInt32(clamping: (now - begin).milliseconds)
    if let last = marks.last, last.milliseconds >= milliseconds { return 0 }
    var grown = 0
    if marks.count == marks.capacity {
      let wanted = min(max(32, marks.count * 2), Limits.recordingMarks)
      let added = max(0, wanted - marks.capacity) * MemoryLayout<Mark>.stride
      guard meter.take(added) else { return 0 }
      marks.reserveCapacity(wanted)
      cost += added
      grown = added
    }
    marks.append(Mark(offset: UInt32(truncatingIfNeeded: offset), milliseconds: milliseconds))
    return grown
  }

  /// Forgets everything; returns the bytes given back.
  mutating func release(meter: MemoryMeter) -> Int {
    let given = cost
    meter.give(given)
    cost = 0
    marks = []
    return given
  }

  /// Bytes that had come by then; nil for all of them.
  func reach(after elapsed: Interval) -> Int? {
    let next = firstMark { Int64($0.milliseconds) > elapsed.milliseconds }
    return next < marks.count ? Int(marks[next].offset) : nil
  }

  /// The time of the byte at `offset`.
  func arrival(of offset: Int) -> Interval {
    let next = firstMark { Int($0.offset) > offset }
    return next == 0 ? .zero : .milliseconds(Int64(marks[next - 1].milliseconds))
  }

  /// The first mark for which `isBeyond` holds; it holds for all later ones too.
  private func firstMark(where isBeyond: (Mark) -> Bool) -> Int {
    var low = 0
    var high = marks.count
    while low < high {
      let middle = (low + high) / 2
      if isBeyond(marks[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
