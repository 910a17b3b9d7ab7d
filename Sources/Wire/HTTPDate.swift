package import Base

/// The dates of HTTP (RFC 9110 §5.6.7).
package enum HTTPDate {
  /// Reads IMF-fixdate, RFC 850 and asctime dates. The two-digit year of RFC 850 is the one within 50 years
  /// of `now`.
  package static func parse(_ text: Span<UInt8>, now: WallTime) -> WallTime? { nil }
}

extension ByteBuffer {
  /// `Sun, 06 Nov 1994 08:49:37 GMT`
  package mutating func append(httpDate date: WallTime) {}
  /// `1994-11-06T08:49:37.123Z` (RFC 3339)
  package mutating func append(rfc3339 date: WallTime) {}
}
