internal import Base

/// A parameter of a form's Content-Type or of a part's Content-Disposition, as every reader has to find it.
///
/// Readers differ in what they make of a parameter that stands there twice, of one that is encoded or in pieces (`name*`,
/// `name*0`: RFC 2231, which RFC 7578 §4.2 has no use for), of escapes, and of what stands behind something that is no
/// parameter. A part could so be the model's for the provider and not for us.
enum FormParameter {
  case absent
  /// Where it lies, without its quotes.
  case value(Range<Int>)
  case ambiguous

  /// Looks behind the first semicolon of a range.
  init(_ name: StaticString, in bytes: Span<UInt8>, _ range: Range<Int>) {
    var value: Range<Int>?
    var at = range.lowerBound
    while at < range.upperBound, bytes[at] != UInt8(ascii: ";") { at += 1 }
    while at < range.upperBound {
      let start = Self.behindBlanks(bytes, at + 1, range.upperBound)
      if start == range.upperBound { break }
      guard let (key, found, end) = Self.pair(bytes, start, range.upperBound) else {
        // What cannot be read is another's business (a file's name with quotes in it), unless it may hold what is looked for.
        if Self.names(name, in: bytes, at..<range.upperBound) {
          self = .ambiguous
          return
        }
        break
      }
      if bytes.extracting(key).equalsIgnoringCase(name) {
        let hasEscape = bytes.extracting(found).firstIndex(of: UInt8(ascii: "\\")) != nil
        if value != nil || hasEscape {
          self = .ambiguous
          return
        }
        value = found
      } else if bytes.extracting(key).hasPrefixIgnoringCase(name),
        bytes[key.lowerBound + name.utf8CodeUnitCount] == UInt8(ascii: "*")
      {
        self = .ambiguous
        return
      }
      at = end
    }
    self = value.map { .value($0) } ?? .absent
  }

  /// The name stands there, and not as the end of another one.
  private static func names(_ name: StaticString, in bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var at = range.lowerBound
    while let found = bytes.extracting(at..<range.upperBound).firstRangeIgnoringCase(of: name) {
      if !ASCIISet.token.contains(bytes[at + found - 1]) { return true }
      at += found + 1
    }
    return false
  }

  /// `key=value` or `key="value"` at `start`, up to a semicolon or the end; nil: something else stands there.
  private static func pair(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int)
    -> (key: Range<Int>, value: Range<Int>, end: Int)?
  {
    var at = start
    while at < limit, ASCIISet.token.contains(bytes[at]) { at += 1 }
    let key = start..<at
    at = behindBlanks(bytes, at, limit)
    guard at < limit, bytes[at] == UInt8(ascii: "=") else { return nil }
    at = behindBlanks(bytes, at + 1, limit)
    var value = at..<at
    if at < limit, bytes[at] == UInt8(ascii: "\"") {
      at += 1
      let open = at
      while at < limit, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
      guard at < limit else { return nil }
      value = open..<at
      at += 1
    } else {
      let open = at
      while at < limit, bytes[at] != UInt8(ascii: ";"), bytes[at] != 32, bytes[at] != 9 { at += 1 }
      value = open..<at
    }
    at = behindBlanks(bytes, at, limit)
    return at == limit || bytes[at] == UInt8(ascii: ";") ? (key, value, at) : nil
  }

  private static func behindBlanks(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    var at = start
    while at < limit, bytes[at] == 32 || bytes[at] == 9 { at += 1 }
    return at
  }
}
