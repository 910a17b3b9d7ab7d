internal import Base

/// What one event of a stream is, read from its whole data.
///
/// An event counts as content unless it is known to be empty. The branches:
/// 1. no data, or `[DONE]`: empty,
/// 2. data that is not JSON: content,
/// 3. an error frame: no content,
/// 4. a named event of the Messages or the Responses API: by its name,
/// 5. a chunk with `choices`: content where a choice brings something,
/// 6. a chunk without choices that only tells usage or its own kind: empty,
/// 7. anything else: content.
struct EventReading {
  var isContent = false
  var isDone = false
  var isError = false
  /// A choice says why it has ended.
  var isFinish = false
  var isJSON = false
  var end = EventStreamObserver.End.none
  var usage = TokenUsage()
  /// The name of the response that has begun.
  var responseName: Range<Int>?

  init(_ data: Span<UInt8>, name: EventName, probe: inout JSONProbe) {
    if data.isEmpty { return }  // 1
    if data.equals("[DONE]") {  // 1
      isDone = true
      end = .done
      return
    }
    do throws(JSONFault) { try probe.scan(data) } catch {  // 2
      isError = name == .error
      isContent = !isError
      end = name.end
      return
    }
    isJSON = true
    var kind = name
    if kind == .none || kind == .other, let type = probe.value(of: "type", in: data)?.inner {
      kind = EventName(data.extracting(type))
    }
    end = kind.end
    usage = TokenUsage(probe, in: data)
    if kind == .responsePending { responseName = probe.responseName(in: data) }
    if kind == .error || kind == .responseFailed || probe.tellsError(in: data) {  // 3
      isError = true
      return
    }
    isContent = Self.hasContent(probe, kind, in: data)
    isFinish = Self.finishes(probe.root, in: data)
  }

  private static func hasContent(_ probe: borrowing JSONProbe, _ kind: EventName, in data: Span<UInt8>)
    -> Bool
  {
    if kind.isEmpty { return false }  // 4
    switch kind {
    case .contentBlockStart:
      return brings(probe.value(of: "content_block", in: data), in: data)
    case .contentBlockDelta, .messageDelta:
      return brings(probe.value(of: "delta", in: data), in: data)
    case .responseCompleted, .responseIncomplete:
      return true
    case .none, .other, .ping, .messageStart, .messageStop, .contentBlockStop, .responsePending, .error,
      .responseFailed:
      break
    }
    guard probe.root.kind == .object else { return true }  // 7
    if let choices = probe.value(of: "choices", in: data) {
      if choices.kind == .null { return false }
      var cursor = JSONCursor(choices)  // 5
      while let choice = cursor.next(data) {
        if choiceBrings(choice, in: data) { return true }
      }
      return choices.kind != .array
    }
    if let object = probe.value(of: "object", in: data) {  // 6
      if data.jsonEquals(object, "chat.completion.chunk") || data.jsonEquals(object, "text_completion") {
        return false
      }
    }
    return probe.value(of: "usage", in: data)?.kind != .object  // 6, 7
  }

  /// Whether some choice has a `finish_reason`.
  private static func finishes(_ root: JSONMember, in data: Span<UInt8>) -> Bool {
    guard let choices = data.jsonMember("choices", in: root), choices.kind == .array else { return false }
    var cursor = JSONCursor(choices)
    while let choice = cursor.next(data) {
      if let reason = data.jsonMember("finish_reason", in: choice), isFull(reason, in: data) { return true }
    }
    return false
  }

  private static func choiceBrings(_ choice: JSONMember, in data: Span<UInt8>) -> Bool {
    if choice.kind != .object { return true }
    var cursor = JSONCursor(choice)
    while let member = cursor.next(data) {
      if data.jsonEquals(member.key, "finish_reason") || data.jsonEquals(member.key, "text") {
        if isFull(member, in: data) { return true }
      } else if data.jsonEquals(member.key, "delta") || data.jsonEquals(member.key, "message") {
        if brings(member, in: data) { return true }
      }
    }
    return false
  }

  /// Whether a delta brings anything: text, a tool call, audio, a stop reason, or something unknown that is
  /// not empty. Who speaks, and of what kind the delta is, brings nothing.
  private static func brings(_ delta: JSONMember?, in data: Span<UInt8>) -> Bool {
    guard let delta, delta.kind != .null else { return false }
    guard delta.kind == .object else { return isFull(delta, in: data) }
    let isToolUse = data.jsonMember("type", in: delta).map { data.jsonEquals($0, "tool_use") } ?? false
    if isToolUse { return true }
    var cursor = JSONCursor(delta)
    while let member = cursor.next(data) {
      if data.jsonEquals(member.key, "role") || data.jsonEquals(member.key, "type")
        || data.jsonEquals(member.key, "name")
      {
        continue
      }
      if isFull(member, in: data) { return true }
    }
    return false
  }

  private static func isFull(_ member: JSONMember, in data: Span<UInt8>) -> Bool {
    switch member.kind {
    case .string: return member.value.count > 2
    case .object, .array:
      var cursor = JSONCursor(member)
      return cursor.next(data) != nil
    case .number, .bool, .null: return false
    }
  }
}
