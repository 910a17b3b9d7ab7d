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

/// What an exchange wants done. Numbers are attempts.
package enum ExchangeEffect: Equatable, Sendable {
  case open(Int)
  case cancel(Int)
  /// Leave the connection to itself: it sends no request, but its end still tells about the provider. The
  /// ticket is given back then.
  case letGo(Int)
  case checkPath(Int)
  /// Nothing else may use the connections to that host.
  case dropPath(Int)
  case checkProgress(Int)
  /// Send the head and what is held, then forward what comes.
  case commit(Int)
  /// Send the whole answer, which is held.
  case relay(Int)
  /// The forwarded answer is complete.
  case finish(Int)
  /// A comment for a streaming client that waits; the first one with the head.
  case sendComment(isFirst: Bool)
  case answerError(LocalError)
  /// The answer has begun and cannot be finished.
  case breakOff(LocalError)
  case concluded
}

/// How an exchange ended.
package enum Ending: Sendable {
  case complete
  /// A provider's answer that is the client's fault, as it came.
  case relayed
  case failed(LocalError)
  case cut
  case stalled
  case clientLeft

  /// One word for the log.
  package var word: StaticString {
    switch self {
    case .complete: "complete"
    case .relayed: "relayed"
    case .failed(let error): error.row.code
    case .cut: "upstream_cut"
    case .stalled: "upstream_stalled"
    case .clientLeft: "client_left"
    }
  }
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

/// What an exchange is about, fixed at its start.
package struct ExchangeShape: Sendable {
  package var endpoint: Endpoint
  package var wantsStream: Bool
  package var route: Route
  /// The provider that the client asked for.
  package var preference: Int?
  /// What the request belongs to.
  package var conversation: Fingerprint?
  /// The stored response that it asks for or continues.
  package var response: Fingerprint?
  package var estimatedTokens: Quantity
  package var answerTokens: Quantity = 0
  package var timeouts: TimeoutSettings
  package var hedge: Interval?

  package init(endpoint: Endpoint, wantsStream: Bool, route: Route, timeouts: TimeoutSettings) {
    self.endpoint = endpoint
    self.wantsStream = wantsStream
    self.route = route
    self.timeouts = timeouts
    estimatedTokens = 0
  }
}
