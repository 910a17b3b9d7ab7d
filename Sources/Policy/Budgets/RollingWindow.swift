package import Base

/// A sum over the last stretch of time, in buckets.
///
/// A bucket is counted until `width` has passed since the latest that was added to it: its older content up to one
/// bucket longer, never the reverse. A sum that stays within a limit therefore stays within it over every interval of
/// `width`, wherever it begins, and whoever waits never waits longer than `width`.
package struct RollingWindow: Sendable {
  /// One more than make up `width`: the newest is not full yet.
  private var buckets: [Quantity]
  /// When each was last added to.
  private var latest: [Instant]
  private let width: Interval
  private let bucketWidth: Int64
  /// The newest bucket's number, its place and its end: finding them takes divisions, most of which are spared.
  private var newest: Int64 = 0
  private var newestPlace = 0
  private var newestEnd: Instant
  private var sum: Quantity = 0

  package init(width: Interval, buckets count: Int) {
    precondition(count > 0 && width.nanoseconds >= Int64(count))
    bucketWidth = (width.nanoseconds + Int64(count) - 1) / Int64(count)
    self.width = width
    newestEnd = Instant(nanoseconds: bucketWidth)
    buckets = Array(repeating: 0, count: count + 1)
    latest = Array(repeating: .distantPast, count: count + 1)
  }

  package static var minute: RollingWindow { RollingWindow(width: .seconds(60), buckets: 12) }
  package static var day: RollingWindow { RollingWindow(width: .seconds(24 * 3600), buckets: 48) }

  /// Adds `amount` and returns the bucket it went to.
  @discardableResult
  package mutating func add(_ amount: Quantity, now: Instant) -> Int64 {
    advance(now)
    buckets[newestPlace] += amount
    latest[newestPlace] = now
    sum += amount
    return newest
  }

  /// Takes back what was added to a bucket, if that is still counted.
  package mutating func takeBack(_ amount: Quantity, from bucket: Int64, now: Instant) {
    advance(now)
    guard bucket <= newest, bucket > newest - Int64(buckets.count), latest[place(bucket)] + width > now else {
      return
    }
    buckets[place(bucket)] -= amount
    sum -= amount
  }

  package mutating func total(now: Instant) -> Quantity {
    advance(now)
    return sum
  }

  /// When `amount` more fits under `limit`: now if it does already. Where it never will, the end of
  /// what is counted now.
  package mutating func due(_ amount: Quantity, limit: Quantity, now: Instant) -> Instant {
    advance(now)
    if sum + amount <= limit { return now }
    var left = sum
    var end = now
    for bucket in newest - Int64(buckets.count) + 1...newest {
      if buckets[place(bucket)] == 0 { continue }
      left -= buckets[place(bucket)]
      end = latest[place(bucket)] + width
      if left + amount <= limit { return end }
    }
    return end
  }

  package mutating func removeAll() {
    for i in buckets.indices { buckets[i] = 0 }
    sum = 0
  }

  /// The place of a bucket that is counted.
  private func place(_ bucket: Int64) -> Int {
    let place = newestPlace - Int(newest - bucket)
    return place < 0 ? place + buckets.count : place
  }

  /// The place behind another, where the next bucket will be: now the oldest one is there.
  private func next(_ place: Int) -> Int { place + 1 == buckets.count ? 0 : place + 1 }

  /// Empties the buckets that have left the window.
  private mutating func advance(_ now: Instant) {
    if now >= newestEnd { turn(to: now.nanoseconds / bucketWidth) }
    // Only the oldest can have left before its place is needed.
    let oldest = next(newestPlace)
    if buckets[oldest] != 0, latest[oldest] + width <= now {
      sum -= buckets[oldest]
      buckets[oldest] = 0
    }
  }

  private mutating func turn(to current: Int64) {
    if current - newest >= Int64(buckets.count) {
      removeAll()
    } else {
      for _ in newest..<current {
        newestPlace = next(newestPlace)
        sum -= buckets[newestPlace]
        buckets[newestPlace] = 0
      }
    }
    newest = current
    newestEnd = Instant(nanoseconds: (current + 1) * bucketWidth)
  }
}
