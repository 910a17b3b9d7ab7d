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
    case endOfValue
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

    @inline(always)
    mutating func enter(_ kind: JSONKind, _ at: inout Int) throws(JSONFault) {
      if depth == Limits.jsonDepth { throw JSONFault(offset: at, reason: .tooDeep) }
      at &+= 1
      depth &+= 1
      containers = containers << 1 | (kind == .object ? 1 : 0)
      expected = kind == .object ? .firstKey : .firstElement
    }

    @inline(always)
    mutating func leave(_ at: inout Int) {
      at &+= 1
      depth &-= 1
      containers >>= 1
      expected = .endOfValue
    }

    @inline(always)
    mutating func enterText(_ rest: Expected, _ at: inout Int) {
      at &+= 1
      text = at
      expected = rest
    }
  }

  /// Each step leaves the next one's place behind the white space. All are inlined, so that the place stays in a
  /// register: with calls, and all that is known of the position in one value, a text took half as much again.
  private mutating func readText(_ bytes: Span<UInt8>, _ limit: Int) throws(JSONFault) -> Bool {
    precondition(Limits.jsonDepth <= UInt128.bitWidth)
    var at = position.at
    if at == 0 { JSONGrammar.skipWhitespace(bytes, &at) }
    while true {
      if at >= limit, at < bytes.count {
        position.at = at
        return false
      }
      // Mostly a key's value follows it, and what stands behind that: no turn of the loop for each.
      if position.expected == .key || position.expected == .firstKey { try readKey(bytes, &at) }
      if position.expected == .restOfKey { try readRestOfKey(bytes, &at, limit) }
      if position.expected == .value || position.expected == .firstElement { try readValue(bytes, &at) }
      if position.expected == .restOfString { try readRestOfString(bytes, &at, limit) }
      if position.expected == .endOfValue { try endValue(bytes, &at) }
      if position.expected == .delimiter { try readDelimiter(bytes, &at) }
      if position.expected == .end {
        if at == bytes.count { return true }
        throw JSONFault(offset: at, reason: .trailingBytes)
      }
    }
  }

  /// The byte at the position.
  @inline(always)
  private func byte(_ bytes: Span<UInt8>, _ at: Int) throws(JSONFault) -> UInt8 {
    guard at < bytes.count else { throw JSONFault(offset: at, reason: .unexpectedEnd) }
    return bytes[at]
  }

  /// Reads a key's quote, or the end of an empty object.
  @inline(always)
  private mutating func readKey(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONFault) {
    let byte = try byte(bytes, at)
    if byte == UInt8(ascii: "}"), position.expected == .firstKey {
      position.leave(&at)
    } else if byte == UInt8(ascii: "\"") {
      position.enterText(.restOfKey, &at)
    } else {
      throw JSONFault(offset: at, reason: .unexpectedByte)
    }
  }

  /// Reads a key and its colon, from behind its quote on.
  @inline(always)
  private mutating func readRestOfKey(
    _ bytes: Span<UInt8>, _ at: inout Int, _ limit: Int
  ) throws(JSONFault) {
    guard let key = try readRest(bytes, &at, limit) else { return }
    if position.depth == 1 {
      position.member.key = key
      if heard.isOn { heard.begin(bytes.extracting(key)) }
    } else if heard.isHearing {
      heard.hear(key: bytes.extracting(key), depth: position.depth)
    }
    JSONGrammar.skipWhitespace(bytes, &at)
    if try byte(bytes, at) != UInt8(ascii: ":") {
      throw JSONFault(offset: at, reason: .unexpectedByte)
    }
    at &+= 1
    position.expected = .value
    JSONGrammar.skipWhitespace(bytes, &at)
  }

  /// Reads a value, of a string only its quote and of a container only its opening, or the end of an empty array.
  @inline(always)
  private mutating func readValue(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONFault) {
    switch try byte(bytes, at) {
    case UInt8(ascii: "\""):
      begin(.string, at: at)
      position.enterText(.restOfString, &at)
    case UInt8(ascii: "{"):
      begin(.object, at: at)
      try position.enter(.object, &at)
      JSONGrammar.skipWhitespace(bytes, &at)
    case UInt8(ascii: "["):
      begin(.array, at: at)
      try position.enter(.array, &at)
      JSONGrammar.skipWhitespace(bytes, &at)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      begin(.number, at: at)
      at = try JSONGrammar.number(bytes, from: at)
      position.expected = .endOfValue
    case UInt8(ascii: "t"): try readLiteral("true", .bool, bytes, &at)
    case UInt8(ascii: "f"): try readLiteral("false", .bool, bytes, &at)
    case UInt8(ascii: "n"): try readLiteral("null", .null, bytes, &at)
    case UInt8(ascii: "]") where position.expected == .firstElement: position.leave(&at)
    default: throw JSONFault(offset: at, reason: .unexpectedByte)
    }
  }

  @inline(always)
  private mutating func readLiteral(
    _ text: StaticString, _ kind: JSONKind, _ bytes: Span<UInt8>, _ at: inout Int
  ) throws(JSONFault) {
    begin(kind, at: at)
    at = try JSONGrammar.literal(bytes, from: at, text)
    position.expected = .endOfValue
  }

  /// Notes the beginning of a value.
  @inline(always)
  private mutating func begin(_ kind: JSONKind, at: Int) {
    if position.depth == 1 {
      position.member.value = at..<at
      position.member.kind = kind
    } else if position.depth == 0 {
      root = JSONMember(key: 0..<0, value: at..<at, kind: kind)
    }
  }

  @inline(always)
  private mutating func readRestOfString(
    _ bytes: Span<UInt8>, _ at: inout Int, _ limit: Int
  ) throws(JSONFault) {
    guard let text = try readRest(bytes, &at, limit) else { return }
    if heard.isHearing { heard.hear(text: bytes.extracting(text), depth: position.depth) }
    position.expected = .endOfValue
  }

  /// Reads a key or a text, from behind its quote on; nil where it is not whole yet.
  @inline(always)
  private mutating func readRest(
    _ bytes: Span<UInt8>, _ at: inout Int, _ limit: Int
  ) throws(JSONFault) -> Range<Int>? {
    let isWhole: Bool
    (at, isWhole) = try JSONGrammar.string(bytes, from: at, upTo: limit, hasCode: &mayTellError)
    if !isWhole { return nil }
    let text = position.text..<at &- 1
    if ErrorWord.isOne(bytes, text) { mayTellError = true }
    return text
  }

  /// Reads what stands behind a value in a container.
  @inline(always)
  private mutating func readDelimiter(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONFault) {
    let isObject = position.containers & 1 == 1
    let byte = try byte(bytes, at)
    if byte == UInt8(ascii: ",") {
      at &+= 1
      position.expected = isObject ? .key : .value
      JSONGrammar.skipWhitespace(bytes, &at)
    } else if byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
      position.leave(&at)
    } else {
      throw JSONFault(offset: at, reason: .unexpectedByte)
    }
  }

  /// Notes the end of a value.
  @inline(always)
  private mutating func endValue(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONFault) {
    let end = at
    JSONGrammar.skipWhitespace(bytes, &at)
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
