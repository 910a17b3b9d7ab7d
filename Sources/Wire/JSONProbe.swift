internal import Base

/// Where and why a text is not JSON.
package struct JSONFault: Error, Hashable, Sendable {
  package enum Reason: UInt8, Sendable {
    case unexpectedEnd, unexpectedByte, trailingBytes, badLiteral, badNumber, badEscape, controlCharacter
    case badUTF8, tooDeep, tooManyMembers

    /// A short text for the error's message.
    package var text: StaticString {
      switch self {
      case .unexpectedEnd: "unexpected end"
      case .unexpectedByte: "unexpected character"
      case .trailingBytes: "text behind the value"
      case .badLiteral: "malformed literal"
      case .badNumber: "malformed number"
      case .badEscape: "malformed escape"
      case .controlCharacter: "control character in a string"
      case .badUTF8: "ill-formed UTF-8"
      case .tooDeep: "nested too deeply"
      case .tooManyMembers: "too many members"
      }
    }
  }
  /// The byte at which reading stopped.
  package var offset: Int
  package var reason: Reason

  package init(offset: Int, reason: Reason) {
    self.offset = offset
    self.reason = reason
  }
}

@frozen @usableFromInline
package enum JSONKind: UInt8, Sendable { case object, array, string, number, bool, null }

/// A member of an object or an element of an array, as ranges over the text.
@frozen @usableFromInline package struct JSONMember: Hashable, Sendable {
  /// Between the quotes, escapes not decoded; empty for an element.
  @usableFromInline package var key: Range<Int>
  /// The whole value: with quotes, braces or brackets, without white space around it.
  @usableFromInline package var value: Range<Int>
  @usableFromInline package var kind: JSONKind

  package init(key: Range<Int>, value: Range<Int>, kind: JSONKind) {
    self.key = key
    self.value = value
    self.kind = kind
  }

  /// A string's bytes between its quotes, escapes not decoded; nil for other kinds.
  package var inner: Range<Int>? {
    kind == .string ? value.lowerBound + 1..<value.upperBound - 1 : nil
  }
}

/// Checks a whole JSON text (RFC 8259) and remembers where its top-level members are.
///
/// Strict: UTF-8 without byte order mark, one value, nothing behind it, at most `Limits.jsonDepth` levels of
/// nesting and `Limits.jsonMembers` top-level members. Nesting is kept as one bit a level, so the stack does
/// not grow with the input. Duplicate keys are within the grammar: they are kept, and can be counted.
package struct JSONProbe: Sendable {
  private enum Expected { case value, firstElement, key, firstKey, delimiter }

  /// The members of the outermost object, in order, duplicates kept. Empty for other kinds of text.
  package private(set) var members: [JSONMember] = []
  /// The text's value.
  package private(set) var root = JSONMember(key: 0..<0, value: 0..<0, kind: .null)

  package init() {}

  /// Reads a whole text, forgetting the one before but keeping its memory. After an error there are no members.
  package mutating func scan(_ bytes: Span<UInt8>) throws(JSONFault) {
    if !members.isEmpty { members.removeAll(keepingCapacity: true) }
    root = JSONMember(key: 0..<0, value: 0..<0, kind: .null)
    do throws(JSONFault) {
      try readText(bytes)
    } catch {
      members.removeAll(keepingCapacity: true)
      throw error
    }
  }

  /// How far reading has come.
  private struct Position {
    var at = 0
    var depth = 0
    /// One bit a level, the innermost lowest: 1 for an object.
    var containers: UInt128 = 0
    var expected = Expected.value
    /// The top-level member that is being read.
    var member = JSONMember(key: 0..<0, value: 0..<0, kind: .null)

    mutating func enter(_ kind: JSONKind) throws(JSONFault) {
      if depth == Limits.jsonDepth { throw JSONFault(offset: at, reason: .tooDeep) }
      at += 1
      depth += 1
      containers = containers << 1 | (kind == .object ? 1 : 0)
      expected = kind == .object ? .firstKey : .firstElement
    }

    mutating func leave() {
      at += 1
      depth -= 1
      containers >>= 1
    }
  }

  private mutating func readText(_ bytes: Span<UInt8>) throws(JSONFault) {
    precondition(Limits.jsonDepth <= UInt128.bitWidth)
    var position = Position()
    JSONGrammar.skipWhitespace(bytes, &position.at)
    while true {
      guard position.at < bytes.count else {
        throw JSONFault(offset: position.at, reason: .unexpectedEnd)
      }
      let isValueEnd: Bool
      switch position.expected {
      case .key, .firstKey: isValueEnd = try readKey(bytes, &position)
      case .value, .firstElement: isValueEnd = try readValue(bytes, &position)
      case .delimiter: isValueEnd = try readDelimiter(bytes, &position)
      }
      if isValueEnd {
        let isTextEnd = try endValue(bytes, &position)
        if isTextEnd { return }
      }
      JSONGrammar.skipWhitespace(bytes, &position.at)
    }
  }

  /// Reads a key and its colon, or the end of an empty object. True where a value has ended.
  private func readKey(_ bytes: Span<UInt8>, _ position: inout Position) throws(JSONFault) -> Bool {
    let byte = bytes[position.at]
    if byte == UInt8(ascii: "}"), position.expected == .firstKey {
      position.leave()
      return true
    }
    if byte != UInt8(ascii: "\"") { throw JSONFault(offset: position.at, reason: .unexpectedByte) }
    let start = position.at + 1
    try JSONGrammar.string(bytes, &position.at)
    if position.depth == 1 { position.member.key = start..<position.at - 1 }
    JSONGrammar.skipWhitespace(bytes, &position.at)
    guard position.at < bytes.count else {
      throw JSONFault(offset: position.at, reason: .unexpectedEnd)
    }
    if bytes[position.at] != UInt8(ascii: ":") {
      throw JSONFault(offset: position.at, reason: .unexpectedByte)
    }
    position.at += 1
    position.expected = .value
    return false
  }

  /// Reads a value, of a container only its opening, or the end of an empty array. True where a value has ended.
  private mutating func readValue(_ bytes: Span<UInt8>, _ position: inout Position) throws(JSONFault) -> Bool
  {
    if bytes[position.at] == UInt8(ascii: "]"), position.expected == .firstElement {
      position.leave()
      return true
    }
    let start = position.at
    let kind = try readScalar(bytes, &position.at)
    if position.depth == 0 { root = JSONMember(key: 0..<0, value: start..<start, kind: kind) }
    if position.depth == 1 {
      position.member.value = start..<start
      position.member.kind = kind
    }
    guard kind == .object || kind == .array else { return true }
    try position.enter(kind)
    return false
  }

  /// Reads what stands behind a value in a container. True where the container has ended.
  private func readDelimiter(_ bytes: Span<UInt8>, _ position: inout Position) throws(JSONFault) -> Bool {
    let isObject = position.containers & 1 == 1
    let byte = bytes[position.at]
    if byte == UInt8(ascii: ",") {
      position.at += 1
      position.expected = isObject ? .key : .value
      return false
    }
    guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
      throw JSONFault(offset: position.at, reason: .unexpectedByte)
    }
    position.leave()
    return true
  }

  /// Notes the end of a value. True where it was the text's.
  private mutating func endValue(_ bytes: Span<UInt8>, _ position: inout Position) throws(JSONFault) -> Bool {
    if position.depth == 0 {
      root.value = root.value.lowerBound..<position.at
      JSONGrammar.skipWhitespace(bytes, &position.at)
      if position.at < bytes.count { throw JSONFault(offset: position.at, reason: .trailingBytes) }
      return true
    }
    if position.depth == 1, root.kind == .object {
      if members.count == Limits.jsonMembers {
        throw JSONFault(offset: position.member.key.lowerBound, reason: .tooManyMembers)
      }
      position.member.value = position.member.value.lowerBound..<position.at
      members.append(position.member)
    }
    position.expected = .delimiter
    return false
  }

  /// Reads a value without nesting; stays at the opening brace or bracket of one with.
  private func readScalar(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONFault) -> JSONKind {
    switch bytes[at] {
    case UInt8(ascii: "\""):
      try JSONGrammar.string(bytes, &at)
      return .string
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "t"):
      try JSONGrammar.literal(bytes, &at, "true")
      return .bool
    case UInt8(ascii: "f"):
      try JSONGrammar.literal(bytes, &at, "false")
      return .bool
    case UInt8(ascii: "n"):
      try JSONGrammar.literal(bytes, &at, "null")
      return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      try JSONGrammar.number(bytes, &at)
      return .number
    default: throw JSONFault(offset: at, reason: .unexpectedByte)
    }
  }

  /// The last member with that key (as Python, Go and JavaScript have it), escapes in keys decoded.
  package func value(of key: StaticString, in bytes: Span<UInt8>) -> JSONMember? {
    var i = members.count
    while i > 0 {
      i -= 1
      if bytes.jsonEquals(members[i].key, key) { return members[i] }
    }
    return nil
  }

  /// How many members have that key, written in any case: Go's decoder takes `Model` for `model`, and the last of
  /// them (encoding/json, Unmarshal).
  package func count(of key: StaticString, in bytes: Span<UInt8>) -> Int {
    var n = 0
    for i in members.indices where bytes.jsonFoldsTo(members[i].key, key) { n += 1 }
    return n
  }
}
