internal import Base

/// A JSON text that was checked before, taken into a hash without the white space between its tokens (RFC 8259 §2).
///
/// Tokens need no separator in its place: two that are not told apart by their own bytes are never neighbours in a
/// valid text.
struct NormalisedText: Sendable {
  private var at = 0
  private var isInString = false

  /// Takes in what comes next, up to a place soon behind `limit`. True: to the text's end.
  mutating func goOn(_ text: Span<UInt8>, upTo limit: Int, into hash: inout KeyedHash) -> Bool {
    let end = text.count
    var from = at
    while at < end, at < limit {
      if isInString {
        at = text.mark(from: at)
        guard at < end else { break }
        isInString = text[at] != UInt8(ascii: "\"")
        at = min(at + (isInString ? 2 : 1), end)
        continue
      }
      let byte = text[at]
      if byte == UInt8(ascii: "\"") {
        isInString = true
        at += 1
      } else if byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
        hash.absorb(text.extracting(from..<at))
        repeat { at += 1 } while at < end && text[at] <= 0x20
        from = at
      } else {
        at += 1
      }
    }
    hash.absorb(text.extracting(from..<at))
    return at == end
  }
}

extension KeyedHash {
  /// The contents of a JSON string with its escapes decoded to UTF-8. False where it has a surrogate without
  /// its other half, which has no UTF-8.
  mutating func absorb(decoding inner: Span<UInt8>) -> Bool {
    var from = 0
    var at = 0
    while at < inner.count {
      guard inner[at] == UInt8(ascii: "\\") else {
        at += 1
        continue
      }
      absorb(inner.extracting(from..<at))
      guard let (scalar, length) = inner.escape(at: at) else { return false }
      absorb(scalar: scalar)
      at += length
      from = at
    }
    absorb(inner.extracting(from..<at))
    return true
  }

  private mutating func absorb(scalar: UInt32) {
    let low = { (shift: UInt32) in UInt8(truncatingIfNeeded: 0x80 | (scalar >> shift & 0x3f)) }
    switch scalar {
    case ..<0x80: absorb(UInt8(scalar))
    case ..<0x800:
      absorb(UInt8(0xc0 | scalar >> 6))
      absorb(low(0))
    case ..<0x1_0000:
      absorb(UInt8(0xe0 | scalar >> 12))
      absorb(low(6))
      absorb(low(0))
    default:
      absorb(UInt8(0xf0 | scalar >> 18))
      absorb(low(12))
      absorb(low(6))
      absorb(low(0))
    }
  }
}

extension Span<UInt8> {
  /// The next quote or backslash; the end where there is none.
  fileprivate func mark(from start: Int) -> Int {
    var (at, isFound) = scan(from: start) {
      $0.marks(equal: UInt8(ascii: "\"")) .| $0.marks(equal: UInt8(ascii: "\\"))
    }
    while !isFound, at < count, self[at] != UInt8(ascii: "\""), self[at] != UInt8(ascii: "\\") { at &+= 1 }
    return at
  }

  /// The scalar that the escape at `at` stands for, and its length in bytes; nil for anything ill-formed.
  fileprivate func escape(at: Int) -> (scalar: UInt32, length: Int)? {
    guard at + 1 < count else { return nil }
    switch self[at + 1] {
    case UInt8(ascii: "b"): return (0x08, 2)
    case UInt8(ascii: "t"): return (0x09, 2)
    case UInt8(ascii: "n"): return (0x0a, 2)
    case UInt8(ascii: "f"): return (0x0c, 2)
    case UInt8(ascii: "r"): return (0x0d, 2)
    case UInt8(ascii: "u"):
      guard let first = hexUnit(at: at + 2) else { return nil }
      if first & 0xf800 != 0xd800 { return (first, 6) }
      guard first < 0xdc00, at + 7 < count, self[at + 6] == UInt8(ascii: "\\"),
        self[at + 7] == UInt8(ascii: "u"), let second = hexUnit(at: at + 8), second & 0xfc00 == 0xdc00
      else { return nil }
      return (0x1_0000 + ((first & 0x3ff) << 10 | second & 0x3ff), 12)
    case let plain: return (UInt32(plain), 2)
    }
  }

  private func hexUnit(at: Int) -> UInt32? {
    guard at + 4 <= count else { return nil }
    var value: UInt32 = 0
    for index in at..<at + 4 {
      guard let digit = self[index].hexValue else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value
  }
}
