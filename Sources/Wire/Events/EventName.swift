internal import Base

/// The event names that mean something here, of the `event:` field and of the JSON's `type` alike.
enum EventName: UInt8, Sendable {
  /// Not given.
  case none
  /// Given, but of no importance.
  case other
  case error
  // The Messages API.
  case ping, messageStart, messageDelta, messageStop
  case contentBlockStart, contentBlockDelta, contentBlockStop
  // The Responses API; `responsePending` is created, in_progress and queued, and what announces an empty place.
  case responsePending, responseCompleted, responseFailed, responseIncomplete

  init(_ name: Span<UInt8>) {
    self = .other
    if name.isEmpty {
      self = .none
    } else if name.equals("error") {
      self = .error
    } else if name.equals("ping") {
      self = .ping
    } else if name.hasPrefix("message_") {
      if name.equals("message_start") { self = .messageStart }
      if name.equals("message_delta") { self = .messageDelta }
      if name.equals("message_stop") { self = .messageStop }
    } else if name.hasPrefix("content_block_") {
      if name.equals("content_block_start") { self = .contentBlockStart }
      if name.equals("content_block_delta") { self = .contentBlockDelta }
      if name.equals("content_block_stop") { self = .contentBlockStop }
    } else if name.hasPrefix("response.") {
      if name.equals("response.created") || name.equals("response.in_progress")
        || name.equals("response.queued") || name.equals("response.output_item.added")
        || name.equals("response.content_part.added")
        || name.equals("response.reasoning_summary_part.added")
      {
        self = .responsePending
      }
      if name.equals("response.completed") { self = .responseCompleted }
      if name.equals("response.failed") { self = .responseFailed }
      if name.equals("response.incomplete") { self = .responseIncomplete }
    }
  }

  /// An event of that name never carries content.
  var isEmpty: Bool {
    switch self {
    case .ping, .messageStart, .messageStop, .contentBlockStop, .responsePending, .error, .responseFailed:
      true
    case .none, .other, .messageDelta, .contentBlockStart, .contentBlockDelta, .responseCompleted,
      .responseIncomplete:
      false
    }
  }

  /// How an event of that name ends the answer.
  var end: EventStreamObserver.End {
    switch self {
    case .messageStop: .messageStop
    case .responseCompleted: .completed
    case .responseFailed: .failed
    case .responseIncomplete: .incomplete
    case .none, .other, .error, .ping, .messageStart, .messageDelta, .contentBlockStart, .contentBlockDelta,
      .contentBlockStop, .responsePending:
      .none
    }
  }
}
