internal import Base

/// Whether a candidate can take an attempt, with which key, and what stands in its way.
struct Availability: Equatable {
  enum Obstacle: Equatable {
    case breaker, probing, model, endpoint, keyRejected, noKeyLeft, notTheMaker, spent
    case account(RateLimitState.Obstacle)
  }

  /// Now or earlier: it can. `distantFuture`: not in this exchange.
  var due: Instant
  /// What lasts longest; nil if nothing is in the way.
  var obstacle: Obstacle?
  /// Place among the provider's keys of the one that is ready first.
  var key = 0
  /// When it would be ready if the breaker were closed.
  var dueWithoutBreaker: Instant

  /// It waits for a rate, a quota or a budget, and for nothing of another kind.
  var isRateLimited: Bool {
    if case .account = obstacle { return true }
    return obstacle == .spent
  }
}

extension HealthStore {
  /// A candidate's health as of `now`: the candidate's own cooldown, that of the endpoint, the provider's breaker,
  /// and the best of the keys that this exchange has not used up. Of the keys that are ready it is the one with the fewest
  /// attempts under way, then the one used longest ago; the home's comes before them.
  func availability(
    of candidate: CandidateID, nameHash: UInt64, endpoint: UInt8, tokens: Quantity,
    history: borrowing AttemptHistory,
    bearings: Bearings = Bearings(), now: Instant
  ) -> Availability {
    let provider = catalog.candidates[candidate.index].provider
    var availability = bestKey(
      of: provider, candidate: candidate, tokens: tokens, history: history, bearings: bearings, now: now)
    // The model's cooldown, the endpoint's and the breaker's, where each lasts longer than the one before.
    if !bearings.isAboutNoModel, candidates[candidate.index].cooldown.until > max(availability.due, now) {
      availability.due = candidates[candidate.index].cooldown.until
      availability.obstacle = .model
    }
    for lack in memory.lacks
    where lack.until > max(availability.due, now)
      && lack.covers(
        candidates[candidate.index], of: providers[provider], nameHash: nameHash, endpoint: endpoint)
    {
      availability.due = lack.until
      availability.obstacle = lack.endpoint == nil ? .model : .endpoint
    }
    if !bearings.isAboutNoModel, catalog.providers[provider].spendPerDay != nil {
      let estimate = estimate(tokens, answer: bearings.answerTokens, at: candidate.index)
      addSpending(estimate, of: provider, to: &availability, now: now)
    }
    addBreaker(of: provider, to: &availability, now: now)
    return availability
  }

  private func addSpending(
    _ estimate: Money, of provider: Int, to availability: inout Availability, now: Instant
  ) {
    let limit = catalog.providers[provider].spendPerDay
    let due = providers[provider].spending.due(estimate, limit: limit, on: memory.day, now: now)
    if due > max(availability.due, now) {
      availability.due = due
      availability.obstacle = .spent
    }
  }

  /// A provider's health, whatever the model.
  func availability(ofProvider provider: Int, now: Instant) -> Availability {
    var availability = bestKey(
      of: provider, candidate: CandidateID(-1), tokens: 1, history: AttemptHistory(), bearings: Bearings(),
      now: now)
    addSpending(Money(billionths: 1), of: provider, to: &availability, now: now)
    addBreaker(of: provider, to: &availability, now: now)
    return availability
  }

  private func addBreaker(of provider: Int, to availability: inout Availability, now: Instant) {
    availability.dueWithoutBreaker = availability.due
    let due = providers[provider].breaker.due(now: now)
    if due > max(availability.due, now) {
      availability.due = due
      availability.obstacle = providers[provider].breaker.state == .probing ? .probing : .breaker
    }
  }

  private func bestKey(
    of provider: Int, candidate: CandidateID, tokens: Quantity, history: borrowing AttemptHistory,
    bearings: Bearings, now: Instant
  ) -> Availability {
    let budgets = catalog.providers[provider].budgets
    var best = Availability(due: .distantFuture, obstacle: .noKeyLeft, dueWithoutBreaker: .distantFuture)
    var bestKey = -1
    if let maker = bearings.maker, !keyPlaces[provider].contains(maker) {
      best.obstacle = .notTheMaker
      return best
    }
    for key in keyPlaces[provider] where bearings.maker == nil || bearings.maker == key {
      let place = key - keyPlaces[provider].lowerBound
      if history.count > 0, history.tries(candidate, key: place) > (bearings.asksEveryKey ? 0 : 1) {
        continue
      }
      var (due, obstacle) = accounts[key].due(
        tokens: tokens, budgets: budgets, pairs: catalog.providers[provider].quotaHeaders.pairs, now: now)
      if keys[key].cooldown.until > due {
        due = keys[key].cooldown.until
        obstacle = nil
      }
      due = max(due, now)
      let isBetter =
        bestKey < 0 || due < best.due || (due <= now && isHome(bearings.home, candidate, key: place))
        || (due == best.due
          && (keys[key].inFlight, keys[key].lastUsed) < (keys[bestKey].inFlight, keys[bestKey].lastUsed))
      guard isBetter else { continue }
      bestKey = key
      best.due = due
      best.key = place
      best.obstacle = due <= now ? nil : obstacle.map { .account($0) } ?? .keyRejected
      if due <= now, isHome(bearings.home, candidate, key: place) { break }
    }
    return best
  }
}

extension AttemptHistory {
  /// How often this exchange used that key for that candidate, and found it started.
  func tries(_ candidate: CandidateID, key: Int) -> Int {
    var tries = 0
    for n in 0..<count
    where self[n].candidate == candidate.index && self[n].key == key && asksAgain(at: n) == nil {
      tries += 1
    }
    return tries
  }

  /// Another attempt at that candidate may go otherwise: only keys and accounts failed so far, or it was never
  /// asked. An attempt under way rules it out. `asksEveryKey`: that one of its keys does not know a response says nothing
  /// of the others.
  func allows(_ candidate: CandidateID, asksEveryKey: Bool = false) -> Bool {
    for n in 0..<count where self[n].candidate == candidate.index {
      guard let fault = self[n].fault else { return false }
      // Its connection was slow and another one's request failed: it has not had its turn.
      if fault.isUnasked { continue }
      // What was wrong was perhaps another's.
      if fault == .takenApart { continue }
      if asksEveryKey, fault == .unsuited { continue }
      guard fault.blame == .account || fault.blame == .key else { return false }
    }
    return true
  }

  /// The candidate's only fault so far was one pooled connection that was closed, or that fell silent before it
  /// had acknowledged the request: it may be tried on a fresh one.
  func isOnlyStale(_ candidate: CandidateID) -> Bool {
    var stale = 0
    for n in 0..<count where self[n].candidate == candidate.index && self[n].fault?.isUnasked != true {
      let isOfThePool = self[n].fault == .staleConnection || (self[n].fault == .silence && self[n].wasPooled)
      guard isOfThePool else { return false }
      stale += 1
    }
    return stale == 1
  }

  /// No attempt failed but for a rate or a quota.
  var allWereRateLimited: Bool {
    for n in 0..<count where self[n].fault?.isUnasked != true && self[n].fault != .takenApart {
      if self[n].fault?.blame != .account { return false }
    }
    return true
  }
}
