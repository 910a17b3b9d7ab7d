package import Base

/// The `model` of a query, as clients of the Realtime API name it.
package struct QueryModel: Sendable {
  /// Its value, percent-encoded as it stands.
  package let range: Range<Int>
  /// The name.
  package let name: [UInt8]
  /// Another stands in the query, in whatever spelling: providers differ in which one they take.
  package let isRepeated: Bool

  /// nil: there is none, or it is empty.
  package init?(_ query: Span<UInt8>) {
    var start = 0
    var found: Range<Int>?
    var count = 0
    while start < query.count {
      let rest = query.extracting(start..<query.count)
      let end = start + (rest.firstIndex(of: UInt8(ascii: "&")) ?? rest.count)
      let equals = start + (rest.firstIndex(of: UInt8(ascii: "=")) ?? rest.count)
      if equals < end, Self.decoded(query.extracting(start..<equals)).span.equals("model") {
        count += 1
        found = found ?? equals + 1..<end
      }
      start = end + 1
    }
    guard let found, !found.isEmpty else { return nil }
    range = found
    name = Self.decoded(query.extracting(found))
    isRepeated = count > 1
  }

  private static func decoded(_ value: Span<UInt8>) -> [UInt8] {
    var name: [UInt8] = []
    var at = 0
    while at < value.count {
      if value[at] == UInt8(ascii: "%"), at + 2 < value.count, let high = value[at + 1].hexValue,
        let low = value[at + 2].hexValue
      {
        name.append(high << 4 | low)
        at += 3
      } else {
        name.append(value[at] == UInt8(ascii: "+") ? 32 : value[at])
        at += 1
      }
    }
    return name
  }

  /// Writes a query anew with another name in its place.
  package func write(_ query: Span<UInt8>, naming other: Span<UInt8>, into out: inout ByteBuffer) {
    out.append(query.extracting(0..<range.lowerBound))
    for i in 0..<other.count {
      let byte = other[i]
      let isPlain =
        byte.isDigit || byte.asciiLowercased &- 97 < 26 || byte == UInt8(ascii: "-")
        || byte == UInt8(ascii: "_")
        || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "~")
      if isPlain {
        out.append(byte)
      } else {
        out.append(UInt8(ascii: "%"))
        out.append(hex: UInt64(byte), digits: 2)
      }
    }
    out.append(query.extracting(range.upperBound..<query.count))
  }
}
