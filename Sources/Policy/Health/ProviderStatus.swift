package import Base

/// One provider as status pages, metrics and readiness see it.
package struct ProviderStatus: Equatable, Sendable {
  package enum State: Equatable, Sendable {
    case online
    /// Left alone for a while: a fault, a quota or a budget.
    case cooling
    /// Its breaker is open and the path to it is dead, or all its keys were rejected.
    case offline
    /// `enabled: false`, or left out for want of a key.
    case disabled
  }
  package var name: String
  package var state: State
  package var tier: Int
  /// The moving average of the time to first token, of answers only; nil without one.
  package var latency: Interval?
  /// Of the last `Limits.statusWindow`; nil without an outcome.
  package var successRate: Double?
  package var inFlight: Int
  package var cooldownUntil: Instant?
  /// Why it cannot be used, or what ails it: what follows its name.
  package var reason: String?
  /// The least that is left, summed over the keys.
  package var quota: QuotaLeft
  package var lastChecked: Instant?
  /// What its answers used, cost and saved since the start, and cost today.
  package var tokens = TokenCounts()
  package var bill = Bill()
  package var spentToday = Money.none
  /// What they may cost in a day.
  package var spendPerDay: Money?
  /// Its breaker is open, or one attempt finds out whether it is back.
  package var isBreakerOpen = false
}

extension HealthStore {
  package func status(of provider: Int, now: Instant) -> ProviderStatus {
    let settings = catalog.providers[provider]
    let availability = availability(ofProvider: provider, now: now)
    let good = providers[provider].good.total(now: now)
    let bad = providers[provider].bad.total(now: now)
    let isUp = availability.due <= now
    let spending = providers[provider].spending
    return ProviderStatus(
      name: settings.name, state: isUp ? .online : state(availability, provider), tier: settings.tier,
      latency: providers[provider].latency.current,
      successRate: good + bad == 0 ? nil : Double(good.value) / Double((good + bad).value),
      inFlight: providers[provider].inFlight, cooldownUntil: isUp ? nil : availability.due,
      reason: reason(of: provider, availability, now: now),
      quota: quota(of: provider, now: now), lastChecked: providers[provider].lastOutcome,
      tokens: spending.tokens, bill: spending.bill, spentToday: spending.spent(on: memory.day),
      spendPerDay: settings.spendPerDay,
      isBreakerOpen: providers[provider].breaker.state != .closed)
  }

  /// How many providers have a status: those of the file, then the disabled ones.
  package var statusCount: Int { catalog.providers.count + catalog.disabledProviders.count }

  /// By their place in the file, the disabled ones behind the others.
  package func status(at place: Int, now: Instant) -> ProviderStatus {
    if place < catalog.providers.count { return status(of: place, now: now) }
    let disabled = catalog.disabledProviders[place - catalog.providers.count]
    return ProviderStatus(
      name: disabled.name, state: .disabled, tier: 0, inFlight: 0, reason: disabled.reason, quota: QuotaLeft()
    )
  }

  /// Providers that can take an attempt now. Allocates nothing.
  package func usableProviders(now: Instant) -> Int {
    var usable = 0
    for provider in catalog.providers.indices where availability(ofProvider: provider, now: now).due <= now {
      usable += 1
    }
    return usable
  }

  private func state(_ availability: Availability, _ provider: Int) -> ProviderStatus.State {
    switch availability.obstacle {
    case nil: .online
    case .breaker, .probing:
      providers[provider].breaker.fault?.isOfThePath == true ? .offline : .cooling
    case .keyRejected, .noKeyLeft: .offline
    case .model, .endpoint, .account, .spent, .notTheMaker: .cooling
    }
  }

  private func quota(of provider: Int, now: Instant) -> QuotaLeft {
    var left = QuotaLeft()
    var last: RateLimitState?
    for key in keyPlaces[provider] where accounts[key] !== last {
      last = accounts[key]
      left.add(
        accounts[key].quota(
          budgets: catalog.providers[provider].budgets, quota: catalog.providers[provider].quotaHeaders,
          now: now))
    }
    return left
  }
}

extension Catalog {
  /// What a provider serves, by our names and in the order of the file; `*` behind them. Nil behind the last.
  package func modelName(_ number: Int, ofProvider place: Int) -> String? {
    if place >= providers.count {
      let models = disabledProviders[place - providers.count].models
      return number < models.count ? models[number] : nil
    }
    let provider = providers[place]
    if number < provider.models.count { return provider.models[number].name }
    return number == provider.models.count && provider.passesAnyModel ? "*" : nil
  }
}
