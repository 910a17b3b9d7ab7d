internal import Base

/// The parts of RFC 8259's grammar that have no nesting, each read from `at` on, which ends behind it.
enum JSONGrammar {
  @inline(__always)
  static func skipWhitespace(_ bytes: Span<UInt8>, _ at: inout Int) {
    while at < bytes.count {
      let byte = bytes[at]
      if byte != 32, byte != 10, byte != 13, byte != 9 { return }
      at += 1
    }
  }

  /// The place of the first byte of a string that needs a look: a quote, a backslash, a control character or the first
  /// byte of a non-ASCII character. 16 where there is none.
  @inline(__always)
  private static func firstSpecial(in block: ByteBlock) -> Int {
    // From 0x80 on every byte is marked: by itself.
    let controls: ByteBlock = block &- ByteBlock(repeating: 0x20)
    let quotes: ByteBlock = block.marks(equal: UInt8(ascii: "\""))
    let backslashes: ByteBlock = block.marks(equal: UInt8(ascii: "\\"))
    return (block | controls | quotes | backslashes).firstMark
  }

  /// Goes on to the next byte of a string that needs a look.
  ///
  /// Images arrive as megabytes of base64 in one string, so it goes 16 bytes at a time.
  @inline(__always)
  static func skipPlain(_ bytes: Span<UInt8>, _ place: inout Int) {
    var at = place
    while at &+ 16 <= bytes.count {
      let found = firstSpecial(in: bytes.block(at: at))
      at &+= found
      if found < 16 {
        place = at
        return
      }
    }
    while at < bytes.count {
      let byte = bytes[at]
      if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
      at &+= 1
    }
    place = at
  }

  /// A string, from behind its opening quote on (RFC 8259 §7). A `\u` escape of a lone surrogate is within the
  /// grammar and accepted, as by most readers; raw bytes must be well-formed UTF-8 (§8.1).
  ///
  /// Not whole where `limit` was reached between two characters: it is called again from there. `hasCode` becomes true
  /// at a `\u` escape, the only one that can stand for a letter.
  @inline(__always)
  static func string(_ bytes: Span<UInt8>, from start: Int, upTo limit: Int, hasCode: inout Bool)
    throws(JSONFault) -> (end: Int, isWhole: Bool)
  {
    // Most are short, and plain to their end.
    if start &+ 16 <= bytes.count {
      let end = start &+ firstSpecial(in: bytes.block(at: start))
      if end < bytes.count, bytes[end] == UInt8(ascii: "\"") { return (end &+ 1, true) }
    }
    return try anyString(bytes, from: start, upTo: limit, hasCode: &hasCode)
  }

  @inline(never)
  private static func anyString(
    _ bytes: Span<UInt8>, from start: Int, upTo limit: Int, hasCode: inout Bool
  ) throws(JSONFault) -> (end: Int, isWhole: Bool) {
    var at = start
    while true {
      skipPlain(bytes, &at)
      guard at < bytes.count else { throw JSONFault(offset: at, reason: .unexpectedEnd) }
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") { return (at &+ 1, true) }
      if at >= limit { return (at, false) }
      if byte == UInt8(ascii: "\\") {
        try escape(bytes, &at, &hasCode)
      } else if byte < 0x20 {
        throw JSONFault(offset: at, reason: .controlCharacter)
      } else {
        while at < bytes.count, bytes[at] >= 0x80, at < limit {
          let length = UTF8Sequence.length(bytes, at)
          if length == 0 { throw JSONFault(offset: at, reason: .badUTF8) }
          at += length
        }
      }
    }
  }

  /// An escape, from its backslash on.
  @inline(__always)
  private static func escape(_ bytes: Span<UInt8>, _ at: inout Int, _ hasCode: inout Bool)
    throws(JSONFault)
  {
    guard at + 1 < bytes.count else { throw JSONFault(offset: bytes.count, reason: .unexpectedEnd) }
    switch bytes[at + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      at += 2
    case UInt8(ascii: "u"):
      for i in 2..<6 {
        guard at + i < bytes.count else { throw JSONFault(offset: bytes.count, reason: .unexpectedEnd) }
        if bytes[at + i].hexValue == nil { throw JSONFault(offset: at + i, reason: .badEscape) }
      }
      at += 6
      hasCode = true
    default:
      throw JSONFault(offset: at + 1, reason: .badEscape)
    }
  }

  /// The end of a number (RFC 8259 §6) that begins at `start`.
  static func number(_ bytes: Span<UInt8>, from start: Int) throws(JSONFault) -> Int {
    var at = start
    if bytes[at] == UInt8(ascii: "-") { at &+= 1 }
    if at < bytes.count, bytes[at] == UInt8(ascii: "0") {
      at &+= 1
      if at < bytes.count, bytes[at].isDigit { throw JSONFault(offset: at, reason: .badNumber) }
    } else {
      at = try digits(bytes, from: at)
    }
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") { at = try digits(bytes, from: at &+ 1) }
    if at < bytes.count, bytes[at] | 32 == UInt8(ascii: "e") {
      at &+= 1
      if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at &+= 1 }
      at = try digits(bytes, from: at)
    }
    return at
  }

  @inline(__always)
  private static func digits(_ bytes: Span<UInt8>, from start: Int) throws(JSONFault) -> Int {
    var at = start
    guard at < bytes.count else { throw JSONFault(offset: at, reason: .unexpectedEnd) }
    guard bytes[at].isDigit else { throw JSONFault(offset: at, reason: .badNumber) }
    repeat { at &+= 1 } while at < bytes.count && bytes[at].isDigit
    return at
  }

  /// The end of `true`, `false` or `null`, by its first byte.
  static func literal(_ bytes: Span<UInt8>, from start: Int, _ text: StaticString) throws(JSONFault) -> Int {
    for i in 0..<text.utf8CodeUnitCount {
      guard start &+ i < bytes.count else { throw JSONFault(offset: bytes.count, reason: .unexpectedEnd) }
      if bytes[start &+ i] != text.utf8Start[i] { throw JSONFault(offset: start &+ i, reason: .badLiteral) }
    }
    return start &+ text.utf8CodeUnitCount
  }
}

/// Well-formed UTF-8 (Unicode 16, table 3-7).
enum UTF8Sequence {
  /// The length of the character at `at`, or 0 where the bytes there are ill-formed or cut off.
  static func length(_ bytes: Span<UInt8>, _ at: Int) -> Int {
    let first = bytes[at]
    if first < 0x80 { return 1 }
    let length: Int
    // What the second byte may be: this is where overlong forms, surrogates and values above U+10FFFF end.
    var low: UInt8 = 0x80
    var high: UInt8 = 0xBF
    switch first {
    case 0xC2...0xDF: length = 2
    case 0xE0...0xEF:
      length = 3
      if first == 0xE0 { low = 0xA0 }
      if first == 0xED { high = 0x9F }
    case 0xF0...0xF4:
      length = 4
      if first == 0xF0 { low = 0x90 }
      if first == 0xF4 { high = 0x8F }
    default: return 0
    }
    guard at + length <= bytes.count, bytes[at + 1] >= low, bytes[at + 1] <= high else { return 0 }
    for i in 2..<max(2, length) where bytes[at + i] & 0xC0 != 0x80 { return 0 }
    return length
  }
}
