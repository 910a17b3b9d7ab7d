package import Base

/// USD per million tokens.
package struct Cost: Equatable, Sendable {
  package var input: Double
  package var output: Double
  /// Of the prompt, what the provider had cached; nil: as `input`.
  package var cachedInput: Double?
  package init(input: Double, output: Double, cachedInput: Double? = nil) {
    self.input = input
    self.output = output
    self.cachedInput = cachedInput
  }
  /// What candidates are compared by.
  package var blended: Double { input + output }
}

/// What synaxis itself allows one provider (each key of it): nil is unlimited.
package struct Budgets: Equatable, Sendable {
  package var requestsPerMinute: Quantity?
  package var requestsPerDay: Quantity?
  package var tokensPerMinute: Quantity?
  package var tokensPerDay: Quantity?
  /// Exchanges at the provider at once.
  package var concurrent: Int?
  package init() {}
}

/// Which response headers tell what is left of a quota, in lower case, `x-ratelimit-remaining-…` first.
package struct QuotaHeaders: Equatable, Sendable {
  package enum Unit: Sendable { case requests, tokens }
  package struct Pair: Equatable, Sendable {
    package var remaining: String
    package var reset: String
    package var unit: Unit
    package init(remaining: String, reset: String, unit: Unit) {
      self.remaining = remaining
      self.reset = reset
      self.unit = unit
    }
  }
  package var pairs: [Pair]
  package init(_ pairs: [Pair]) { self.pairs = pairs }
}
