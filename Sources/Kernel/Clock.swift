package import Base
internal import CLinux

/// The only place that reads clocks. The loop asks once per turn and passes the answer down.
package enum Clock {
  package static func now() -> Moment {
    Moment(instant: instant(), wall: WallTime(milliseconds: linux_wall_ms()))
  }

  /// The monotonic clock alone, for a measurement within a turn.
  package static func instant() -> Instant { Instant(nanoseconds: Int64(linux_monotonic_ns())) }
}
