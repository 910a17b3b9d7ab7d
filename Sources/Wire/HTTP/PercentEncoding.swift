package import Base

/// Percent-encoding (RFC 3986 §2.1), as far as a model's name in a path needs it.
package enum PercentEncoding {
  /// A malformed escape stands for itself.
  package static func decode(_ bytes: Span<UInt8>, into out: inout ByteBuffer) {
    var at = 0
    while at < bytes.count {
      if bytes[at] == UInt8(ascii: "%"), at + 2 < bytes.count, let high = bytes[at + 1].hexValue,
        let low = bytes[at + 2].hexValue
      {
        out.append(high << 4 | low)
        at += 3
      } else {
        out.append(bytes[at])
        at += 1
      }
    }
  }
}
