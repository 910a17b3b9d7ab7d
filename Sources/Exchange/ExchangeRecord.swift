package import Base
package import Policy
package import Wire

/// What an exchange has come to, as far as log lines, metrics, pages and the sentences of errors are made from it.
package struct ExchangeRecord {
  package let attempts: [Attempt]
  package let ending: Ending?
  package let endpoint: Endpoint
  package let startedAt: Instant
  /// No other provider has the model.
  package let isLone: Bool
  /// What was asked of the health store, where that left something to be told.
  package let question: RouteRequest?
  /// That of the configuration which the exchange began with.
  package let health: HealthStore
  package let model: [UInt8]
  /// The name of the first client's request.
  package let requestID: RequestID?
  package let usage: TokenUsage
  /// What the answer cost; nil where it did not tell its tokens.
  package let bill: Bill?

  package init(
    _ exchange: borrowing Exchange, _ health: HealthStore, model: [UInt8], requestID: RequestID?,
    usage: TokenUsage, bill: Bill?
  ) {
    attempts = exchange.attempts
    ending = exchange.ending
    endpoint = exchange.shape.endpoint
    startedAt = exchange.startedAt
    isLone = exchange.shape.route.isLone
    question = CauseText.isNeeded(exchange) ? exchange.routeRequest : nil
    self.health = health
    self.model = model
    self.requestID = requestID
    self.usage = usage
    self.bill = bill
  }

  package var providers: [Provider] { health.catalog.providers }
}
