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
