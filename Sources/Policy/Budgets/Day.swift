package import Base

/// A day of UTC, as both clocks see it.
package struct Day: Equatable, Sendable {
  /// Since the Unix epoch.
  package private(set) var number: Int64
  package private(set) var ends: Instant

  private static let milliseconds: Int64 = 86_400_000

  package init(_ now: Moment) {
    number = now.wall.milliseconds / Self.milliseconds
    ends = now.instant + .milliseconds(Self.milliseconds - now.wall.milliseconds % Self.milliseconds)
  }

  init(number: Int64, ends: Instant) {
    self.number = number
    self.ends = ends
  }
}
