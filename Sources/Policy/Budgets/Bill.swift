package import Base

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
