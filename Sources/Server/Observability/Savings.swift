internal import Base
internal import Policy

/// What was spent since the start, and why not more.
struct Savings {
  var spent = Money.none
  var responseCache = Money.none
  var coalescing = Money.none
  var promptCache = Money.none
  var tiers = Money.none

  init(_ ledger: Ledger, _ metrics: Metrics) {
    responseCache = metrics.savedByCache
    coalescing = metrics.savedByCoalescing
    for provider in ledger.catalog.providers.indices {
      let bill = ledger.bill(ofProvider: provider)
      spent += bill.spent
      promptCache += bill.savedByPrompt
      tiers += bill.savedByTier
    }
  }

  var saved: Money { responseCache + coalescing + promptCache + tiers }

  func write(into out: inout ByteBuffer) {
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

extension ByteBuffer {
  /// Dollars, without zeros at their end.
  mutating func append(_ money: Money) {
    append(billionths: money.billionths)
  }
}
