package import Base

/// Checks a whole JSON text (RFC 8259) and remembers where its top-level members are.
///
/// Strict: UTF-8 without byte order mark, one value, nothing behind it, at most `Limits.jsonDepth` levels of
/// nesting and `Limits.jsonMembers` top-level members. Nesting is kept as one bit a level, so the stack does
/// not grow with the input. Duplicate keys are within the grammar: they are kept, and can be counted.
package struct JSONProbe: Sendable {
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
    let outcome = read(bytes, limit)
    if let fault = outcome.fault {
      members.removeAll(keepingCapacity: true)
      throw fault
    }
    return outcome.isAtEnd
  }

  /// What reading has come to between two calls.
  private struct Position {
    enum Part {
      /// Before the text's value, a member's key or an element.
      case member
      /// Within a key or a text.
      case key, text
    }
    var part = Part.member
    var place = Place()
    /// One bit a level, the innermost lowest: 1 for an object.
    var containers: UInt128 = 0
    /// The top-level member that is being read.
    var member = JSONMember(key: 0..<0, value: 0..<0, kind: .null)
    /// Where the key or text that is being read begins, behind its quote.
    var text = 0
  }

  /// What every step of reading needs: in registers, as long as nothing takes its address.
  private struct Place {
    var at = 0
    /// The byte there, where white space has been passed over.
    var byte: UInt8 = 0
    /// Twice the number of open containers, and 1 where the innermost is an object.
    private var nesting = 0

    @inline(always) var depth: Int { nesting >> 1 }
    @inline(always) var isInObject: Bool { nesting & 1 == 1 }
    @inline(always) var isOutside: Bool { nesting < 2 }
    /// In no other container.
    @inline(always) var isInOutermostObject: Bool { nesting == 3 }
    /// In a container within another.
    @inline(always) var isDeep: Bool { nesting > 3 }
    /// The byte that ends the innermost container.
    @inline(always) var end: UInt8 { isInObject ? UInt8(ascii: "}") : UInt8(ascii: "]") }

    @inline(always)
    mutating func enter(object: Bool) { nesting = (depth &+ 1) << 1 | (object ? 1 : 0) }
    @inline(always)
    mutating func leave(toObject: Bool) { nesting = (depth &- 1) << 1 | (toObject ? 1 : 0) }

    /// Goes on to the next byte that is no white space.
    @inline(always)
    mutating func skipWhitespace(_ bytes: Span<UInt8>) throws(JSONFault) {
      byte = try JSONGrammar.next(bytes, &at)
    }
  }

  /// What has been read of a value.
  private enum Extent {
    case whole
    /// Its opening: the first member follows.
    case opening
    /// The limit was reached within it.
    case part
  }

  // Returns its fault: a function that throws has a register less.
  @inline(never)
  private mutating func read(_ bytes: Span<UInt8>, _ limit: Int) -> (isAtEnd: Bool, fault: JSONFault?) {
    do throws(JSONFault) {
      return (try readText(bytes, limit), nil)
    } catch {
      return (false, error)
    }
  }

  /// One turn of the loop for each member or element; all steps are inlined.
  @inline(always)
  private mutating func readText(_ bytes: Span<UInt8>, _ limit: Int) throws(JSONFault) -> Bool {
    precondition(Limits.jsonDepth <= UInt128.bitWidth)
    if position.part != .member {
      guard let isAtEnd = try resume(bytes, limit) else { return false }
      if isAtEnd { return true }
    }
    var place = position.place
    try place.skipWhitespace(bytes)
    while true {
      if place.at >= limit {
        position.place = place
        return false
      }
      if place.isInObject {
        if place.byte != UInt8(ascii: "\"") { throw JSONFault(offset: place.at, reason: .unexpectedByte) }
        place.at &+= 1
        guard try readKey(bytes, &place, from: place.at, limit) else { return false }
      }
      switch try readValue(bytes, &place, limit) {
      case .whole: if try endValue(bytes, &place) { return true }
      case .opening: break
      case .part: return false
      }
    }
  }

  /// Goes on within a key or a text, up to where the next member begins. True: the text is at its end; nil: the limit
  /// was reached again.
  @inline(never)
  private mutating func resume(_ bytes: Span<UInt8>, _ limit: Int) throws(JSONFault) -> Bool? {
    var place = position.place
    var extent = Extent.whole
    if position.part == .key {
      guard try readKey(bytes, &place, from: position.text, limit) else { return nil }
      extent = try readValue(bytes, &place, limit)
    } else if try !readString(bytes, &place, from: position.text, limit) {
      extent = .part
    }
    switch extent {
    case .whole: if try endValue(bytes, &place) { return true }
    case .opening: break
    case .part: return nil
    }
    position.part = .member
    position.place = place
    return false
  }

  /// Reads a key, which begins at `start`, and its colon. False: the limit was reached.
  @inline(always)
  private mutating func readKey(_ bytes: Span<UInt8>, _ place: inout Place, from start: Int, _ limit: Int)
    throws(JSONFault) -> Bool
  {
    guard try readRest(bytes, &place, .key, from: start, limit) else { return false }
    if place.isInOutermostObject {
      position.member.key = start..<place.at &- 1
      if heard.isOn { heard.begin(bytes.extracting(start..<place.at &- 1)) }
    } else if heard.isHearing {
      heard.hear(key: bytes.extracting(start..<place.at &- 1), depth: place.depth)
    }
    try place.skipWhitespace(bytes)
    if place.byte != UInt8(ascii: ":") { throw JSONFault(offset: place.at, reason: .unexpectedByte) }
    place.at &+= 1
    try place.skipWhitespace(bytes)
    return true
  }

  @inline(always)
  private mutating func readValue(_ bytes: Span<UInt8>, _ place: inout Place, _ limit: Int)
    throws(JSONFault) -> Extent
  {
    let start = place.at
    switch place.byte {
    case UInt8(ascii: "\""):
      begin(.string, place)
      place.at &+= 1
      return try readString(bytes, &place, from: place.at, limit) ? .whole : .part
    case UInt8(ascii: "{"):
      begin(.object, place)
      return try enter(bytes, &place)
    case UInt8(ascii: "["):
      begin(.array, place)
      return try enter(bytes, &place)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      begin(.number, place)
      place.at = try JSONGrammar.number(bytes, from: start)
    case UInt8(ascii: "t"):
      begin(.bool, place)
      place.at = try JSONGrammar.literal(bytes, from: start, "true")
    case UInt8(ascii: "f"):
      begin(.bool, place)
      place.at = try JSONGrammar.literal(bytes, from: start, "false")
    case UInt8(ascii: "n"):
      begin(.null, place)
      place.at = try JSONGrammar.literal(bytes, from: start, "null")
    default: throw JSONFault(offset: start, reason: .unexpectedByte)
    }
    return .whole
  }

  /// Notes the beginning of a value.
  @inline(always)
  private mutating func begin(_ kind: JSONKind, _ place: Place) {
    if place.isDeep { return }
    if place.isOutside {
      root = JSONMember(key: 0..<0, value: place.at..<place.at, kind: kind)
    } else {
      position.member.value = place.at..<place.at
      position.member.kind = kind
    }
  }

  /// Reads a text, which begins at `start`. False: the limit was reached.
  @inline(always)
  private mutating func readString(_ bytes: Span<UInt8>, _ place: inout Place, from start: Int, _ limit: Int)
    throws(JSONFault) -> Bool
  {
    guard try readRest(bytes, &place, .text, from: start, limit) else { return false }
    if heard.isHearing { heard.hear(text: bytes.extracting(start..<place.at &- 1), depth: place.depth) }
    return true
  }

  /// Reads on in a key or a text, which begins at `start`, to behind its closing quote. False: the limit was reached.
  @inline(always)
  private mutating func readRest(
    _ bytes: Span<UInt8>, _ place: inout Place, _ part: Position.Part, from start: Int, _ limit: Int
  ) throws(JSONFault) -> Bool {
    guard try JSONGrammar.string(bytes, &place.at, upTo: limit, hasCode: &mayTellError) else {
      position.part = part
      position.place = place
      position.text = start
      return false
    }
    if ErrorWord.isOne(bytes, from: start, to: place.at &- 1) { mayTellError = true }
    return true
  }

  /// Reads a container's opening, and its end where it is empty.
  @inline(always)
  private mutating func enter(_ bytes: Span<UInt8>, _ place: inout Place) throws(JSONFault) -> Extent {
    if place.depth == Limits.jsonDepth { throw JSONFault(offset: place.at, reason: .tooDeep) }
    let isObject = place.byte == UInt8(ascii: "{")
    place.enter(object: isObject)
    position.containers = position.containers << 1 | (isObject ? 1 : 0)
    place.at &+= 1
    try place.skipWhitespace(bytes)
    if place.byte != place.end { return .opening }
    leave(&place)
    return .whole
  }

  @inline(always)
  private mutating func leave(_ place: inout Place) {
    place.at &+= 1
    position.containers >>= 1
    place.leave(toObject: position.containers & 1 == 1)
  }

  /// Notes the end of a value, and reads what stands behind it: the ends of containers up to a comma, and the comma. True:
  /// the text is at its end.
  @inline(always)
  private mutating func endValue(_ bytes: Span<UInt8>, _ place: inout Place) throws(JSONFault) -> Bool {
    while true {
      if place.isOutside {
        root.value = root.value.lowerBound..<place.at
        JSONGrammar.skipWhitespace(bytes, &place.at)
        if place.at < bytes.count { throw JSONFault(offset: place.at, reason: .trailingBytes) }
        return true
      }
      if place.isInOutermostObject {
        if members.count == Limits.jsonMembers {
          throw JSONFault(offset: position.member.key.lowerBound, reason: .tooManyMembers)
        }
        position.member.value = position.member.value.lowerBound..<place.at
        members.append(position.member)
      }
      if heard.isHearing { heard.end(depth: place.depth) }
      try place.skipWhitespace(bytes)
      if place.byte == UInt8(ascii: ",") {
        place.at &+= 1
        try place.skipWhitespace(bytes)
        return false
      }
      if place.byte != place.end { throw JSONFault(offset: place.at, reason: .unexpectedByte) }
      leave(&place)
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
