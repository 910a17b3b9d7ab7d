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
    var at = firstControl(from: range.lowerBound)
    while at < range.upperBound {
      if self[at] != 9 { return false }
      at = firstControl(from: at &+ 1)
    }
    return true
  }

  /// The end of the token that begins at `start` (RFC 9110 §5.6.2).
  func endOfToken(from start: Int, upTo end: Int) -> Int {
    // Letters, digits and hyphens are what most names are made of.
    var at = endOfPlainName(from: start)
    if at >= end { return end }
    while at < end, ASCIISet.token.contains(self[at]) { at += 1 }
    return at
  }

  /// The end of the host and port that begin at `start` (RFC 3986 §3.2.2).
  func endOfHost(from start: Int, upTo end: Int) -> Int {
    // Letters, digits, colons, dots and hyphens are what most are made of.
    var at = scan(from: start) { block in
      let letters = (block | ByteBlock(repeating: 0x20)).marks(from: UInt8(ascii: "a"), to: UInt8(ascii: "z"))
      let digits = block.marks(from: UInt8(ascii: "0"), to: UInt8(ascii: ":"))
      let others = block.marks(from: UInt8(ascii: "-"), to: UInt8(ascii: "."))
      return .!(letters .| digits .| others)
    }.at
    if at >= end { return end }
    while at < end, ASCIISet.host.contains(self[at]) { at += 1 }
    return at
  }

  /// The first byte from `start` on that is no visible ASCII; the end where there is none.
  @inline(__always)
  func endOfVisible(from start: Int) -> Int {
    var (at, isFound) = scan(from: start) { .!$0.marks(from: 33, to: 126) }
    while !isFound, has(at), self[at] > 32, self[at] < 127 { at &+= 1 }
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
