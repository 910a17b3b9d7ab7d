package import Base

/// An attempt that several exchanges make together: one request at the provider, with an input of each.
///
/// Each exchange has a ticket and a slot of its own, with its own tokens and money. What is about the request is counted
/// once: a place at the provider, a request of its budgets, and the outcome, which is the first one's that has any.
final class SharedAttempt {
  private var members = 1
  private var hasOutcome = false

  func join() { members += 1 }

  /// One of them has ended: whether it is the last, and whether how it ended is how the attempt did. Who left says
  /// nothing of the others, unless nobody is left.
  func leave(_ fault: Fault?) -> (isLast: Bool, counts: Bool) {
    members -= 1
    let says = fault != .clientGone && fault?.isUnasked != true
    let counts = !hasOutcome && (says || members == 0)
    if counts { hasOutcome = true }
    return (members == 0, counts)
  }
}

extension HealthStore {
  /// Takes a further exchange into an attempt that was begun and not yet sent. The ticket is given back as any other.
  ///
  /// Nil: tokens or money that it may need are used up there, or the account has begun to cool.
  package func join(_ ticket: AttemptTicket, _ request: RouteRequest, now: Instant) -> AttemptTicket? {
    let first = open(ticket)
    let tokens = max(1, request.estimatedTokens)
    let provider = catalog.providers[slots[first].provider]
    let account = accounts[slots[first].key]
    let (due, _) = account.due(
      requests: 0, tokens: tokens, budgets: provider.budgets, pairs: provider.quotaHeaders.pairs, now: now)
    if due > now { return nil }
    var money = Money.none
    if let limit = provider.spendPerDay {
      money = estimate(tokens, answer: request.answerTokens, at: slots[first].candidate)
      let spending = providers[slots[first].provider].spending
      if spending.due(money, limit: limit, on: memory.day, now: now) > now { return nil }
      spending.reserve(money)
    }
    let shared = slots[first].shared ?? SharedAttempt()
    slots[first].shared = shared
    shared.join()
    let index = takeSlot()
    let generation = slots[index].generation
    slots[index] = slots[first]
    slots[index].generation = generation
    slots[index].isSuspect = false
    slots[index].conversation = nil
    slots[index].seat = Homes.Seat()
    slots[index].reserved = money
    slots[index].cost = nil
    slots[index].reservation = account.reserve(
      requests: 0, tokens: tokens, budgets: provider.budgets, quota: provider.quotaHeaders, now: now)
    return AttemptTicket(slot: Int32(index), generation: generation)
  }
}
