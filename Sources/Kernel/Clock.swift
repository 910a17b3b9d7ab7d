package import Base
internal import CLinux

/// The only place that reads clocks. The loop asks once per turn and passes the answer down.
package enum Clock {
  package static func now() -> Moment {
    Moment(instant: instant(), wall: WallTime(milliseconds: linux_wall_ms()))
  }

  /// The clock of instants alone, for a measurement within a turn.
  package static func instant() -> Instant { Instant(nanoseconds: Int64(linux_boottime_ns())) }

  /// What systemd wants to know a reload's begin by, which is another clock (sd_notify(3), MONOTONIC_USEC).
  package static func monotonicMicroseconds() -> UInt64 { linux_monotonic_us() }
}
