package import Base

/// What a provider says about when to come back.
package enum RetryHints {
  /// The time to stay away, from an answer's head and the start of its body; nil where nothing usable is said.
  /// Not capped: that is the caller's.
  package static func interval(
    _ head: ResponseHead, in raw: Span<UInt8>, body: Span<UInt8>, now: WallTime
  ) -> Interval? { nil }

  /// Reads a reset value: Go duration, seconds, epoch seconds, epoch milliseconds or RFC 3339.
  package static func resetInterval(_ value: Span<UInt8>, now: WallTime) -> Interval? { nil }

  /// Reads a remaining quota; nil where it is negative, "unlimited" or no number.
  package static func remaining(_ value: Span<UInt8>) -> Int64? { nil }

  /// Every quota that the head tells, in the order of its fields.
  package static func forEachQuota(
    _ head: ResponseHead, in raw: Span<UInt8>, now: WallTime, _ body: (QuotaReading) -> Void
  ) {}

  /// The longest reset among quotas that are used up; nil where none is, or none names its reset.
  package static func exhaustedReset(_ head: ResponseHead, in raw: Span<UInt8>, now: WallTime) -> Interval? {
    nil
  }
}

/// One quota of a response head: a `…remaining…` field and the `…reset…` field that belongs to it.
package struct QuotaReading: Hashable, Sendable {
  package var remaining: Int64
  package var reset: Interval?
  /// Counted in tokens, else in requests.
  package var isTokens: Bool
}
