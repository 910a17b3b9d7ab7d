internal import Base

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
