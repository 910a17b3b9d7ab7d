internal import Base

/// What a complete plain answer says about itself.
package struct AnswerProbe: Sendable {
  package private(set) var isJSON = false
  /// It tells an error (see `tellsError`), or nothing but a message.
  package private(set) var hasError = false
  package private(set) var usage = TokenUsage()
  private var probe = JSONProbe()

  package init() {}

  /// Reads a whole body, forgetting the one before.
  package mutating func read(_ body: Span<UInt8>) {
    isJSON = false
    hasError = false
    usage = TokenUsage()
    do throws(JSONFault) { try probe.scan(body) } catch { return }
    isJSON = true
    hasError = probe.tellsError(in: body) || probe.isMereMessage(in: body)
    usage = TokenUsage(probe, in: body)
  }

  /// The answer that was just read, taken apart for those who asked: see `EmbeddingAnswer`.
  package func embeddings(in body: Span<UInt8>, weights: [Int]) throws(EmbeddingAnswer.Fault)
    -> EmbeddingAnswer
  {
    try EmbeddingAnswer(probe, in: body, weights: weights)
  }

  /// The name under which the provider keeps the answer that was just read.
  package func responseName(in body: Span<UInt8>) -> Range<Int>? { probe.responseName(in: body) }
}

extension JSONProbe {
  /// The `id` of a response (Responses API), or of the one that an event is about.
  func responseName(in bytes: Span<UInt8>) -> Range<Int>? {
    if let response = value(of: "response", in: bytes), response.kind == .object {
      return bytes.jsonMember("id", in: response)?.inner
    }
    guard let object = value(of: "object", in: bytes), bytes.jsonEquals(object, "response") else {
      return nil
    }
    return value(of: "id", in: bytes)?.inner
  }
}

/// The words without which no answer tells an error: a member's name, a type, or a choice's end.
enum ErrorWord {
  /// Whether the string between two places reads like one, its escapes not decoded.
  @inline(__always)
  static func isOne(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
    // Most are of another length. Of the bits that a shift counts by only the last six count.
    let lengths: UInt64 = 1 << 5 | 1 << 13 | 1 << 28
    if lengths &>> UInt64(truncatingIfNeeded: end &- start) & 1 == 0 { return false }
    return bytes.has(start)
      && (bytes[start] == UInt8(ascii: "e") || bytes[start] == UInt8(ascii: "n")
        || bytes[start] == UInt8(ascii: "i"))
      && isAny(bytes, start..<end)
  }

  @inline(never)
  private static func isAny(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    let text = bytes.extracting(text)
    return text.equals("error") || text.equals("network_error") || text.equals("insufficient_system_resource")
  }
}

extension JSONProbe {
  /// Whether the text is an error object, or an array that begins with one:
  /// 1. its `type` or `object` is `error` (Anthropic; vLLM up to 0.9);
  /// 2. its `error` is an object, a text that is not empty, or true. The Responses API always has `"error": null`;
  /// 3. a choice tells of one: the provider's own provider failed after it had answered 200 (OpenRouter).
  func tellsError(in bytes: Span<UInt8>) -> Bool {
    guard mayTellError else { return false }
    var type = value(of: "type", in: bytes)
    var object = value(of: "object", in: bytes)
    var error = value(of: "error", in: bytes)
    if root.kind == .array {
      var cursor = JSONCursor(root)
      guard let first = cursor.next(bytes) else { return false }
      type = bytes.jsonMember("type", in: first)
      object = bytes.jsonMember("object", in: first)
      error = bytes.jsonMember("error", in: first)
    }
    if let type, bytes.jsonEquals(type, "error") { return true }  // 1
    if let object, bytes.jsonEquals(object, "error") { return true }
    if let error, bytes.tellsError(error) { return true }  // 2
    guard let choices = value(of: "choices", in: bytes), choices.kind == .array else { return false }
    var cursor = JSONCursor(choices)
    while let choice = cursor.next(bytes) {  // 3
      if bytes.choiceTellsError(choice) { return true }
    }
    return false
  }

  /// Whether an object has a message and no answer beside it, as gateways and providers of their own shape send:
  /// `{"detail": "…"}`, `{"code": 50501, "message": "…", "data": null}`, `{"base_resp": {…}, "choices": null}`.
  fileprivate func isMereMessage(in bytes: Span<UInt8>) -> Bool {
    guard root.kind == .object else { return false }
    // Most answers are in an array or object, which takes no comparing of names.
    for member in members where member.kind == .object && member.value.count > 2 {
      if !bytes.jsonEquals(member.key, "base_resp") { return false }
    }
    var hasMessage = false
    for member in members {
      if bytes.jsonEquals(member.key, "base_resp") {
        let status = bytes.jsonMember("status_code", in: member)
        if let status, !bytes.extracting(status.value).equals("0") { hasMessage = true }
        continue
      }
      let isMessage =
        bytes.jsonEquals(member.key, "message") || bytes.jsonEquals(member.key, "msg")
        || bytes.jsonEquals(member.key, "detail")
      switch member.kind {
      case .string where isMessage: hasMessage = true
      case .array where isMessage: hasMessage = true
      // Cohere's answer has its text in an object named `message`.
      case .object, .array: if member.value.count > 2 { return false }
      case .string: if bytes.isText(member.key) { return false }
      case .number, .bool, .null: break
      }
    }
    return hasMessage
  }
}

extension Span<UInt8> {
  /// Whether an `error` says anything.
  fileprivate func tellsError(_ error: JSONMember) -> Bool {
    switch error.kind {
    case .object, .array: true
    case .string: error.value.count > 2
    case .bool: jsonBool(error) == true
    case .number, .null: false
    }
  }

  /// Keys whose string would be an answer.
  fileprivate func isText(_ key: Range<Int>) -> Bool {
    jsonEquals(key, "text") || jsonEquals(key, "content") || jsonEquals(key, "output")
      || jsonEquals(key, "result") || jsonEquals(key, "response") || jsonEquals(key, "completion")
  }

  /// An `error` in a choice, or a reason for its end that is none of the model's: `error` (OpenRouter),
  /// `network_error` (Z.ai), `insufficient_system_resource` (DeepSeek).
  fileprivate func choiceTellsError(_ choice: JSONMember) -> Bool {
    guard choice.kind == .object else { return false }
    // One walk: the answer's text stands between them.
    var error: JSONMember?
    var reason: JSONMember?
    var cursor = JSONCursor(choice)
    while let member = cursor.next(self) {
      if jsonEquals(member.key, "error") {
        error = member
      } else if jsonEquals(member.key, "finish_reason") {
        reason = member
      }
    }
    if let error, tellsError(error) { return true }
    guard let reason else { return false }
    return jsonEquals(reason, "error") || jsonEquals(reason, "network_error")
      || jsonEquals(reason, "insufficient_system_resource")
  }
}
