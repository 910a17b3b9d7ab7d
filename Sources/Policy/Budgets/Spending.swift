package import Base

/// What a provider's answers, or a client's, cost and saved. In memory only.
///
/// One object for as long as the name stays in the file: the health stores before and after a reload share it.
package final class Spending {
  /// Since the start.
  package private(set) var bill = Bill()
  package private(set) var tokens = TokenCounts()
  /// The day that `today` counts; a clock that is put back does not begin it anew.
  private var day: Int64 = 0
  private var today = Money.none
  /// What attempts under way may come to.
  private var reserved = Money.none

  package init() {}

  /// An answer told what it used.
  package func add(_ bill: Bill, _ tokens: TokenCounts) {
    self.bill.spent += bill.spent
    self.bill.savedByPrompt += bill.savedByPrompt
    self.bill.savedByTier += bill.savedByTier
    self.bill.worth += bill.worth
    self.tokens = TokenCounts(
      input: self.tokens.input + tokens.input, cached: self.tokens.cached + tokens.cached,
      output: self.tokens.output + tokens.output)
  }

  package func spent(on day: Day) -> Money { day.number > self.day ? .none : today }

  /// When something that may cost `estimate` fits under a day's limit: now, as soon as something under way has cost less
  /// than it might have, or when the day ends. An estimate beyond a whole limit is taken as the whole of it.
  package func due(_ estimate: Money, limit: Money?, on day: Day, now: Instant) -> Instant {
    guard let limit else { return now }
    let estimate = min(estimate, limit)
    let spent = spent(on: day)
    if spent < limit, spent + reserved + estimate <= limit { return now }
    return reserved > .none && spent < limit && spent + estimate <= limit ? now + Limits.recheck : day.ends
  }

  package func reserve(_ estimate: Money) { reserved += estimate }

  /// What was reserved is over, and cost this much.
  package func settle(reserved estimate: Money, spent: Money, on day: Day) {
    reserved -= estimate
    if day.number > self.day {
      self.day = day.number
      today = .none
    }
    today += spent
  }
}

extension HealthStore {
  package func bill(ofProvider provider: Int) -> Bill { providers[provider].spending.bill }

  /// The date, for what is counted by the day. Called before exchanges begin.
  package func note(_ day: Day) { memory.day = day }

  package var day: Day { memory.day }

  /// What an attempt may come to at a candidate: its prompt, and as much of an answer as it allows or as is usual.
  func estimate(_ tokens: Quantity, answer: Quantity, at candidate: Int) -> Money {
    let chosen = catalog.candidates[candidate]
    guard !chosen.isFree, let prices = chosen.prices else { return .none }
    return prices.cost(
      of: TokenCounts(input: tokens - answer, output: answer == 0 ? Limits.assumedAnswer : answer))
  }

  /// An answer told its tokens: what it cost is counted when its attempt ends.
  package func charge(_ ticket: AttemptTicket, _ tokens: TokenCounts, of route: Route) -> Bill {
    let index = open(ticket)
    let bill = catalog.bill(tokens, at: CandidateID(slots[index].candidate), of: route)
    providers[slots[index].provider].spending.add(bill, tokens)
    slots[index].cost = bill.spent
    return bill
  }

  func reserveMoney(_ index: Int, _ choice: Choice) {
    slots[index].cost = nil
    slots[index].reserved = .none
    guard catalog.providers[choice.provider].spendPerDay != nil else { return }
    slots[index].reserved = estimate(choice.tokens, answer: choice.answerTokens, at: choice.candidate.index)
    providers[choice.provider].spending.reserve(slots[index].reserved)
  }

  /// What its usage did not tell costs what was estimated, unless nothing was asked or the request refused.
  func settleMoney(_ slot: Slot, _ charge: Fault.Charge) {
    let unknown: Money =
      switch charge {
      case .nothing, .requestOnly: .none
      case .estimate: slot.reserved
      }
    providers[slot.provider].spending.settle(
      reserved: slot.reserved, spent: slot.cost ?? unknown, on: memory.day)
  }
}
