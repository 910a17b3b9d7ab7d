package import Base

/// Looks at an event stream as it passes (WHATWG HTML §9.2.6); changes nothing.
package struct EventStreamObserver: ~Copyable {
  /// How the answer said that it is over.
  package enum End: UInt8, Sendable {
    case none
    /// `data: [DONE]`
    case done
    /// `response.completed`
    case completed
    /// `response.failed`
    case failed
    /// `response.incomplete`
    case incomplete
    /// `message_stop`
    case messageStop
  }

  /// Events that carry content: everything that is not known to be empty.
  package private(set) var contentEvents = 0
  package private(set) var sawDone = false
  package private(set) var sawErrorFrame = false
  package private(set) var end = End.none
  package private(set) var usage = TokenUsage()

  package init() {}

  /// No event and no line is half received.
  package var endsBetweenEvents: Bool { true }

  /// Looks at the next piece of the body. Cheap once there was content.
  package mutating func observe(_ piece: Span<UInt8>) {}

  /// The body is over: a last line and event without their line ends are looked at too.
  /// `endsBetweenEvents` keeps the answer it had before.
  package mutating func finish() {}

  /// Forgets the stream and keeps a small buffer.
  package mutating func reset() {}
}
