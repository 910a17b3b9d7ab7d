package import Base
internal import CLinux

// Reading single values of a text that `JSONProbe` has accepted, and writing strings.

extension Span<UInt8> {
  /// Whether the string between the quotes at `inner` says `text` (ASCII) once its escapes are decoded.
  package func jsonEquals(_ inner: Range<Int>, _ text: StaticString) -> Bool {
    let n = text.utf8CodeUnitCount
    if inner.count <= n { return inner.count == n && extracting(inner).equals(text) }
    // An escape is longer than what it stands for. Most keys differ in their first byte.
    let first = self[inner.lowerBound]
    if n > 0, first != text.utf8Start[0], first != UInt8(ascii: "\\") { return false }
    return extracting(inner).jsonDecodes(to: text)
  }

  /// The same of a longer string. Apart, since it is hardly ever called: so looking for a key takes few registers.
  @inline(never)
  private func jsonDecodes(to text: StaticString) -> Bool {
    let n = text.utf8CodeUnitCount
    var at = 0
    var matched = 0
    while at < count {
      guard matched < n else { return false }
      if self[at] == text.utf8Start[matched] {
        at += 1
      } else if self[at] != UInt8(ascii: "\\") || jsonScalar(&at) != UInt32(text.utf8Start[matched]) {
        return false
      }
      matched += 1
    }
    return matched == n
  }

  /// As `jsonEquals`, without regard to case; `text` is in lower case. Two characters beyond ASCII fold into it, the
  /// long s (U+017F) and the Kelvin sign (U+212A).
  @inline(__always)
  package func jsonFoldsTo(_ inner: Range<Int>, _ text: StaticString) -> Bool {
    let n = text.utf8CodeUnitCount
    // What folds into ASCII from beyond it, and escapes, are longer than what they stand for.
    if inner.count <= n { return inner.count == n && extracting(inner).equalsIgnoringCase(text) }
    // Most keys differ in their first byte.
    let first = self[inner.lowerBound]
    if first < 0x80, first != UInt8(ascii: "\\"), n > 0, first.asciiLowercased != text.utf8Start[0] {
      return false
    }
    return extracting(inner).jsonFolds(to: text)
  }

  /// The same of a longer string.
  @inline(never) @usableFromInline
  func jsonFolds(to text: StaticString) -> Bool {
    var at = 0
    for i in 0..<text.utf8CodeUnitCount {
      guard at < count, foldedScalar(&at) == UInt32(text.utf8Start[i]) else { return false }
    }
    return at == count
  }

  /// The character or escape at `at` within a string in lower case, where that is one of ASCII.
  private func foldedScalar(_ at: inout Int) -> UInt32 {
    if self[at] < 0x80, self[at] != UInt8(ascii: "\\") {
      at += 1
      return UInt32(self[at - 1].asciiLowercased)
    }
    let rest = extracting(at..<count)
    if rest.hasPrefix("\u{17F}") {
      at += 2
      return 0x73
    }
    if rest.hasPrefix("\u{212A}") {
      at += 3
      return 0x6B
    }
    switch jsonScalar(&at) {
    case 0x17F: return 0x73
    case 0x212A: return 0x6B
    case let code: return code >= 0x41 && code <= 0x5A ? code | 0x20 : code
    }
  }

  /// Whether a member is a string that says `text` (ASCII).
  package func jsonEquals(_ member: JSONMember, _ text: StaticString) -> Bool {
    guard let inner = member.inner else { return false }
    return jsonEquals(inner, text)
  }

  /// Decodes a string value into `out`, behind what is there; false for other kinds.
  /// A lone surrogate becomes U+FFFD.
  @discardableResult package func jsonString(_ member: JSONMember, into out: inout ByteBuffer) -> Bool {
    guard let inner = member.inner else { return false }
    let bytes = extracting(inner)
    var at = 0
    while at < bytes.count {
      let rest = bytes.extracting(at..<bytes.count)
      let plain = rest.firstIndex(of: UInt8(ascii: "\\")) ?? rest.count
      out.append(rest.extracting(0..<plain))
      at += plain
      if at < bytes.count { out.append(scalar: bytes.jsonScalar(&at)) }
    }
    return true
  }

  /// A count; nil for what is no number, and for a negative one.
  package func jsonQuantity(_ member: JSONMember) -> Quantity? {
    member.kind == .number ? extracting(member.value).quantity : nil
  }

  /// A number as floating point, infinite where it is too large; nil for other kinds, and for one that is
  /// written with more than 63 bytes.
  package func jsonDouble(_ member: JSONMember) -> Double? {
    guard member.kind == .number else { return nil }
    return extracting(member.value).floatingPoint
  }

  package func jsonBool(_ member: JSONMember) -> Bool? {
    guard member.kind == .bool else { return nil }
    return self[member.value.lowerBound] == UInt8(ascii: "t")
  }

  /// The character or escape at `at` within a string, as its code; bytes from 0x80 on come one by one.
  private func jsonScalar(_ at: inout Int) -> UInt32 {
    let first = self[at]
    at += 1
    guard first == UInt8(ascii: "\\"), at < count else { return UInt32(first) }
    let escape = self[at]
    at += 1
    switch escape {
    case UInt8(ascii: "b"): return 8
    case UInt8(ascii: "f"): return 12
    case UInt8(ascii: "n"): return 10
    case UInt8(ascii: "r"): return 13
    case UInt8(ascii: "t"): return 9
    case UInt8(ascii: "u"):
      let unit = hexUnit(at)
      at = Swift.min(at + 4, count)
      if unit < 0xD800 || unit > 0xDFFF { return unit }
      // RFC 8259 §7: what lies outside the BMP is two escapes.
      if unit < 0xDC00, at + 6 <= count, self[at] == UInt8(ascii: "\\"), self[at + 1] == UInt8(ascii: "u") {
        let low = hexUnit(at + 2)
        if low >= 0xDC00, low <= 0xDFFF {
          at += 6
          return 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
        }
      }
      return 0xFFFD
    default: return UInt32(escape)
    }
  }

  private func hexUnit(_ at: Int) -> UInt32 {
    var unit: UInt32 = 0
    for i in at..<at + 4 {
      guard i < count, let value = self[i].hexValue else { return 0xFFFD }
      unit = unit << 4 | UInt32(value)
    }
    return unit
  }

  /// A count as JSON and header fields write it, with a fraction or an exponent too; nil where it is negative or
  /// no number, such as "unlimited".
  package var quantity: Quantity? {
    if let decimal { return Quantity(decimal) }
    guard let number = floatingPoint, number >= 0 else { return nil }
    return Quantity(number)
  }

  /// A plain decimal number, with strtod(3): digits, sign, point and exponent only.
  var floatingPoint: Double? {
    if let decimal { return Double(decimal) }
    guard count > 0, count < 64 else { return nil }
    for i in 0..<count {
      switch self[i] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"),
        UInt8(ascii: "e"), UInt8(ascii: "E"):
        continue
      default: return nil
      }
    }
    // Lifetime: the copy and the end pointer live for this block; strtod keeps nothing.
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { copy in
      for i in 0..<count { copy[i] = CChar(bitPattern: self[i]) }
      copy[count] = 0
      guard let start = copy.baseAddress else { return nil }
      var end: UnsafeMutablePointer<CChar>?
      let value = strtod(start, &end)
      return end == start + count ? value : nil
    }
  }
}

extension ByteBuffer {
  /// Writes bytes as a JSON string with quotes (RFC 8259 §7). Ill-formed UTF-8 becomes U+FFFD; `<` stays `<`,
  /// for this is never put into HTML.
  package mutating func append(jsonString bytes: Span<UInt8>) {
    reserve(bytes.count + 2)
    append(UInt8(ascii: "\""))
    var at = 0
    while at < bytes.count {
      let start = at
      JSONGrammar.skipPlain(bytes, &at)
      if at > start { append(bytes.extracting(start..<at)) }
      if at == bytes.count { break }
      let length = UTF8Sequence.length(bytes, at)
      if length > 1 {
        append(bytes.extracting(at..<at + length))
      } else if length == 0 {
        append("\u{FFFD}" as StaticString)
      } else {
        append(escaped: bytes[at])
      }
      at += max(1, length)
    }
    append(UInt8(ascii: "\""))
  }

  package mutating func append(jsonString text: String) {
    var text = text
    text.withUTF8 { append(jsonString: Span(_unsafeElements: $0)) }
  }

  private mutating func append(escaped byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): append("\\\"" as StaticString)
    case UInt8(ascii: "\\"): append("\\\\" as StaticString)
    case 10: append("\\n" as StaticString)
    case 13: append("\\r" as StaticString)
    case 9: append("\\t" as StaticString)
    default:
      append("\\u" as StaticString)
      append(hex: UInt64(byte), digits: 4)
    }
  }

  /// A decoded escape as UTF-8.
  fileprivate mutating func append(scalar: UInt32) {
    let scalar = Unicode.Scalar(scalar) ?? "\u{FFFD}"
    for unit in UTF8.encode(scalar).unsafelyUnwrapped { append(unit) }
  }
}
