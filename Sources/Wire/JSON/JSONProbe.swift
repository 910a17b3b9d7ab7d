package import Base

/// Checks a whole JSON text (RFC 8259) and remembers where its top-level members are.
///
/// Strict: UTF-8 without byte order mark, one value, nothing behind it, at most `Limits.jsonDepth` levels of
/// nesting and `Limits.jsonMembers` top-level members. Nesting is kept as one bit a level, so the stack does
/// not grow with the input. Duplicate keys are within the grammar: they are kept, and can be counted.
package struct JSONProbe: Sendable {
  private enum Expected {
    case value, firstElement, key, firstKey, delimiter
    /// Within a string.
    case restOfKey, restOfString
    /// Behind the text's value.
    case end
  }

  /// The members of the outermost object, in order, duplicates kept. Empty for other kinds of text.
  package private(set) var members: [JSONMember] = []
  /// The text's value.
  package private(set) var root = JSONMember(key: 0..<0, value: 0..<0, kind: .null)
  /// A key or a text reads like a word of `ErrorWord`, or may once its escapes are decoded. Else nothing in the text
  /// tells an error, and none has to be looked for.
  private(set) var mayTellError = false
  private var position = Position()
  private let openingKey: KeyedHash.Key?
  private var heard: Opening

  /// - Parameter openingKey: what the opening of a conversation is hashed with; nil: it is not wanted.
  package init(openingKey: KeyedHash.Key? = nil) {
    self.openingKey = openingKey
    heard = Opening(key: openingKey)
  }

  /// What all requests of this one's conversation have in common: nil where no user has spoken, or it was not wanted.
  package var opening: Fingerprint? { heard.isWhole ? heard.hash.finish() : nil }

  /// Reads a whole text, forgetting the one before but keeping its memory. After an error there are no members.
  package mutating func scan(_ bytes: Span<UInt8>) throws(JSONFault) {
    begin()
    _ = try goOn(bytes, upTo: .max)
  }

  /// Forgets the text before; `goOn` reads the next one.
  package mutating func begin() {
    if !members.isEmpty { members.removeAll(keepingCapacity: true) }
    root = JSONMember(key: 0..<0, value: 0..<0, kind: .null)
    mayTellError = false
    position = Position()
    if openingKey != nil { heard = Opening(key: openingKey) }
  }

  /// Reads on in a text. True: it has been read to its end. False: `limit`, a place in it, was reached, and a further
  /// call goes on. The text is the same in all calls. After an error there are no members.
  package mutating func goOn(_ bytes: Span<UInt8>, upTo limit: Int) throws(JSONFault) -> Bool {
    do throws(JSONFault) {
      return try readText(bytes, limit)
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
    /// Where the key or text that is being read begins, behind its quote.
    var text = 0

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

  /// Each step leaves the next one's place behind the white space.
  private mutating func readText(_ bytes: Span<UInt8>, _ limit: Int) throws(JSONFault) -> Bool {
    precondition(Limits.jsonDepth <= UInt128.bitWidth)
    var position = position
    if position.at == 0 { JSONGrammar.skipWhitespace(bytes, &position.at) }
    while true {
      if position.at >= limit, position.at < bytes.count {
        self.position = position
        return false
      }
      switch position.expected {
      case .key, .firstKey: try readKey(bytes, &position, limit)
      case .restOfKey: try readRestOfKey(bytes, &position, limit)
      case .restOfString: try readRestOfString(bytes, &position, limit)
      case .value, .firstElement, .delimiter: break
      case .end:
        if position.at == bytes.count { return true }
        throw JSONFault(offset: position.at, reason: .trailingBytes)
      }
      // Mostly a key's value follows it, and what stands behind that: no turn of the loop for each.
      switch position.expected {
      case .value, .firstElement: try readValue(bytes, &position, limit)
      case .key, .firstKey, .restOfKey, .restOfString, .delimiter, .end: break
      }
      if position.expected == .delimiter { try readDelimiter(bytes, &position) }
    }
  }

  /// The byte at the position.
  @inline(__always)
  private func byte(_ bytes: Span<UInt8>, _ position: borrowing Position) throws(JSONFault) -> UInt8 {
    guard position.at < bytes.count else { throw JSONFault(offset: position.at, reason: .unexpectedEnd) }
    return bytes[position.at]
  }

  /// Reads a key and its colon, or the end of an empty object.
  private mutating func readKey(_ bytes: Span<UInt8>, _ position: inout Position, _ limit: Int)
    throws(JSONFault)
  {
    let byte = try byte(bytes, position)
    if byte == UInt8(ascii: "}"), position.expected == .firstKey {
      position.leave()
      try endValue(bytes, &position)
      return
    }
    if byte != UInt8(ascii: "\"") { throw JSONFault(offset: position.at, reason: .unexpectedByte) }
    position.at += 1
    position.text = position.at
    try readRestOfKey(bytes, &position, limit)
  }

  private mutating func readRestOfKey(
    _ bytes: Span<UInt8>, _ position: inout Position, _ limit: Int
  ) throws(JSONFault) {
    guard try JSONGrammar.string(bytes, &position.at, upTo: limit, hasCode: &mayTellError) else {
      position.expected = .restOfKey
      return
    }
    let key = position.text..<position.at - 1
    if ErrorWord.isOne(bytes, key) { mayTellError = true }
    if position.depth == 1 {
      position.member.key = key
      heard.begin(bytes.extracting(key))
    } else if heard.isHearing {
      heard.hear(key: bytes.extracting(key), depth: position.depth)
    }
    JSONGrammar.skipWhitespace(bytes, &position.at)
    if try byte(bytes, position) != UInt8(ascii: ":") {
      throw JSONFault(offset: position.at, reason: .unexpectedByte)
    }
    position.at += 1
    position.expected = .value
    JSONGrammar.skipWhitespace(bytes, &position.at)
  }

  /// Reads a value, of a container only its opening, or the end of an empty array.
  private mutating func readValue(
    _ bytes: Span<UInt8>, _ position: inout Position, _ limit: Int
  ) throws(JSONFault) {
    let byte = try byte(bytes, position)
    if byte == UInt8(ascii: "]"), position.expected == .firstElement {
      position.leave()
      try endValue(bytes, &position)
      return
    }
    let start = position.at
    let kind = try Self.kind(beginningWith: byte, at: start)
    if position.depth == 0 { root = JSONMember(key: 0..<0, value: start..<start, kind: kind) }
    if position.depth == 1 {
      position.member.value = start..<start
      position.member.kind = kind
    }
    switch kind {
    case .string:
      position.at += 1
      position.text = position.at
      try readRestOfString(bytes, &position, limit)
    case .object, .array:
      try position.enter(kind)
      JSONGrammar.skipWhitespace(bytes, &position.at)
    case .number:
      try JSONGrammar.number(bytes, &position.at)
      try endValue(bytes, &position)
    case .bool:
      try JSONGrammar.literal(bytes, &position.at, byte == UInt8(ascii: "t") ? "true" : "false")
      try endValue(bytes, &position)
    case .null:
      try JSONGrammar.literal(bytes, &position.at, "null")
      try endValue(bytes, &position)
    }
  }

  private static func kind(beginningWith byte: UInt8, at place: Int) throws(JSONFault) -> JSONKind {
    switch byte {
    case UInt8(ascii: "\""): .string
    case UInt8(ascii: "{"): .object
    case UInt8(ascii: "["): .array
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): .number
    case UInt8(ascii: "t"), UInt8(ascii: "f"): .bool
    case UInt8(ascii: "n"): .null
    default: throw JSONFault(offset: place, reason: .unexpectedByte)
    }
  }

  private mutating func readRestOfString(
    _ bytes: Span<UInt8>, _ position: inout Position, _ limit: Int
  ) throws(JSONFault) {
    guard try JSONGrammar.string(bytes, &position.at, upTo: limit, hasCode: &mayTellError) else {
      position.expected = .restOfString
      return
    }
    let text = position.text..<position.at - 1
    if ErrorWord.isOne(bytes, text) { mayTellError = true }
    if heard.isHearing { heard.hear(text: bytes.extracting(text), depth: position.depth) }
    try endValue(bytes, &position)
  }

  /// Reads what stands behind a value in a container.
  private mutating func readDelimiter(_ bytes: Span<UInt8>, _ position: inout Position) throws(JSONFault) {
    let isObject = position.containers & 1 == 1
    let byte = try byte(bytes, position)
    if byte == UInt8(ascii: ",") {
      position.at += 1
      position.expected = isObject ? .key : .value
      JSONGrammar.skipWhitespace(bytes, &position.at)
      return
    }
    guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
      throw JSONFault(offset: position.at, reason: .unexpectedByte)
    }
    position.leave()
    try endValue(bytes, &position)
  }

  /// Notes the end of a value.
  private mutating func endValue(_ bytes: Span<UInt8>, _ position: inout Position) throws(JSONFault) {
    let end = position.at
    JSONGrammar.skipWhitespace(bytes, &position.at)
    if position.depth == 0 {
      root.value = root.value.lowerBound..<end
      position.expected = .end
      return
    }
    if position.depth == 1, root.kind == .object {
      if members.count == Limits.jsonMembers {
        throw JSONFault(offset: position.member.key.lowerBound, reason: .tooManyMembers)
      }
      position.member.value = position.member.value.lowerBound..<end
      members.append(position.member)
    }
    if heard.isHearing { heard.end(depth: position.depth) }
    position.expected = .delimiter
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
