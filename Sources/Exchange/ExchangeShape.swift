package import Base
package import Policy

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
