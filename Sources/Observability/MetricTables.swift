package import Base
package import Exchange

/// Constant words of the program, each with its place. A word that has not been met takes the next place, so that
/// a new one in the code needs no entry here; beyond the capacity all share place 0.
package struct WordList {
  package private(set) var words: [StaticString]
  package let capacity: Int

  /// - Parameter words: the first stands for what there is no place for.
  package init(_ words: [StaticString], capacity: Int) {
    precondition(!words.isEmpty && words.count <= capacity)
    self.words = words
    self.capacity = capacity
    self.words.reserveCapacity(capacity)
  }

  package mutating func place(of word: StaticString) -> Int {
    for place in words.indices where Self.isSame(words[place], word) { return place }
    guard words.count < capacity else { return 0 }
    words.append(word)
    return words.count - 1
  }

  private static func isSame(_ a: StaticString, _ b: StaticString) -> Bool {
    if a.utf8Start == b.utf8Start { return a.utf8CodeUnitCount == b.utf8CodeUnitCount }
    return UnsafeBufferPointer(start: a.utf8Start, count: a.utf8CodeUnitCount)
      .elementsEqual(UnsafeBufferPointer(start: b.utf8Start, count: b.utf8CodeUnitCount))
  }
}

/// The values that a label may have: names of the configuration, and in place 0 what stands for any other.
package final class LabelNames {
  package let texts: [String]
  private let table: NameTable

  init(_ names: [String], other: String) {
    texts = [other] + names
    table = NameTable(names)
  }

  func place(of name: Span<UInt8>) -> Int { table.index(of: name).map { $0 + 1 } ?? 0 }

  package func place(of name: String) -> Int {
    var name = name
    return name.withUTF8 { place(of: Span(_unsafeElements: $0)) }
  }
}

/// Which time series of a histogram: places in the lists of label values.
package struct SeriesKey: Hashable, Sendable {
  package var provider = 0
  package var model = 0
  package var operation = Endpoint.Operation.chat
  /// How it ended, or which kind of token.
  package var word = 0

  package init(model: Int = 0) { self.model = model }

  /// All four as one number, which costs a quarter.
  package func hash(into hasher: inout Hasher) {
    hasher.combine(provider << 40 ^ model << 16 ^ Int(operation.rawValue) << 8 ^ word)
  }
}

/// A histogram for each combination of labels that has occurred, over common bounds.
///
/// Its memory is there from the start and doubles when a combination is new, up to `Limits.metricSeries`; beyond
/// that everything counts in the first series, whose labels say nothing.
package struct HistogramTable {
  /// Inclusive upper bounds, rising; what is above the last counts in one more bucket.
  package let bounds: [Int64]
  package private(set) var keys: [SeriesKey] = [SeriesKey()]
  private var places: [SeriesKey: Int] = [SeriesKey(): 0]
  /// Where the last two values were counted: mostly the next one belongs there too, and tokens of requests and answers
  /// take turns.
  private var latest = 0
  private var earlier = 0
  /// Buckets of all series in one row, then sums. Not cumulative.
  private var counts: [UInt64]
  private var sums: [UInt64] = [0]

  package init(bounds: [Int64], series: Int = 16) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
    counts.reserveCapacity(series * (bounds.count + 1))
    sums.reserveCapacity(series)
    keys.reserveCapacity(series)
    places.reserveCapacity(series)
  }

  private var width: Int { bounds.count + 1 }

  package mutating func record(_ time: Interval, _ key: SeriesKey) { record(max(0, time.nanoseconds), key) }

  package mutating func record(_ count: Quantity, _ key: SeriesKey) { record(count.value, key) }

  private mutating func record(_ value: Int64, _ key: SeriesKey) {
    let series = place(of: key)
    var bucket = 0
    while bucket < bounds.count, value > bounds[bucket] { bucket += 1 }
    counts[series * width + bucket] &+= 1
    add(UInt64(value), to: series)
  }

  private mutating func add(_ value: UInt64, to series: Int) {
    let (sum, isOver) = sums[series].addingReportingOverflow(value)
    sums[series] = isOver ? .max : sum
  }

  private mutating func place(of key: SeriesKey) -> Int {
    if keys[latest] == key { return latest }
    if keys[earlier] == key {
      swap(&latest, &earlier)
      return latest
    }
    if let known = places[key] {
      earlier = latest
      latest = known
      return known
    }
    guard keys.count < Limits.metricSeries else { return 0 }
    keys.append(key)
    places[key] = keys.count - 1
    sums.append(0)
    for _ in 0..<width { counts.append(0) }
    return keys.count - 1
  }

  /// What one bucket of a series counted by itself.
  package func count(_ series: Int, bucket: Int) -> UInt64 { counts[series * width + bucket] }

  package func sum(_ series: Int) -> UInt64 { sums[series] }

  /// The series has counted nothing.
  package func isEmpty(_ series: Int) -> Bool {
    for place in series * width..<(series + 1) * width where counts[place] > 0 { return false }
    return true
  }

  /// The same counts under other keys; a series whose key has gone is dropped.
  package func renamed(_ rename: (SeriesKey) -> SeriesKey?) -> HistogramTable {
    var renamed = HistogramTable(bounds: bounds, series: keys.count)
    for series in keys.indices {
      guard let key = rename(keys[series]) else { continue }
      let place = renamed.place(of: key)
      for bucket in 0..<width { renamed.counts[place * width + bucket] &+= count(series, bucket: bucket) }
      renamed.add(sums[series], to: place)
    }
    return renamed
  }
}
