internal import Base

/// A provider's response head, as ranges over the header lines that libcurl handed over: the status line and
/// the fields, each with its line end.
///
/// libcurl has accepted the lines, so reading is lenient: what is no field is skipped, and fields beyond
/// `Limits.upstreamFields` are not looked at.
package struct ResponseHead: Sendable {
  package private(set) var status = 0
  /// In the order of arrival, duplicates kept.
  package private(set) var fields: [HeaderField] = []
  /// One bit per `KnownField` that is present.
  private var present: UInt64 = 0

  package init() {}

  /// Reads the lines, forgetting what was read before but keeping its memory. A status line behind an empty line (the
  /// first belonged to an interim response) starts over. False where there is no status line.
  @discardableResult package mutating func parse(_ raw: Span<UInt8>) -> Bool {
    status = 0
    clear()
    var start = 0
    var beginsHead = true
    while start < raw.count {
      let distance = raw.extracting(start..<raw.count).firstIndex(of: UInt8(ascii: "\n"))
      let end = distance.map { start + $0 } ?? raw.count
      let line = start..<(end > start && raw[end - 1] == UInt8(ascii: "\r") ? end - 1 : end)
      if beginsHead, raw.extracting(line).hasPrefixIgnoringCase("http/") {
        clear()
        status = Self.status(raw.extracting(line))
      } else {
        readField(line, in: raw)
      }
      beginsHead = line.isEmpty
      start = end + 1
    }
    return status != 0
  }

  /// The three digits behind the first space of a status line, else 0.
  private static func status(_ line: Span<UInt8>) -> Int {
    guard let space = line.firstIndex(of: 32), line.count >= space + 4,
      let code = line.extracting(space + 1..<space + 4).decimal, code >= 100
    else { return 0 }
    return Int(code)
  }

  private mutating func readField(_ line: Range<Int>, in raw: Span<UInt8>) {
    guard fields.count < Limits.upstreamFields,
      let colon = raw.extracting(line).firstIndex(of: UInt8(ascii: ":")), colon > 0
    else { return }
    let name = line.lowerBound..<line.lowerBound + colon
    if raw.endOfToken(from: name.lowerBound, upTo: name.upperBound) < name.upperBound { return }
    let value = raw.trimmed(name.upperBound + 1..<line.upperBound)
    if !raw.isFieldContent(value) { return }
    let known = KnownField(raw.extracting(name))
    fields.append(HeaderField(name: name, value: value, known: known))
    present |= 1 << UInt64(known.rawValue)
  }

  /// Whether a header line announces an event stream; nil: it is not the Content-Type.
  package static func tellsEventStream(_ line: Span<UInt8>) -> Bool? {
    guard line.hasPrefixIgnoringCase("content-type:") else { return nil }
    return isEventStream(line.extracting(line.trimmed(13..<line.count)))
  }

  /// Whether a Content-Type is that of an event stream.
  package static func isEventStream(_ contentType: Span<UInt8>) -> Bool {
    contentType.hasPrefixIgnoringCase("text/event-stream")
  }

  private mutating func clear() {
    if !fields.isEmpty { fields.removeAll(keepingCapacity: true) }
    present = 0
  }

  private func has(_ field: KnownField) -> Bool { present & (1 << UInt64(field.rawValue)) != 0 }

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
    FieldRules.crossesToClient(raw.extracting(field.name))
      && !(has(.connection) && FieldRules.isNamedByConnection(field.name, fields, in: raw))
  }
}
