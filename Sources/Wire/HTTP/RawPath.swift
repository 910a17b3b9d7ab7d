internal import Base

/// The rest of a path that is put behind a provider's own, so that it stays below it whoever reads it next.
package enum RawPath {
  /// Why it cannot be used; nil: it can.
  ///
  /// A server may take away dot segments (RFC 3986 §5.2.4), before or after it has decoded them, once or twice, and may
  /// take a backslash for a slash or a semicolon for a segment's end. So 1. no segment is `.` or `..`, also in front of
  /// a semicolon; 2. nothing stands percent-encoded that would be one, or a slash, a percent sign or a control
  /// character, also in a spelling that is no UTF-8; 3. there is no backslash.
  package static func fault(in path: Span<UInt8>) -> StaticString? {
    var start = 0
    var at = 0
    while at <= path.count {
      if at == path.count || path[at] == UInt8(ascii: "/") || path[at] == UInt8(ascii: ";") {
        if isDots(path.extracting(start..<at)) { return "a segment of the path is `.` or `..`" }  // 1
        start = at + 1
      } else if path[at] == UInt8(ascii: "\\") {  // 3
        return "the path has a backslash"
      } else if path[at] == UInt8(ascii: "%") {  // 2
        guard at + 2 < path.count, let high = path[at + 1].hexValue, let low = path[at + 2].hexValue else {
          return "the path has a percent sign that encodes nothing"
        }
        switch high << 4 | low {
        case 0..<32, 127, 0xc0, 0xc1, UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "\\"),
          UInt8(ascii: "%"):
          return "the path has an encoded dot, slash, backslash, percent sign or control character"
        default: break
        }
      }
      at += 1
    }
    return nil
  }

  private static func isDots(_ segment: Span<UInt8>) -> Bool {
    guard segment.count == 1 || segment.count == 2 else { return false }
    for i in 0..<segment.count where segment[i] != UInt8(ascii: ".") { return false }
    return true
  }
}
