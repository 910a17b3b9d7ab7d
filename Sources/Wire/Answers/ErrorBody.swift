internal import Base

/// An error body of a provider, read for the fault table and for the log.
///
/// The shapes: OpenAI's `{error: {message, type, code}}`, the same in an array (Gemini), `{error: "text"}`,
/// `{errors: [{message}]}` (Cloudflare), `{title, detail}` (RFC 9457, NVIDIA), `{message}`, an HTML page's title, and
/// plain text.
package struct ErrorBody: Sendable {
  package private(set) var traits: ErrorTraits = []
  package private(set) var isJSON = false
  /// The number that the error names as its code: an HTTP status, where a provider tells an error inside a 200.
  package private(set) var code: Int?
  /// At most `Limits.errorMessage` bytes of valid UTF-8 without control characters and without what looks
  /// like a key.
  package private(set) var message: [UInt8] = []
  /// The message as it came, at most `Limits.errorText` bytes; the beginning of the body where it has none.
  package private(set) var text: [UInt8] = []

  package init(_ body: Span<UInt8>) {
    let whole = body.extracting(0..<min(body.count, Limits.errorBody))
    var probe = JSONProbe()
    var text = ByteBuffer()
    var words = ByteBuffer()
    do throws(JSONFault) {
      try probe.scan(whole)
      isJSON = true
      code = Self.collect(probe.root, in: whole, message: &text, words: &words)
    } catch {
      text.append(whole.extracting(0..<min(whole.count, Limits.errorText)))
    }
    words.append(text.bytes.extracting(0..<min(text.count, Limits.errorText)))
    words.withMutableBytes { for i in 0..<$0.count { $0[i] = $0[i].asciiLowercased } }
    traits = ErrorTraits(words.bytes, whole: whole)
    if !isJSON, let title = PageTitle.find(in: whole) {
      message = PublicText.sanitised(whole.extracting(title), limit: Limits.errorMessage)
    } else {
      message = PublicText.sanitised(text.bytes, limit: Limits.errorMessage)
    }
    if text.isEmpty { text.append(whole) }
    self.text = text.bytes.extracting(0..<min(text.count, Limits.errorText)).array
  }

  /// An error in a 200: the body, or the line of an event stream that names one.
  package init(inside body: Span<UInt8>) {
    self.init(body.extracting(Self.eventLine(body) ?? 0..<body.count))
  }

  private static func eventLine(_ body: Span<UInt8>) -> Range<Int>? {
    guard let place = body.firstRange(of: "\"error\"") else { return nil }
    var start = place
    while start > 0, body[start - 1] != UInt8(ascii: "\n") { start -= 1 }
    guard body.extracting(start..<body.count).hasPrefix("data:") else { return nil }
    let rest = body.extracting(place..<body.count)
    return start + 5..<place + (rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.count)
  }

  /// Decodes the message, and into `words` the codes and types beside it. Returns a code that is a number.
  private static func collect(
    _ root: JSONMember, in bytes: Span<UInt8>, message: inout ByteBuffer, words: inout ByteBuffer
  ) -> Int? {
    var object = root
    // Down through what may wrap the error, at most three steps: [ {error: {…}} ].
    for _ in 0..<3 {
      if object.kind == .array {
        var cursor = JSONCursor(object)
        guard let first = cursor.next(bytes) else { return nil }
        object = first
      } else if let inner = bytes.jsonMember("error", in: object) ?? bytes.jsonMember("errors", in: object),
        inner.kind == .object || inner.kind == .array || inner.kind == .string
      {
        collectNames(object, in: bytes, into: &words)
        object = inner
      }
    }
    if bytes.jsonString(object, into: &message) { return nil }
    collectNames(object, in: bytes, into: &words)
    let keys: [StaticString] = ["message", "detail", "title", "msg", "error_description"]
    for key in keys {
      guard let member = bytes.jsonMember(key, in: object) else { continue }
      if message.isEmpty {
        _ = bytes.jsonString(member, into: &message)
      } else {
        _ = bytes.jsonString(member, into: &words)
        words.append(UInt8(ascii: "\n"))
      }
    }
    guard let code = bytes.jsonMember("code", in: object), code.kind == .number else { return nil }
    return bytes.extracting(code.value).decimal.map { Int(clamping: $0) }
  }

  private static func collectNames(_ object: JSONMember, in bytes: Span<UInt8>, into words: inout ByteBuffer)
  {
    let keys: [StaticString] = ["code", "type", "status", "error_code"]
    for key in keys {
      guard let member = bytes.jsonMember(key, in: object), bytes.jsonString(member, into: &words) else {
        continue
      }
      words.append(UInt8(ascii: "\n"))
    }
  }
}
