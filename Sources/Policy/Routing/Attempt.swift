package import Base

/// The candidate and the key that an attempt is to be made with.
package struct Choice: Equatable, Sendable {
  package let candidate: CandidateID
  /// Index in `Catalog.providers`.
  package let provider: Int
  /// Index in `Provider.keys`; 0 also where the provider has none.
  package let key: Int
  /// No pooled connection: the last one turned out to be closed.
  package let needsFreshConnection: Bool
  /// This exchange found it starting before.
  package let isAskedAgain: Bool
  /// What the budgets reserve.
  let tokens: Quantity
  /// Those of them that the request allows its answer; 0 where it does not say.
  let answerTokens: Quantity
  /// The route's, for names that a wildcard passes on.
  let nameHash: UInt64
  /// The request's.
  let endpoint: UInt8
  /// Whose home is where it is answered; nil also where that is full, so that one turn too many moves nothing.
  let conversation: Fingerprint?
  let isTimed: Bool
}

/// The receipt of an attempt that was begun: to be given back once, with `Ledger.end`.
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

/// The attempts that an exchange has made: kept by the exchange, read by the router. Bounded.
package struct Trail: Sendable {
  struct Entry: Sendable {
    var candidate: Int32 = -1
    var key: Int32 = -1
    var fault: Fault?
    /// Its connection had carried a request before.
    var wasPooled = false
    /// When a server that is starting may be asked again; nil: it is none, or is being asked.
    var askAgainAt: Instant?
    /// How often it was found starting.
    var starts = 0
  }
  private var entries = InlineArray<16, Entry>(repeating: Entry())
  package private(set) var count = 0
  /// When the exchange was first told to wait.
  var waitingSince: Instant?
  /// When the first server was found starting.
  private(set) var startingSince: Instant?
  /// The context of the largest candidate for which the request was too long; 0 where not known.
  private(set) var tooLongFor: Int?

  package init() {}

  /// Room for one more attempt.
  package var isFull: Bool { count >= min(Limits.attempts, entries.count) }

  /// An attempt was begun: it is not chosen again, and whether it failed is not yet known. Returns its place: a new
  /// one, or, at a server that is asked again and again until it has started, its latest.
  @discardableResult
  package mutating func note(_ choice: Choice) -> Int {
    let last = choice.isAskedAgain ? latest(choice.candidate) : nil
    if let last, entries[last].starts >= Limits.startsListed {
      entries[last].fault = nil
      entries[last].askAgainAt = nil
      entries[last].key = Int32(choice.key)
      return last
    }
    precondition(!isFull)
    entries[count] = Entry(candidate: Int32(choice.candidate.index), key: Int32(choice.key))
    if let last { entries[count].starts = entries[last].starts }
    count += 1
    return count - 1
  }

  /// The latest attempt at that choice ended with a fault. `context` is the candidate's, if known; where the server
  /// was found starting, it may be asked again, `Limits.startAsk` later at first and then less and less often.
  package mutating func note(
    _ fault: Fault, of choice: Choice, onPooled: Bool = false, context: Int? = nil, startingAt: Instant? = nil
  ) {
    if fault == .tooLong { tooLongFor = max(tooLongFor ?? 0, context ?? 0) }
    for n in stride(from: count - 1, through: 0, by: -1)
    where entries[n].candidate == choice.candidate.index && entries[n].key == choice.key {
      entries[n].fault = fault
      entries[n].wasPooled = onPooled
      guard let startingAt else { return }
      let pause = Limits.startAsk * (1 << Int64(min(entries[n].starts, 8)))
      entries[n].askAgainAt = startingAt + min(pause, Limits.longestStartAsk)
      entries[n].starts += 1
      startingSince = startingSince ?? startingAt
      return
    }
  }

  /// Place of the latest attempt at a candidate.
  private func latest(_ candidate: CandidateID) -> Int? {
    for n in stride(from: count - 1, through: 0, by: -1) where entries[n].candidate == candidate.index {
      return n
    }
    return nil
  }

  /// When a server that was found starting may be asked again.
  package func asksAgain(_ candidate: CandidateID) -> Instant? {
    latest(candidate).flatMap { entries[$0].askAgainAt }
  }

  subscript(n: Int) -> Entry { entries[n] }
}

/// What the router is asked.
package struct RouteRequest: Sendable {
  package var route: Route
  /// The provider that `X-Synaxis-Provider` names.
  package var preference: Int?
  /// Tokens of prompt and answer, estimated from the body's bytes.
  package var estimatedTokens: Quantity
  /// Those of them that it allows the answer; 0 where it does not say.
  package var answerTokens: Quantity = 0
  /// Where at a provider it goes: a number below 64, which is only compared here.
  package var endpoint: UInt8
  /// What the request belongs to: it goes where that was answered last.
  package var conversation: Fingerprint?
  /// The stored response that it asks for or continues: only who made that knows it.
  package var response: Fingerprint?
  /// Waiting for a cooling candidate ends here.
  package var deadline: Instant

  package init(
    route: Route, preference: Int? = nil, estimatedTokens: Quantity = 0, endpoint: UInt8 = 0,
    conversation: Fingerprint? = nil, deadline: Instant
  ) {
    self.route = route
    self.preference = preference
    self.estimatedTokens = estimatedTokens
    self.endpoint = endpoint
    self.conversation = conversation
    self.deadline = deadline
  }
}

/// Why no candidate is left.
package enum Exhaustion: Equatable, Sendable {
  /// Every candidate is at its rate or quota: 429, with the time of the first to come back.
  case allRateLimited(until: Instant)
  /// None could be tried: 503, with the time of the first to come back if there is one.
  case unavailable(until: Instant?)
  /// Attempts were made and failed: 502.
  case allFailed
}

package enum Decision: Equatable, Sendable {
  case attempt(Choice)
  /// Ask again then; a candidate is merely cooling.
  case wait(until: Instant)
  case exhausted(Exhaustion)
}
