package import Base
package import Policy

/// What was spent since the start, and why not more.
package struct Savings {
  package var spent = Money.none
  package var responseCache = Money.none
  package var coalescing = Money.none
  package var promptCache = Money.none
  package var tiers = Money.none

  package init(_ health: HealthStore, _ metrics: Metrics) {
    responseCache = metrics.savedByCache
    coalescing = metrics.savedByCoalescing
    for provider in health.catalog.providers.indices {
      let bill = health.bill(ofProvider: provider)
      spent += bill.spent
      promptCache += bill.savedByPrompt
      tiers += bill.savedByTier
    }
  }

  package var saved: Money { responseCache + coalescing + promptCache + tiers }

  package func write(into out: inout ByteBuffer) {
    out.append(#"{"spent":"#)
    out.append(spent)
    out.append(#","responseCache":"#)
    out.append(responseCache)
    out.append(#","coalescing":"#)
    out.append(coalescing)
    out.append(#","promptCache":"#)
    out.append(promptCache)
    out.append(#","tiers":"#)
    out.append(tiers)
    out.append("}")
  }
}
