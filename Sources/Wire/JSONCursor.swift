internal import Base

/// Walks the members of an object, or the elements of an array, in a text that `JSONProbe` has accepted.
///
/// On any other text it stays within the bytes and comes to an end, but what it returns means nothing.
package struct JSONCursor: Sendable {
  private var at: Int
  private let end: Int
  private let isObject: Bool

  /// A container's members. Any other kind of value has none.
  package init(_ container: JSONMember) {
    let isContainer = container.kind == .object || container.kind == .array
    at = isContainer ? container.value.lowerBound + 1 : 0
    end = isContainer ? container.value.upperBound - 1 : 0
    isObject = container.kind == .object
  }

  package mutating func next(_ bytes: Span<UInt8>) -> JSONMember? {
    precondition(end <= bytes.count)
    let text = bytes.extracting(0..<max(0, end))
    JSONGrammar.skipWhitespace(text, &at)
    if at < end, text[at] == UInt8(ascii: ",") { at += 1 }
    JSONGrammar.skipWhitespace(text, &at)
    var key = 0..<0
    if isObject {
      guard at < end, text[at] == UInt8(ascii: "\"") else { return finish() }
      let start = at + 1
      guard Self.skipString(text, &at) else { return finish() }
      key = start..<at - 1
      JSONGrammar.skipWhitespace(text, &at)
      guard at < end, text[at] == UInt8(ascii: ":") else { return finish() }
      at += 1
      JSONGrammar.skipWhitespace(text, &at)
    }
    let start = at
    guard at < end, let kind = Self.skipValue(text, &at), at > start else { return finish() }
    return JSONMember(key: key, value: start..<at, kind: kind)
  }

  private mutating func finish() -> JSONMember? {
    at = end
    return nil
  }

  /// Goes behind a string, from its opening quote on.
  private static func skipString(_ bytes: Span<UInt8>, _ at: inout Int) -> Bool {
    at += 1
    while true {
      JSONGrammar.skipPlain(bytes, &at)
      guard at < bytes.count else { return false }
      let byte = bytes[at]
      at += byte == UInt8(ascii: "\\") ? 2 : 1
      if byte == UInt8(ascii: "\"") { return true }
    }
  }

  private static func skipValue(_ bytes: Span<UInt8>, _ at: inout Int) -> JSONKind? {
    switch bytes[at] {
    case UInt8(ascii: "\""): return skipString(bytes, &at) ? .string : nil
    case UInt8(ascii: "{"): return skipContainer(bytes, &at) ? .object : nil
    case UInt8(ascii: "["): return skipContainer(bytes, &at) ? .array : nil
    case UInt8(ascii: "t"), UInt8(ascii: "f"):
      skipWord(bytes, &at)
      return .bool
    case UInt8(ascii: "n"):
      skipWord(bytes, &at)
      return .null
    default:
      skipWord(bytes, &at)
      return .number
    }
  }

  private static func skipContainer(_ bytes: Span<UInt8>, _ at: inout Int) -> Bool {
    var depth = 0
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "\""):
        if !skipString(bytes, &at) { return false }
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      default: break
      }
      at += 1
      if depth == 0 { return true }
    }
    return false
  }

  private static func skipWord(_ bytes: Span<UInt8>, _ at: inout Int) {
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), 32, 9, 10, 13: return
      default: at += 1
      }
    }
  }
}

extension Span<UInt8> {
  /// The last member with that key in an object; nil where there is none, or it is no object.
  package func jsonMember(_ key: StaticString, in object: JSONMember) -> JSONMember? {
    guard object.kind == .object else { return nil }
    var cursor = JSONCursor(object)
    var found: JSONMember?
    while let member = cursor.next(self) {
      if jsonEquals(member.key, key) { found = member }
    }
    return found
  }
}
