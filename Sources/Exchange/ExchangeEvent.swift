package import Base
package import Policy

/// What an exchange is told.
package enum ExchangeEvent: Sendable {
  case started
  /// Instead: it is asked together with others, in an attempt that they have begun and not sent.
  case joined(Choice, AttemptTicket)
  /// The connection of an attempt is ready, and it won its race.
  case connected(Int, isReused: Bool = false)
  /// The head of the answer is complete.
  case answered(Int, status: Int)
  /// A stream has shown its first content, or an error.
  case contentBegan(Int, Verdict)
  /// As much of a plain answer has come as is held back.
  case heldFull(Int, Verdict)
  /// The transfer is over. Tokens as `usage` told.
  case ended(Int, Verdict, tokens: Quantity?)
  case path(Int, PathReport)
  case progress(Int, AttemptProgress)
  case timePassed
  /// Nobody waits for the answer any more.
  case clientLeft
  /// Nobody waits for it, since all have had it: it has said that it is over, and only its last bytes are to come.
  case served
  /// The process ends and waits no longer.
  case drainEnded
  /// An attempt could not be started for want of memory: what the client is told.
  case couldNotOpen(Int, LocalError)
}

/// What the kernel knows about the way to a provider (TCP_INFO).
package enum PathReport: Equatable, Sendable {
  case connecting
  case handshaking(roundTrip: Interval)
  /// Bytes wait, and none has been acknowledged for that long. The round trip is the connection's own.
  case unacknowledged(for: Interval, roundTrip: Interval)
  /// Bytes wait, and the kernel knows that they cannot be delivered.
  case undeliverable
  /// Bytes wait, and the provider is there: it takes no more for now.
  case heldUp
  case acknowledged
  case unknown
}

package struct AttemptProgress: Equatable, Sendable {
  /// The last content of a stream, the last byte of another answer.
  package var lastContentAt: Instant?
  /// The client does not take its bytes.
  package var isPaused: Bool
  package init(lastContentAt: Instant?, isPaused: Bool) {
    self.lastContentAt = lastContentAt
    self.isPaused = isPaused
  }
}
