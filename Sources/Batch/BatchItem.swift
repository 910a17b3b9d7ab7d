internal import Base
internal import Wire

/// One line of the input, taken apart: ranges over the line.
struct BatchItem {
  /// The value of `custom_id`, with its quotes.
  var name: Range<Int>
  /// The path that is asked, as it stands between its quotes.
  var path: Range<Int>
  /// The JSON that is sent.
  var body: Range<Int>
  /// What the line is known by: of its name, escapes decoded.
  var key: Fingerprint
  /// Of the model's name.
  var model: Fingerprint

  /// Why a line cannot be run, and at which byte.
  struct Mistake: Error {
    var offset: Int
    var text: StaticString
  }

  /// Reads a line in the Batch input format (platform.openai.com, "Batch API").
  init(_ line: Span<UInt8>, _ probe: inout JSONProbe) throws(Mistake) {
    try Self.scan(line, &probe)
    name = try Self.string("custom_id", line, probe, "`custom_id` is missing, or is no string")
    if name.count == 2 { throw Mistake(offset: name.lowerBound, text: "`custom_id` is empty") }
    key = Self.key(line, name)
    let method = try Self.string("method", line, probe, "`method` is missing, or is no string")
    if !line.extracting(method).equals("\"POST\"") {
      throw Mistake(offset: method.lowerBound, text: "`method` is not POST")
    }
    let url = try Self.string("url", line, probe, "`url` is missing, or is no string")
    path = url.lowerBound + 1..<url.upperBound - 1
    if !line.extracting(path).isPath {
      throw Mistake(offset: url.lowerBound, text: "`url` is not a path such as /v1/chat/completions")
    }
    guard let object = probe.value(of: "body", in: line), object.kind == .object else {
      throw Mistake(
        offset: probe.value(of: "body", in: line)?.value.lowerBound ?? 0,
        text: "`body` is missing, or is no object")
    }
    body = object.value
    guard let named = line.jsonMember("model", in: object), named.kind == .string else {
      throw Mistake(offset: body.lowerBound, text: "`body` names no `model`")
    }
    model = Self.key(line, named.value)
    if let stream = line.jsonMember("stream", in: object), line.jsonBool(stream) == true {
      throw Mistake(
        offset: stream.value.lowerBound, text: "an answer cannot be streamed into a file: leave `stream` out")
    }
  }

  static func scan(_ line: Span<UInt8>, _ probe: inout JSONProbe) throws(Mistake) {
    do throws(JSONFault) { try probe.scan(line) } catch {
      throw Mistake(offset: error.offset, text: error.reason.text)
    }
    if probe.root.kind != .object { throw Mistake(offset: 0, text: "the line is not a JSON object") }
  }

  static func string(_ name: StaticString, _ line: Span<UInt8>, _ probe: JSONProbe, _ text: StaticString)
    throws(Mistake) -> Range<Int>
  {
    let member = probe.value(of: name, in: line)
    guard let member, member.kind == .string else {
      throw Mistake(offset: member?.value.lowerBound ?? 0, text: text)
    }
    return member.value
  }

  /// A string's fingerprint, escapes decoded. The hash is no defence here: the files are the user's own.
  static func key(_ line: Span<UInt8>, _ string: Range<Int>) -> Fingerprint {
    var hash = KeyedHash(key: KeyedHash.Key(first: 0, second: 0))
    let inner = line.extracting(string.lowerBound + 1..<string.upperBound - 1)
    if inner.firstIndex(of: UInt8(ascii: "\\")) == nil {
      hash.absorb(inner)
    } else {
      var decoded = ByteBuffer()
      line.jsonString(JSONMember(key: 0..<0, value: string, kind: .string), into: &decoded)
      decoded.withBytes { hash.absorb($0) }
    }
    return hash.finish()
  }
}

extension Span<UInt8> {
  /// It begins with a slash, and nothing in it could end a request line or needs its JSON escapes decoded.
  fileprivate var isPath: Bool {
    guard count > 1, self[0] == UInt8(ascii: "/") else { return false }
    for at in 0..<count {
      let byte = self[at]
      if byte <= 32 || byte >= 127 || byte == UInt8(ascii: "\\") { return false }
    }
    return true
  }
}
