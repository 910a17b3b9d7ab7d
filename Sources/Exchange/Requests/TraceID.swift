package import Base

/// The trace that a request belongs to, as its `traceparent` names it (W3C Trace Context §3.2).
///
/// Only read, so that the log line joins the application's trace: a sidecar makes no spans of its own.
package struct TraceID: Equatable {
  private let high: UInt64
  private let low: UInt64

  /// Nil unless it is `VERSION-TRACE-PARENT-FLAGS` in lower-case hexadecimal digits, the version not `ff` and the
  /// trace not zero. A later version may have more behind that.
  package init?(traceparent value: Span<UInt8>) {
    guard value.count >= 55, let version = Self.number(value, 0..<2), version != 0xff,
      let high = Self.number(value, 3..<19), let low = Self.number(value, 19..<35), high | low != 0,
      Self.number(value, 36..<52) != nil, Self.number(value, 53..<55) != nil
    else { return nil }
    for dash in [2, 35, 52] where value[dash] != UInt8(ascii: "-") { return nil }
    if value.count > 55, version == 0 || value[55] != UInt8(ascii: "-") { return nil }
    self.high = high
    self.low = low
  }

  /// Appends its 32 digits.
  package func write(into out: inout ByteBuffer) {
    out.append(hex: high, digits: 16)
    out.append(hex: low, digits: 16)
  }

  /// At most 16 lower-case hexadecimal digits.
  private static func number(_ value: Span<UInt8>, _ place: Range<Int>) -> UInt64? {
    var number: UInt64 = 0
    for at in place {
      guard let digit = value[at].hexValue, value[at] &- 65 >= 6 else { return nil }
      number = number << 4 | UInt64(digit)
    }
    return number
  }
}
