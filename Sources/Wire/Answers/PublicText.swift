internal import Base

/// Text from a provider made fit for answers and logs.
package enum PublicText {
  /// At most `limit` bytes of valid UTF-8: control characters become one space, ill-formed bytes U+FFFD, and
  /// every word that looks like a key becomes `***`.
  ///
  /// A word looks like a key if 1. it follows "Bearer", 2. it begins as keys of known providers do, 3. it has
  /// 20 letters and digits in a row, both of them, 4. it is 32 or more hexadecimal digits with or without hyphens.
  package static func sanitised(_ text: Span<UInt8>, limit: Int) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(min(limit, text.count))
    var isBehindBearer = false
    var at = 0
    while at < text.count, out.count < limit {
      if isWordByte(text[at]) {
        let start = at
        while at < text.count, isWordByte(text[at]) { at += 1 }
        let word = text.extracting(start..<at)
        if isBehindBearer || isKey(word) {
          append("***".utf8Span.span, to: &out, limit: limit)
        } else {
          append(word, to: &out, limit: limit)
        }
        isBehindBearer = word.equalsIgnoringCase("bearer")
        continue
      }
      let byte = text[at]
      let length = UTF8Sequence.length(text, at)
      if byte <= 32 || byte == 127 {
        if let last = out.last, last != 32 { out.append(32) }
      } else if length == 0 {
        append("\u{FFFD}".utf8Span.span, to: &out, limit: limit)
        isBehindBearer = false
      } else {
        append(text.extracting(at..<at + length), to: &out, limit: limit)
        isBehindBearer = isBehindBearer && byte == UInt8(ascii: ":")
      }
      at += max(1, length)
    }
    while out.last == 32 { out.removeLast() }
    return out
  }

  /// Appends a run of ASCII as far as there is room, and a single character whole or not at all.
  private static func append(_ bytes: Span<UInt8>, to out: inout [UInt8], limit: Int) {
    let room = limit - out.count
    if bytes.count > room, bytes[0] >= 0x80 {
      // No room for the whole character: nothing more fits.
      out.append(contentsOf: repeatElement(32, count: room))
      return
    }
    for i in 0..<min(bytes.count, room) { out.append(bytes[i]) }
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    byte.isDigit || byte.asciiLowercased &- 97 < 26 || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
      || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "*") || byte == UInt8(ascii: "+")
      || byte == UInt8(ascii: "~")
  }

  private static func isKey(_ word: Span<UInt8>) -> Bool {
    if word.count >= 8, hasKeyPrefix(word) { return true }  // 2
    var run = 0
    var digits = 0
    var hexDigits = 0
    var isHex = true
    for i in 0..<word.count {
      let byte = word[i]
      if byte.isDigit || byte.asciiLowercased &- 97 < 26 {
        run += 1
        if byte.isDigit { digits += 1 }
        if run >= 20, digits > 0, digits < run { return true }  // 3
      } else {
        run = 0
        digits = 0
      }
      if byte.hexValue != nil {
        hexDigits += 1
      } else if byte != UInt8(ascii: "-"), byte != UInt8(ascii: ".") || i != word.count - 1 {
        isHex = false
      }
    }
    return isHex && hexDigits >= 32  // 4
  }

  private static func hasKeyPrefix(_ word: Span<UInt8>) -> Bool {
    switch word[0].asciiLowercased {
    case UInt8(ascii: "s"): word.hasPrefixIgnoringCase("sk-") || word.hasPrefixIgnoringCase("sk_")
    case UInt8(ascii: "g"):
      word.hasPrefixIgnoringCase("gsk_") || word.hasPrefixIgnoringCase("ghp_")
        || word.hasPrefixIgnoringCase("github_pat_")
    case UInt8(ascii: "x"): word.hasPrefixIgnoringCase("xai-")
    case UInt8(ascii: "n"): word.hasPrefixIgnoringCase("nvapi-")
    case UInt8(ascii: "h"): word.hasPrefixIgnoringCase("hf_")
    case UInt8(ascii: "a"): word.hasPrefixIgnoringCase("aiza")
    case UInt8(ascii: "c"): word.hasPrefixIgnoringCase("csk-")
    case UInt8(ascii: "e"): word.hasPrefixIgnoringCase("eyj")
    case UInt8(ascii: "f"): word.hasPrefixIgnoringCase("fw_")
    case UInt8(ascii: "t"): word.hasPrefixIgnoringCase("tgp_")
    case UInt8(ascii: "k"): word.hasPrefixIgnoringCase("key-")
    default: false
    }
  }
}
