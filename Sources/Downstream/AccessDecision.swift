package import Exchange
package import Policy

/// What the gate found out about a request, from its head to the end of its answer.
package struct AccessDecision {
  /// What its path asks for; not looked at where the gate refuses it before.
  package internal(set) var target = RequestTarget.none
  package internal(set) var account: ClientAccount?
  /// What to tell a client about its own limit.
  package internal(set) var quota: ClientAccount.Quota?
  /// The web origin that may read the answer.
  package internal(set) var origin: String?
  /// Answers differ by origin, so that a cache must not mix them.
  package internal(set) var variesByOrigin = false
  /// A browser asks whether it may ask.
  package internal(set) var isPreflight = false
  /// A request for a provider: it counts and waits for its turn.
  package internal(set) var isExchange = false
  /// Its body is not read here but passed on as it comes.
  package internal(set) var isPassedOn = false
  /// It asks for WebSocket.
  package internal(set) var isUpgrade = false
  package internal(set) var refusal: LocalError?
}
