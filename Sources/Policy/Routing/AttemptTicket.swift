package import Base

/// The receipt of an attempt that was begun: to be given back once, with `HealthStore.end`.
package struct AttemptTicket: Equatable, Sendable {
  let slot: Int32
  let generation: UInt32
}

/// How an attempt ended.
package struct AttemptOutcome: Equatable, Sendable {
  /// nil: a complete answer.
  package var fault: Fault?
  /// Of the answer; 0 where none came.
  package var status = 0
  /// What was said with the fault: see `Cause.words`.
  package var words: [UInt8] = []
  /// From the start of the attempt to its first content; nil if there was none.
  package var timeToFirstToken: Interval?
  /// Tokens of request and answer as `usage` told; nil if it did not.
  package var tokens: Quantity?
  /// The fault is one of a server that is, or may be, starting.
  package var isStarting = false

  package init(fault: Fault? = nil, timeToFirstToken: Interval? = nil, tokens: Quantity? = nil) {
    self.fault = fault
    self.timeToFirstToken = timeToFirstToken
    self.tokens = tokens
  }
}

/// What an attempt's end brought about: for the log.
package struct Consequence: Equatable, Sendable {
  package enum Scope: Equatable, Sendable { case provider, account, key, candidate, endpoint }
  package var scope: Scope
  package var until: Instant
  /// It was not cooling already: worth a line in the log.
  package var isNew: Bool

  package init(scope: Scope, until: Instant, isNew: Bool) {
    self.scope = scope
    self.until = until
    self.isNew = isNew
  }
}
