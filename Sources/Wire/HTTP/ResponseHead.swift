internal import Base

/// A provider's response head, as ranges over its lines: the status line and the fields, each with its line end.
///
/// It is read once, as it comes, line by line. Reading is lenient: what is no field is skipped, and fields beyond
/// `Limits.upstreamFields` are not looked at. `AnswerFraming` is strict where it matters.
package struct ResponseHead: Sendable {
  package private(set) var status = 0
  /// In the order of arrival, duplicates kept.
  package private(set) var fields: [HeaderField] = []
  /// One bit per `KnownField` that is present.
  private var present: UInt64 = 0
  /// Bytes of the lines so far, from the status line on. Ranges count from there.
  package private(set) var length = 0
  /// The next line is a head's first one: only there does a status line stand. A field's name may look like it.
  private var isAtStart = true
  /// Chunks tell where the body ends, whatever length was announced (RFC 9112 §6.3). `AnswerFraming` says so.
  package internal(set) var isLengthVoid = false
  /// Whether the Content-Type is that of an event stream; nil where there is none.
  package private(set) var tellsEventStream: Bool?

  /// What a line turned out to be.
  enum Line { case status, field(HeaderField), other, end }

  package init() {}

  /// Reads a whole head, with interim ones before it or none, forgetting what was read before but keeping its memory.
  /// False where there is no status line.
  @discardableResult package mutating func parse(_ raw: Span<UInt8>) -> Bool {
    clear()
    var start = 0
    while start < raw.count {
      let distance = raw.extracting(start..<raw.count).firstIndex(of: UInt8(ascii: "\n"))
      let end = distance.map { start + $0 + 1 } ?? raw.count
      // Ranges are over all of it.
      if case .status = read(start..<end, in: raw) { length = end }
      start = end
    }
    return status != 0
  }

  /// Reads the line that comes next. A further status line starts over: what came before it belonged to an interim
  /// response.
  /// The field that is returned lies in `bytes`.
  mutating func read(_ line: Range<Int>, in bytes: Span<UInt8>) -> Line {
    let text = bytes.withoutLineEnd(line)
    let start = length
    length &+= line.count
    if text.isEmpty {
      isAtStart = true
      return .end
    }
    if isAtStart, bytes.extracting(text).hasPrefixIgnoringCase("http/") {
      clear()
      isAtStart = false
      length = line.count
      status = Self.status(bytes.extracting(text))
      return .status
    }
    isAtStart = false
    guard let field = readField(text, in: bytes) else { return .other }
    add(field, from: line.lowerBound, behind: start, in: bytes)
    return .field(field)
  }

  /// Reads the field line that begins at `start`, behind the status line. Nil where it has to be looked at with more
  /// care: nothing has been read then.
  @inline(__always)
  mutating func readPlainField(from start: Int, in bytes: Span<UInt8>) -> (field: HeaderField, end: Int)? {
    guard !isAtStart, fields.count < Limits.upstreamFields, let line = FieldLine(bytes, from: start) else {
      return nil
    }
    let field = HeaderField(name: line.name, value: line.value, known: line.known)
    add(field, from: start, behind: length, in: bytes)
    length &+= line.end &- start
    return (field, line.end)
  }

  /// Notes a field of the line that begins at `start`, with that many bytes of the head before it.
  @inline(__always)
  private mutating func add(
    _ field: HeaderField, from start: Int, behind length: Int, in bytes: Span<UInt8>
  ) {
    if field.known == .contentType, tellsEventStream == nil {
      tellsEventStream = Self.isEventStream(bytes.extracting(field.value))
    }
    present |= field.known.bit
    if fields.isEmpty { fields.reserveCapacity(HeaderField.usualCount) }
    fields.append(field.moved(by: length &- start))
  }

  /// The three digits behind the first space of a status line, else 0.
  private static func status(_ line: Span<UInt8>) -> Int {
    guard let space = line.firstIndex(of: 32), line.count >= space + 4,
      let code = line.extracting(space + 1..<space + 4).decimal, code >= 100
    else { return 0 }
    return Int(code)
  }

  private mutating func readField(_ line: Range<Int>, in bytes: Span<UInt8>) -> HeaderField? {
    guard fields.count < Limits.upstreamFields else { return nil }
    let colon = bytes.endOfToken(from: line.lowerBound, upTo: line.upperBound)
    guard colon > line.lowerBound, colon < line.upperBound, bytes[colon] == UInt8(ascii: ":") else {
      return nil
    }
    let value = bytes.trimmed(colon + 1..<line.upperBound)
    if !bytes.isFieldContent(value) { return nil }
    let name = line.lowerBound..<colon
    return HeaderField(name: name, value: value, known: KnownField(bytes.extracting(name)))
  }

  /// Whether a Content-Type is that of an event stream.
  package static func isEventStream(_ contentType: Span<UInt8>) -> Bool {
    contentType.hasPrefixIgnoringCase("text/event-stream")
  }

  /// Forgets everything and keeps the memory.
  package mutating func clear() {
    status = 0
    if !fields.isEmpty { fields.removeAll(keepingCapacity: true) }
    present = 0
    length = 0
    isAtStart = true
    isLengthVoid = false
    tellsEventStream = nil
  }

  private func has(_ field: KnownField) -> Bool { present & field.bit != 0 }

  /// The value of the first field with that name, which is in lower case.
  package func value(named name: String, in raw: Span<UInt8>) -> Range<Int>? {
    var name = name
    return name.withUTF8 { wanted in
      // Lifetime: the span is over the text's bytes and does not leave this closure.
      let wanted = Span(_unsafeElements: wanted)
      for i in fields.indices where fields[i].name.count == wanted.count {
        if raw.extracting(fields[i].name).equalsIgnoringCase(wanted) { return fields[i].value }
      }
      return nil
    }
  }

  /// The value of the first field with that lower-case name.
  package func value(of name: StaticString, in raw: Span<UInt8>) -> Range<Int>? {
    for i in fields.indices where raw.extracting(fields[i].name).equalsIgnoringCase(name) {
      return fields[i].value
    }
    return nil
  }

  /// The value of the first field of that name.
  package func value(of field: KnownField) -> Range<Int>? {
    guard has(field) else { return nil }
    for i in fields.indices where fields[i].known == field { return fields[i].value }
    return nil
  }

  /// Whether a field may cross to the client: by its name, and not named by a Connection field.
  package func crosses(_ field: HeaderField, in raw: Span<UInt8>) -> Bool {
    FieldRules.crossesToClient(field.known, raw.extracting(field.name))
      && !(has(.connection) && FieldRules.isNamedByConnection(field.name, fields, in: raw))
  }
}

extension HeaderField {
  fileprivate func moved(by distance: Int) -> HeaderField {
    HeaderField(
      name: name.lowerBound &+ distance..<name.upperBound &+ distance,
      value: value.lowerBound &+ distance..<value.upperBound &+ distance, known: known)
  }
}

extension Span<UInt8> {
  /// A line without what ends it: CRLF, or LF alone.
  func withoutLineEnd(_ line: Range<Int>) -> Range<Int> {
    var end = line.upperBound
    if end > line.lowerBound, self[end - 1] == UInt8(ascii: "\n") { end -= 1 }
    if end > line.lowerBound, self[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    return line.lowerBound..<end
  }
}
