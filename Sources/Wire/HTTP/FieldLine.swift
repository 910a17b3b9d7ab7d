internal import Base

/// A field line (RFC 9112 §5) as nearly all are: a name of letters, digits and hyphens, a colon, one space or none, a
/// value without tabs and without white space at its ends, CRLF.
///
/// It is found and checked in one look. Every other line is looked for by its end and read with more care: it may be as
/// good, amiss, or not all there yet.
struct FieldLine {
  let name: Range<Int>
  let value: Range<Int>
  let known: KnownField
  /// Behind the line feed.
  let end: Int

  /// The line that begins at `start`; nil where it is not such a one.
  @inline(__always)
  init?(_ bytes: Span<UInt8>, from start: Int) {
    let colon = bytes.endOfPlainName(from: start)
    guard colon > start, bytes.has(colon &+ 1), bytes[colon] == UInt8(ascii: ":") else { return nil }
    let first = bytes[colon &+ 1] == 32 ? colon &+ 2 : colon &+ 1
    let last = bytes.firstControl(from: first)
    guard bytes.has(last &+ 1), bytes[last] == UInt8(ascii: "\r"), bytes[last &+ 1] == UInt8(ascii: "\n")
    else {
      return nil
    }
    if last > first, bytes[first] == 32 || bytes[last &- 1] == 32 { return nil }
    name = start..<colon
    value = first..<last
    known = KnownField(bytes.extracting(start..<colon))
    end = last &+ 2
  }
}

extension Span<UInt8> {
  /// The end of what is made of letters, digits and hyphens, as far as there are 16 bytes.
  @inline(__always)
  func endOfPlainName(from start: Int) -> Int {
    scan(from: start) { block in
      let letters = (block | ByteBlock(repeating: 0x20)).marks(from: UInt8(ascii: "a"), to: UInt8(ascii: "z"))
      let digits = block.marks(from: UInt8(ascii: "0"), to: UInt8(ascii: "9"))
      return .!(letters .| digits .| block.marks(equal: UInt8(ascii: "-")))
    }.at
  }

  /// The first control character (RFC 9110 §5.5: those but HTAB are no part of a value); the end where there is none.
  @inline(__always)
  func firstControl(from start: Int) -> Int {
    var (at, isFound) = scan(from: start) { $0.marks(below: 0x20) .| $0.marks(equal: 0x7F) }
    while !isFound, has(at), self[at] >= 0x20, self[at] != 0x7F { at &+= 1 }
    return at
  }
}
