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

/// What one answer cost, and what it would have cost otherwise.
package struct Bill: Equatable, Sendable {
  package var spent = Money.none
  /// Less than without the provider's prompt cache.
  package var savedByPrompt = Money.none
  /// Less than at the dearest of the route's candidates, nothing cached at either: what free and cheap tiers are worth.
  package var savedByTier = Money.none
  /// At that dearest candidate: what an answer is worth that nobody has to be asked for.
  package var worth = Money.none

  package init() {}
}

extension Catalog {
  /// What an answer costs at the dearest candidate of a route whose price is known, nothing cached.
  package func worth(_ tokens: TokenCounts, of route: Route) -> Money {
    var most = Money.none
    for n in 0..<route.count {
      guard let prices = candidates[candidate(n, of: route).index].prices else { continue }
      most = max(most, prices.fullCost(of: tokens))
    }
    return most
  }

  /// A candidate that is neither free nor has a price has neither spent nor saved anything that is known.
  package func bill(_ tokens: TokenCounts, at id: CandidateID, of route: Route) -> Bill {
    var bill = Bill()
    bill.worth = worth(tokens, of: route)
    let candidate = candidates[id.index]
    if candidate.isFree {
      bill.savedByTier = bill.worth
    } else if let prices = candidate.prices {
      let full = prices.fullCost(of: tokens)
      bill.spent = prices.cost(of: tokens)
      bill.savedByPrompt = full - bill.spent
      bill.savedByTier = bill.worth - full
    }
    return bill
  }
}
