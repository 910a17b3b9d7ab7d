// The character classes of HTTP, as bits of the 128 ASCII codes.

internal import Base

/// A set of ASCII bytes. Bytes from 0x80 are in none.
struct ASCIISet {
  private let low: UInt64
  private let high: UInt64

  private init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  @inline(__always)
  func contains(_ byte: UInt8) -> Bool {
    if byte & 0x80 != 0 { return false }
    return ((byte < 64 ? low : high) >> UInt64(byte & 63)) & 1 != 0
  }

  /// tchar (RFC 9110 §5.6.2): letters, digits and !#$%&'*+-.^_`|~
  static let token = ASCIISet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
  /// What uri-host and port are made of (RFC 3986 §3.2.2): unreserved, sub-delims, "%", ":", "[" and "]".
  static let host = ASCIISet(low: 0x2FFF_7FF2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE)
}

extension Span<UInt8> {
  /// Whether every byte of a field value is HTAB, SP, VCHAR or obs-text (RFC 9110 §5.5).
  func isFieldContent(_ range: Range<Int>) -> Bool {
    var at = range.lowerBound
    while at < range.upperBound {
      if at &+ 16 <= count {
        // What stands behind the value is looked at too, and does not count.
        let block = block(at: at)
        let controls: ByteBlock = block &- ByteBlock(repeating: 0x20)
        let marks = (controls | block.marks(equal: 0x7F)) & ~block
        let found = marks.firstMark
        at &+= found
        if at >= range.upperBound { return true }
        if found == 16 { continue }
      }
      let byte = self[at]
      if (byte < 0x20 && byte != 9) || byte == 0x7F { return false }
      at &+= 1
    }
    return true
  }

  /// The end of the token that begins at `start` (RFC 9110 §5.6.2).
  func endOfToken(from start: Int, upTo end: Int) -> Int {
    var at = start
    // Letters, digits and hyphens are what most names are made of.
    while at &+ 16 <= count {
      let block = block(at: at)
      let small = block | ByteBlock(repeating: 0x20)
      let letters = small.marks(from: UInt8(ascii: "a")) & ~small.marks(from: UInt8(ascii: "z") + 1)
      let digits = block.marks(from: UInt8(ascii: "0")) & ~block.marks(from: UInt8(ascii: "9") + 1)
      let hyphens = block.marks(equal: UInt8(ascii: "-"))
      let found = (block | ~(letters | digits | hyphens)).firstMark
      at &+= found
      if at >= end { return end }
      if found < 16 { break }
    }
    while at < end, ASCIISet.token.contains(self[at]) { at += 1 }
    return at
  }

  /// The elements of a comma-separated list, without white space; empty ones are left out (RFC 9110 §5.6.1).
  package func forEachListElement(_ range: Range<Int>, _ body: (Range<Int>) -> Void) {
    var start = range.lowerBound
    while start <= range.upperBound {
      var end = start
      while end < range.upperBound, self[end] != UInt8(ascii: ",") { end += 1 }
      let element = trimmed(start..<end)
      if !element.isEmpty { body(element) }
      start = end + 1
    }
  }
}
