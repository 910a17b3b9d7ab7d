package import Base
package import Policy

/// One try of an exchange at one candidate.
package struct Attempt: Sendable {
  package enum Phase: Equatable, Sendable {
    /// No byte of the request has been sent.
    case connecting
    /// The request is on its way, or its answer is.
    case sent
    case over
  }

  package let choice: Choice
  package let ticket: AttemptTicket
  /// How long its provider may think and be silent.
  let firstToken: Interval
  let streamIdle: Interval
  /// Attempts of one round race for their connection, and one of them sends the request.
  package let round: Int
  package let openedAt: Instant
  package internal(set) var phase = Phase.connecting
  package internal(set) var sentAt: Instant?
  /// The connection had carried a request before.
  package internal(set) var isReused = false
  /// The head of the answer was complete.
  package internal(set) var answeredAt: Instant?
  package internal(set) var firstContentAt: Instant?
  package internal(set) var endedAt: Instant?
  /// Of the answer's head; 0 where none came.
  package internal(set) var status = 0
  package internal(set) var fault: Fault?
  /// What was said with the fault: see `Cause.words`.
  package internal(set) var words: [UInt8] = []
  package internal(set) var tokens: Quantity?
  package internal(set) var consequence: Consequence?

  /// Silence on the wire for this long is worth a look.
  var threshold = Interval.zero
  var checkAt = Instant.distantFuture
  var firstTokenAt = Instant.distantFuture
  var idleAt = Instant.distantFuture
  /// The request has arrived, as far as can be known, at a server that would begin anew if it was left.
  var isTaken = false

  init(
    choice: Choice, ticket: AttemptTicket, round: Int, firstToken: Interval, streamIdle: Interval,
    openedAt: Instant
  ) {
    self.choice = choice
    self.ticket = ticket
    self.round = round
    self.firstToken = firstToken
    self.streamIdle = streamIdle
    self.openedAt = openedAt
  }

  package var isLive: Bool { phase != .over }

  mutating func close(_ fault: Fault?, _ now: Instant) {
    phase = .over
    self.fault = fault
    endedAt = now
  }
}

extension [Attempt] {
  /// Whose answer the client got: of the first attempt without a fault, or of one whose fault is the client's. Else
  /// the last that was tried.
  package var answeringProvider: Int? {
    for index in indices where self[index].fault == nil || self[index].fault == .clientFault {
      return self[index].choice.provider
    }
    return isEmpty ? nil : self[count - 1].choice.provider
  }
}
