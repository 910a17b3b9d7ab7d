internal import Base

/// Walks the members of an object, or the elements of an array, in a text that `JSONProbe` has accepted.
///
/// On any other text it stays within the bytes and comes to an end, but what it returns means nothing. It can pause
/// anywhere: one value may be megabytes of tiny ones.
package struct JSONCursor: Sendable {
  package enum Step: Sendable {
    case member(JSONMember)
    case end
    /// The limit was reached within a member, or before the next one.
    case paused
  }

  private enum Part { case before, key, colon, value, string, container }

  private var at: Int
  private let end: Int
  private let isObject: Bool
  /// The member that is being read.
  private var part = Part.before
  private var member = JSONMember(key: 0..<0, value: 0..<0, kind: .null)
  /// Containers that are open within the value, and whether a string is.
  private var depth = 0
  private var isInString = false

  /// A container's members. Any other kind of value has none.
  package init(_ container: JSONMember) {
    let isContainer = container.kind == .object || container.kind == .array
    at = isContainer ? container.value.lowerBound + 1 : 0
    end = isContainer ? container.value.upperBound - 1 : 0
    isObject = container.kind == .object
  }

  /// How far it has read.
  package var place: Int { at }

  package mutating func next(_ bytes: Span<UInt8>) -> JSONMember? {
    switch step(bytes, upTo: .max) {
    case .member(let member): return member
    case .end, .paused: return nil
    }
  }

  /// The next member. It pauses soon behind `limit`, a place in the text, and goes on with the next call.
  package mutating func step(_ bytes: Span<UInt8>, upTo limit: Int) -> Step {
    precondition(end <= bytes.count)
    let text = bytes.extracting(0..<max(0, end))
    if case .before = part, isObject, let member = plainMember(text) { return .member(member) }
    while true {
      let isGoingOn: Bool
      switch part {
      case .before: isGoingOn = begin(text)
      case .key: isGoingOn = readKey(text, limit)
      case .colon: isGoingOn = readColon(text)
      case .value: isGoingOn = readValue(text)
      case .string:
        if Self.skipString(text, &at, upTo: limit) { return finishMember() }
        isGoingOn = at < end
      case .container:
        if skipContainer(text, upTo: limit) { return finishMember() }
        isGoingOn = at < end
      }
      if !isGoingOn { return finish() }
      if case .before = part { return finishMember() }
      if at >= limit { return .paused }
    }
  }

  /// The next member, where nothing is special about it: a key without escapes, and a value that is neither a string nor a
  /// container, with no white space before them.
  @inline(__always)
  private mutating func plainMember(_ text: Span<UInt8>) -> JSONMember? {
    guard text.has(at) else { return nil }
    let start = text[at] == UInt8(ascii: ",") ? at &+ 2 : at &+ 1
    guard text.has(start), text[start &- 1] == UInt8(ascii: "\"") else { return nil }
    var quote = start
    JSONGrammar.skipPlain(text, &quote)
    let colon = quote &+ 1
    guard text.has(colon &+ 1), text[quote] == UInt8(ascii: "\""), text[colon] == UInt8(ascii: ":") else {
      return nil
    }
    let kind: JSONKind
    switch text[colon &+ 1] {
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): kind = .number
    case UInt8(ascii: "t"), UInt8(ascii: "f"): kind = .bool
    case UInt8(ascii: "n"): kind = .null
    default: return nil
    }
    at = colon &+ 1
    skipWord(text)
    return JSONMember(key: start..<quote, value: colon &+ 1..<at, kind: kind)
  }

  private mutating func finish() -> Step {
    at = end
    part = .before
    return .end
  }

  /// The value ends here.
  private mutating func finishMember() -> Step {
    part = .before
    member.value = member.value.lowerBound..<at
    return .member(member)
  }

  private mutating func begin(_ text: Span<UInt8>) -> Bool {
    JSONGrammar.skipWhitespace(text, &at)
    if at < end, text[at] == UInt8(ascii: ",") { at += 1 }
    JSONGrammar.skipWhitespace(text, &at)
    guard at < end else { return false }
    member.key = 0..<0
    part = .value
    guard isObject else { return true }
    guard text[at] == UInt8(ascii: "\"") else { return false }
    at += 1
    member.key = at..<at
    part = .key
    return true
  }

  private mutating func readKey(_ text: Span<UInt8>, _ limit: Int) -> Bool {
    if Self.skipString(text, &at, upTo: limit) {
      member.key = member.key.lowerBound..<at - 1
      part = .colon
      return true
    }
    return at < end
  }

  private mutating func readColon(_ text: Span<UInt8>) -> Bool {
    JSONGrammar.skipWhitespace(text, &at)
    guard at < end, text[at] == UInt8(ascii: ":") else { return false }
    at += 1
    JSONGrammar.skipWhitespace(text, &at)
    part = .value
    return at < end
  }

  /// Reads a value's kind, and the value where it is neither a string nor a container. Leaves `part` at the start
  /// where it has been read.
  private mutating func readValue(_ text: Span<UInt8>) -> Bool {
    let start = at
    member.value = start..<start
    switch text[at] {
    case UInt8(ascii: "\""):
      member.kind = .string
      part = .string
      at += 1
      return true
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      member.kind = text[at] == UInt8(ascii: "{") ? .object : .array
      part = .container
      depth = 0
      isInString = false
      return true
    case UInt8(ascii: "t"), UInt8(ascii: "f"): member.kind = .bool
    case UInt8(ascii: "n"): member.kind = .null
    default: member.kind = .number
    }
    skipWord(text)
    part = .before
    return at > start
  }

  @inline(__always)
  private mutating func skipWord(_ text: Span<UInt8>) {
    var place = at
    while text.has(place) {
      let byte = text[place]
      if byte <= 32 || byte == UInt8(ascii: ",") || byte | 32 == UInt8(ascii: "}") { break }
      place &+= 1
    }
    at = place
  }

  /// Goes behind a string, from within it on. False: not yet, or there is no end.
  private static func skipString(_ text: Span<UInt8>, _ at: inout Int, upTo limit: Int) -> Bool {
    while at < text.count {
      JSONGrammar.skipPlain(text, &at)
      guard at < text.count else { return false }
      let byte = text[at]
      at = min(at + (byte == UInt8(ascii: "\\") ? 2 : 1), text.count)
      if byte == UInt8(ascii: "\"") { return true }
      if at >= limit { return false }
    }
    return false
  }

  private mutating func skipContainer(_ text: Span<UInt8>, upTo limit: Int) -> Bool {
    while at < text.count, at < limit {
      if isInString {
        if !Self.skipString(text, &at, upTo: limit) { return false }
        isInString = false
        continue
      }
      let byte = text[at]
      at += 1
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        if depth == 0 { return true }
      default: break
      }
    }
    return false
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
