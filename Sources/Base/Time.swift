// Frozen types: only then are their comparisons known to generic code of other modules, such as `min`.

/// A length of time in nanoseconds. May be negative (the difference of two instants).
@frozen @usableFromInline package struct Interval: Comparable, Hashable, Sendable {
  @usableFromInline package var nanoseconds: Int64

  @inlinable package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  @inlinable package static func microseconds(_ n: Int64) -> Interval { Interval(nanoseconds: n * 1_000) }
  @inlinable package static func milliseconds(_ n: Int64) -> Interval {
    Interval(nanoseconds: n * 1_000_000)
  }
  @inlinable package static func seconds(_ n: Int64) -> Interval { Interval(nanoseconds: n * 1_000_000_000) }
  @inlinable package static var zero: Interval { Interval(nanoseconds: 0) }

  @inlinable package var milliseconds: Int64 { nanoseconds / 1_000_000 }
  @inlinable package var microseconds: Int64 { nanoseconds / 1_000 }
  @inlinable package var seconds: Double { Double(nanoseconds) / 1e9 }
  /// Whole seconds, rounded up: what `Retry-After` wants, so that a client never comes back too soon.
  @inlinable package var wholeSecondsUp: Int64 { max(0, (nanoseconds + 999_999_999) / 1_000_000_000) }

  @inlinable package static func < (a: Interval, b: Interval) -> Bool { a.nanoseconds < b.nanoseconds }
  @inlinable package static func + (a: Interval, b: Interval) -> Interval {
    Interval(nanoseconds: a.nanoseconds + b.nanoseconds)
  }
  @inlinable package static func - (a: Interval, b: Interval) -> Interval {
    Interval(nanoseconds: a.nanoseconds - b.nanoseconds)
  }
  @inlinable package static func * (a: Interval, n: Int64) -> Interval {
    Interval(nanoseconds: a.nanoseconds * n)
  }
}

/// A point in time, in nanoseconds since an arbitrary start. Its clock never steps back, and runs on while the machine
/// sleeps: a cooldown of an hour is over after a night.
@frozen @usableFromInline package struct Instant: Comparable, Hashable, Sendable {
  @usableFromInline package var nanoseconds: Int64

  @inlinable package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  @inlinable package static var distantFuture: Instant { Instant(nanoseconds: .max) }
  @inlinable package static var distantPast: Instant { Instant(nanoseconds: 0) }

  @inlinable package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
  /// Saturates at `distantFuture`, so that an absurd interval never wraps into the past.
  @inlinable package static func + (a: Instant, b: Interval) -> Instant {
    let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.nanoseconds)
    return overflow ? (b.nanoseconds > 0 ? .distantFuture : .distantPast) : Instant(nanoseconds: sum)
  }
  @inlinable package static func - (a: Instant, b: Interval) -> Instant {
    Instant(nanoseconds: a.nanoseconds &- b.nanoseconds)
  }
  @inlinable package static func - (a: Instant, b: Instant) -> Interval {
    Interval(nanoseconds: a.nanoseconds - b.nanoseconds)
  }
}

/// The wall clock in milliseconds since the Unix epoch. May step: use it for dates only.
@frozen @usableFromInline package struct WallTime: Comparable, Hashable, Sendable {
  @usableFromInline package var milliseconds: Int64
  @inlinable package init(milliseconds: Int64) { self.milliseconds = milliseconds }
  @inlinable package static func < (a: WallTime, b: WallTime) -> Bool { a.milliseconds < b.milliseconds }
}

/// Both clocks, read once per turn of the loop and passed down: no code below `Server` reads one.
package struct Moment: Sendable {
  package var instant: Instant
  package var wall: WallTime
  @inlinable package init(instant: Instant, wall: WallTime) {
    self.instant = instant
    self.wall = wall
  }
  /// The wall-clock date of another instant, as the clock stands now.
  @inlinable package func wall(of other: Instant) -> WallTime {
    WallTime(milliseconds: wall.milliseconds + (other - instant).milliseconds)
  }
}
