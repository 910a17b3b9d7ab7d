package import Base

/// What of WebSocket (RFC 6455) a pipe between two of its ends has to know.
package enum WebSocket {
  /// Why a connection ends (§7.4.1).
  package enum Closing: UInt16, Sendable {
    /// The server goes down.
    case goingAway = 1001
    /// The server cannot go on.
    case internalError = 1011
  }

  /// A frame that ends a connection (§5.5.1). `isMasked`: it goes to a server. The mask only has to hide bytes that a
  /// script may choose (§10.3), and nobody has chosen these: it is zero.
  package static func closeFrame(_ closing: Closing, _ reason: StaticString, isMasked: Bool) -> [UInt8] {
    let count = 2 + reason.utf8CodeUnitCount
    precondition(count <= 125)
    var frame: [UInt8] = [0x88, UInt8(count) | (isMasked ? 0x80 : 0)]
    if isMasked { frame += [0, 0, 0, 0] }
    frame += [UInt8(closing.rawValue >> 8), UInt8(truncatingIfNeeded: closing.rawValue)]
    for i in 0..<reason.utf8CodeUnitCount { frame.append(reason.utf8Start[i]) }
    return frame
  }

  /// Whether a key is one (§4.1): 16 bytes in base 64.
  package static func isKey(_ key: Span<UInt8>) -> Bool {
    guard key.count == 24 else { return false }
    for i in 0..<22 {
      let byte = key[i]
      guard
        byte.isDigit || byte.asciiLowercased &- 97 < 26 || byte == UInt8(ascii: "+")
          || byte == UInt8(ascii: "/")
      else { return false }
    }
    return key[22] == UInt8(ascii: "=") && key[23] == UInt8(ascii: "=")
  }

  /// What a server answers to a key (§4.2.2).
  package static func accept(of key: Span<UInt8>) -> String {
    var text = ByteBuffer()
    text.append(key)
    text.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    let digest = text.withBytes { SHA1.digest(of: $0) }
    return Base64.encode(digest.span)
  }

  /// How OpenAI's browser clients show a key, which can set no header: as a protocol that they offer.
  package static let keyProtocol: StaticString = "openai-insecure-api-key."
}

/// Tells where the frames of one direction begin and end, from the bytes as they pass (RFC 6455 §5.2).
package struct FrameWalk: Sendable {
  /// Bytes of a frame's head that were seen; 0: none.
  private var seen = 0
  /// Bytes of its extended length.
  private var extended = 0
  private var length: UInt64 = 0
  private var isMasked = false
  private var isClose = false
  /// Bytes of the frame that are still to come behind its head.
  private var left: UInt64 = 0
  /// A frame has come that ends the connection.
  package private(set) var sawClose = false

  package init() {}

  /// A frame of ours would stand between two others.
  package var isBetweenFrames: Bool { seen == 0 && left == 0 }

  package mutating func observe(_ bytes: Span<UInt8>) {
    var at = 0
    while at < bytes.count {
      if left > 0 {
        let step = min(left, UInt64(bytes.count - at))
        left -= step
        at += Int(step)
      } else {
        observe(bytes[at])
        at += 1
      }
    }
  }

  /// One byte of a frame's head.
  private mutating func observe(_ byte: UInt8) {
    switch seen {
    case 0: isClose = byte & 15 == 8
    case 1:
      isMasked = byte & 0x80 != 0
      length = UInt64(byte & 0x7f)
      extended = length == 126 ? 2 : length == 127 ? 8 : 0
      if extended > 0 { length = 0 }
    default: length = length << 8 | UInt64(byte)
    }
    seen += 1
    if seen < 2 + extended { return }
    seen = 0
    left = length &+ (isMasked ? 4 : 0)
    if isClose { sawClose = true }
  }
}

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
