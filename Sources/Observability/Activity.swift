package import Base
internal import Exchange
internal import Policy

/// What the page for people shows of the last quarter of an hour: figures in bins, and the last exchanges.
///
/// Bins are numbered by the monotonic clock, so that a stepping wall clock bends no plot. All memory is taken at the
/// start; noting an exchange takes none but for a model's name that is too long to be kept as it is.
package final class Activity {
  /// A stretch of `Limits.activityBin`.
  package struct Bin {
    /// How many such stretches lie between the start and this one; -1: not in use.
    package private(set) var number: Int64 = -1
    package fileprivate(set) var requests: UInt32 = 0
    package fileprivate(set) var failed: UInt32 = 0
    package fileprivate(set) var tokensIn: Quantity = 0
    package fileprivate(set) var tokensOut: Quantity = 0
    /// Times to the first token of streams, by `LogBuckets`.
    fileprivate var firstTokens = InlineArray<96, UInt16>(repeating: 0)

    fileprivate init(number: Int64 = -1) { self.number = number }

    package func addFirstTokens(to buckets: inout LogBuckets) {
      for place in 0..<LogBuckets.count where firstTokens[place] > 0 {
        buckets.add(UInt32(firstTokens[place]), at: place)
      }
    }
  }

  private let startedAt: Instant
  private var bins: [Bin]
  private(set) var marks: [ExchangeMark]
  /// Exchanges that were noted: the last one's number.
  package private(set) var exchanges: UInt64 = 0
  /// Tokens of answers that cost no upstream call.
  package private(set) var savedTokens: Quantity = 0

  package init(startedAt: Instant) {
    self.startedAt = startedAt
    bins = Array(repeating: Bin(), count: Limits.activityBins)
    marks = Array(repeating: ExchangeMark(), count: Limits.activityMarks)
  }

  // MARK: - What happens

  /// A client's exchange has ended. `isFailed`: not by the client's doing. `firstToken`: of a stream that a
  /// provider sent.
  package func count(
    isFailed: Bool, firstToken: Interval?, tokensIn: Quantity, tokensOut: Quantity, isSaved: Bool,
    now: Instant
  ) {
    let place = open(number(of: now))
    bins[place].requests &+= 1
    if isFailed { bins[place].failed &+= 1 }
    if isSaved {
      savedTokens += tokensIn + tokensOut
    } else {
      bins[place].tokensIn += tokensIn
      bins[place].tokensOut += tokensOut
    }
    if let firstToken {
      let bucket = LogBuckets.place(of: firstToken)
      if bins[place].firstTokens[bucket] < .max { bins[place].firstTokens[bucket] &+= 1 }
    }
  }

  /// Keeps a mark of it, in the place of the oldest, which `fill` writes over.
  func note(_ fill: (inout ExchangeMark) -> Void) {
    exchanges &+= 1
    let place = Int(truncatingIfNeeded: exchanges % UInt64(Limits.activityMarks))
    fill(&marks[place])
    marks[place].number = exchanges
  }

  private func number(of now: Instant) -> Int64 {
    max(0, (now - startedAt).nanoseconds) / Limits.activityBin.nanoseconds
  }

  /// The place of a bin, emptied of what is older.
  private func open(_ number: Int64) -> Int {
    let place = Int(truncatingIfNeeded: number % Int64(Limits.activityBins))
    if bins[place].number != number { bins[place] = Bin(number: number) }
    return place
  }

  // MARK: - What is shown

  /// The bins in which something happened, oldest first, from that number on.
  package func forEachBin(from first: Int64 = 0, now: Instant, _ body: (Bin) -> Void) {
    let last = number(of: now)
    var number = max(first, last - Int64(Limits.activityBins) + 1, 0)
    while number <= last {
      let place = Int(truncatingIfNeeded: number % Int64(Limits.activityBins))
      if bins[place].number == number { body(bins[place]) }
      number += 1
    }
  }

  /// The number of the bin that is being filled.
  package func currentBin(now: Instant) -> Int64 { number(of: now) }

  /// The exchanges behind that one, the last first, as many as are kept.
  package func forEachMark(after number: UInt64, _ body: (ExchangeMark) -> Bool) {
    var at = exchanges
    while at > number, exchanges - at < UInt64(Limits.activityMarks) {
      if !body(marks[Int(truncatingIfNeeded: at % UInt64(Limits.activityMarks))]) { return }
      at -= 1
    }
  }
}
