internal import Base

/// The parts of RFC 8259's grammar that have no nesting, each read from `at` on, which ends behind it.
enum JSONGrammar {
  static func skipWhitespace(_ bytes: Span<UInt8>, _ at: inout Int) {
    while bytes.has(at) {
      let byte = bytes[at]
      if byte != 32, byte != 10, byte != 13, byte != 9 { return }
      at &+= 1
    }
  }

  /// The first byte that is no white space; there has to be one. The likely way is marked for the compiler, here and
  /// below: so registers are saved in the other.
  @inline(__always)
  static func next(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONFault) -> UInt8 {
    if _fastPath(bytes.has(at)), _fastPath(bytes[at] > 32) { return bytes[at] }
    at = behindWhitespace(bytes, at)
    guard bytes.has(at) else { throw JSONFault(offset: at, reason: .unexpectedEnd) }
    return bytes[at]
  }

  /// Apart: between most bytes there is none.
  @inline(never)
  private static func behindWhitespace(_ bytes: Span<UInt8>, _ start: Int) -> Int {
    var at = start
    skipWhitespace(bytes, &at)
    return at
  }

  /// The bytes of a string that need a look: quotes, backslashes, control characters and all that is not ASCII.
  @inline(__always)
  private static func specials(in block: ByteBlock) -> ByteMarks {
    block.marks(outsideOfASCIIFrom: 0x20) .| block.marks(equal: UInt8(ascii: "\""))
      .| block.marks(equal: UInt8(ascii: "\\"))
  }

  /// Goes on to the next byte of a string that needs a look.
  ///
  /// Images arrive as megabytes of base64 in one string, so it goes 16 bytes at a time.
  @inline(__always)
  static func skipPlain(_ bytes: Span<UInt8>, _ place: inout Int) {
    var (at, isFound) = bytes.scan(from: place) { specials(in: $0) }
    while !isFound, bytes.has(at) {
      let byte = bytes[at]
      if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
      at &+= 1
    }
    place = at
  }

  /// How far a string has been read.
  enum StringEnd {
    case whole
    /// The limit was reached between two characters: reading goes on from there.
    case part
    case fault(JSONFault.Reason)
  }

  /// A string, from behind its opening quote on (RFC 8259 §7). A `\u` escape of a lone surrogate is within the
  /// grammar and accepted, as by most readers; raw bytes must be well-formed UTF-8 (§8.1).
  ///
  /// `hasCode` becomes true at a `\u` escape, the only one that can stand for a letter.
  @inline(__always)
  static func string(_ bytes: Span<UInt8>, _ at: inout Int, upTo limit: Int, hasCode: inout Bool)
    throws(JSONFault) -> Bool
  {
    // Most are short, and plain to their end.
    if let block = bytes.block(at: at) {
      let end = at &+ specials(in: block).first
      if _fastPath(bytes.has(end)), _fastPath(bytes[end] == UInt8(ascii: "\"")) {
        at = end &+ 1
        return true
      }
      at = end
    }
    let state: StringEnd
    (at, state) = anyString(bytes, from: at, upTo: limit, hasCode: &hasCode)
    switch state {
    case .whole: return true
    case .part: return false
    case .fault(let reason): throw JSONFault(offset: at, reason: reason)
    }
  }

  // Returns its fault: a function that throws takes a register from those who call it.
  @inline(never)
  private static func anyString(
    _ bytes: Span<UInt8>, from start: Int, upTo limit: Int, hasCode: inout Bool
  ) -> (at: Int, state: StringEnd) {
    var at = start
    while true {
      skipPlain(bytes, &at)
      guard bytes.has(at) else { return (at, .fault(.unexpectedEnd)) }
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") { return (at &+ 1, .whole) }
      if at >= limit { return (at, .part) }
      if byte == UInt8(ascii: "\\") {
        do throws(JSONFault) {
          try escape(bytes, &at, &hasCode)
        } catch {
          return (error.offset, .fault(error.reason))
        }
      } else if byte < 0x20 {
        return (at, .fault(.controlCharacter))
      } else {
        while bytes.has(at), bytes[at] >= 0x80, at < limit {
          let length = UTF8Sequence.length(bytes, at)
          if length == 0 { return (at, .fault(.badUTF8)) }
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
    guard bytes.has(at &+ 1) else { throw JSONFault(offset: bytes.count, reason: .unexpectedEnd) }
    switch bytes[at &+ 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      at &+= 2
    case UInt8(ascii: "u"):
      for i in 2..<6 {
        guard bytes.has(at &+ i) else { throw JSONFault(offset: bytes.count, reason: .unexpectedEnd) }
        if bytes[at &+ i].hexValue == nil { throw JSONFault(offset: at + i, reason: .badEscape) }
      }
      at &+= 6
      hasCode = true
    default:
      throw JSONFault(offset: at + 1, reason: .badEscape)
    }
  }

  /// The end of a number (RFC 8259 §6) that begins at `start`.
  @inline(__always)
  static func number(_ bytes: Span<UInt8>, from start: Int) throws(JSONFault) -> Int {
    // Most are nothing but digits, and of more than one the first is no zero.
    if let block = bytes.block(at: start) {
      let length = (.!block.marks(from: UInt8(ascii: "0"), to: UInt8(ascii: "9"))).first
      let end = start &+ length
      if length == 1 || length > 1 && bytes[start] != UInt8(ascii: "0"), bytes.has(end),
        !bytes[end].isDigit && bytes[end] != UInt8(ascii: ".") && bytes[end] | 32 != UInt8(ascii: "e")
      {
        return end
      }
    }
    let end = anyNumber(bytes, from: start)
    if let reason = end.reason { throw JSONFault(offset: end.at, reason: reason) }
    return end.at
  }

  @inline(never)
  private static func anyNumber(_ bytes: Span<UInt8>, from start: Int) -> (at: Int, reason: JSONFault.Reason?)
  {
    do throws(JSONFault) {
      return (try readNumber(bytes, from: start), nil)
    } catch {
      return (error.offset, error.reason)
    }
  }

  @inline(__always)
  private static func readNumber(_ bytes: Span<UInt8>, from start: Int) throws(JSONFault) -> Int {
    var at = start
    if bytes[at] == UInt8(ascii: "-") { at &+= 1 }
    if bytes.has(at), bytes[at] == UInt8(ascii: "0") {
      at &+= 1
      if bytes.has(at), bytes[at].isDigit { throw JSONFault(offset: at, reason: .badNumber) }
    } else {
      at = try digits(bytes, from: at)
    }
    if bytes.has(at), bytes[at] == UInt8(ascii: ".") { at = try digits(bytes, from: at &+ 1) }
    if bytes.has(at), bytes[at] | 32 == UInt8(ascii: "e") {
      at &+= 1
      if bytes.has(at), bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at &+= 1 }
      at = try digits(bytes, from: at)
    }
    return at
  }

  @inline(__always)
  private static func digits(_ bytes: Span<UInt8>, from start: Int) throws(JSONFault) -> Int {
    var at = start
    guard bytes.has(at) else { throw JSONFault(offset: at, reason: .unexpectedEnd) }
    guard bytes[at].isDigit else { throw JSONFault(offset: at, reason: .badNumber) }
    repeat { at &+= 1 } while bytes.has(at) && bytes[at].isDigit
    return at
  }

  /// The end of `true`, `false` or `null`, by its first byte.
  @inline(__always)
  static func literal(_ bytes: Span<UInt8>, from start: Int, _ text: StaticString) throws(JSONFault) -> Int {
    let length = text.utf8CodeUnitCount
    // Looked at by their last four letters: the first one is known.
    let last = start &+ length &- 4
    if bytes.has(last &+ 3),
      bytes.halfWord(at: last) == UnsafeRawPointer(text.utf8Start).halfWord(at: length &- 4)
    {
      return start &+ length
    }
    throw fault(bytes, from: start, text)
  }

  /// Where a text is not that literal.
  @inline(never)
  private static func fault(_ bytes: Span<UInt8>, from start: Int, _ text: StaticString) -> JSONFault {
    for i in 0..<text.utf8CodeUnitCount where bytes.has(start &+ i) {
      if bytes[start &+ i] != text.utf8Start[i] { return JSONFault(offset: start &+ i, reason: .badLiteral) }
    }
    return JSONFault(offset: bytes.count, reason: .unexpectedEnd)
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
