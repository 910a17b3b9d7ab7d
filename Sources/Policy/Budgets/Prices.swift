package import Base

/// The tokens of one answer.
package struct TokenCounts: Equatable, Sendable {
  /// Of the prompt, those that the provider had cached included.
  package var input: Quantity
  package var cached: Quantity
  package var output: Quantity

  package init(input: Quantity = 0, cached: Quantity = 0, output: Quantity = 0) {
    self.input = input
    self.cached = min(cached, input)
    self.output = output
  }
}

/// What a candidate charges: billionths of a dollar for a thousand tokens, so that each price of the file is whole.
package struct Prices: Equatable, Sendable {
  private let input: Int64
  private let cached: Int64
  private let output: Int64

  init(_ cost: Cost) {
    input = Self.price(cost.input)
    cached = Self.price(cost.cachedInput ?? cost.input)
    output = Self.price(cost.output)
  }

  private static func price(_ dollarsAMillion: Double) -> Int64 {
    Money(dollars: dollarsAMillion / 1000).billionths
  }

  package func cost(of tokens: TokenCounts) -> Money {
    Money(billionths: sum(tokens.input - tokens.cached, tokens.cached, tokens.output) / 1000)
  }

  /// As if nothing had been cached.
  package func fullCost(of tokens: TokenCounts) -> Money {
    Money(billionths: sum(tokens.input, 0, tokens.output) / 1000)
  }

  private func sum(_ fresh: Quantity, _ cached: Quantity, _ output: Quantity) -> Int64 {
    Self.sum(
      Self.sum(Self.product(fresh, input), Self.product(cached, self.cached)),
      Self.product(output, self.output))
  }

  private static func product(_ tokens: Quantity, _ price: Int64) -> Int64 {
    let (product, isOver) = tokens.value.multipliedReportingOverflow(by: price)
    return isOver ? .max : product
  }

  private static func sum(_ a: Int64, _ b: Int64) -> Int64 {
    let (sum, isOver) = a.addingReportingOverflow(b)
    return isOver ? .max : sum
  }
}
