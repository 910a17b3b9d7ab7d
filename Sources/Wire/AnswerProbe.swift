internal import Base

/// What a complete plain answer says about itself.
package struct AnswerProbe: Sendable {
  package private(set) var isJSON = false
  /// A top-level `error` (also of an object that is the first element of an array) that is an object, a
  /// text that is not empty, or true. The Responses API always has `"error": null`.
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
    hasError = probe.tellsError(in: body)
    usage = TokenUsage(probe, in: body)
  }
}

extension JSONProbe {
  /// Whether the text is an error object, or an array that begins with one.
  func tellsError(in bytes: Span<UInt8>) -> Bool {
    var type = value(of: "type", in: bytes)
    var error = value(of: "error", in: bytes)
    if root.kind == .array {
      var cursor = JSONCursor(root)
      guard let first = cursor.next(bytes) else { return false }
      type = bytes.jsonMember("type", in: first)
      error = bytes.jsonMember("error", in: first)
    }
    if let type, bytes.jsonEquals(type, "error") { return true }
    guard let error else { return false }
    switch error.kind {
    case .object, .array: return true
    case .string: return error.value.count > 2
    case .bool: return bytes.jsonBool(error) == true
    case .number, .null: return false
    }
  }
}
