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
    hasError = Self.hasError(probe.root, in: body)
    usage = TokenUsage(answer: probe.root, in: body)
  }

  static func hasError(_ root: JSONMember, in bytes: Span<UInt8>) -> Bool {
    var object = root
    if root.kind == .array {
      var cursor = JSONCursor(root)
      guard let first = cursor.next(bytes) else { return false }
      object = first
    }
    if let type = bytes.jsonMember("type", in: object), bytes.jsonEquals(type, "error") { return true }
    guard let error = bytes.jsonMember("error", in: object) else { return false }
    switch error.kind {
    case .object, .array: return true
    case .string: return error.value.count > 2
    case .bool: return bytes.jsonBool(error) == true
    case .number, .null: return false
    }
  }
}
