package import Base

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
