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
  /// The moving average of the time to first token.
  package var latency: Interval?
  /// Of the last `Limits.statusWindow`; nil without an outcome.
  package var successRate: Double?
  package var inFlight: Int
  package var cooldownUntil: Instant?
  /// Why it cannot be used, or what ails it: what follows its name.
  package var reason: String?
  /// The least that is left, summed over the keys.
  package var quota: QuotaLeft
  /// Our names.
  package var models: [String]
  package var lastChecked: Instant?
  /// Its breaker is open, or one attempt finds out whether it is back.
  package var isBreakerOpen = false
}

extension Ledger {
  package func status(of provider: Int, now: Instant) -> ProviderStatus {
    let settings = catalog.providers[provider]
    let standing = standing(ofProvider: provider, now: now)
    let good = providers[provider].good.total(now: now)
    let bad = providers[provider].bad.total(now: now)
    let isUp = standing.due <= now
    var models = settings.models.map { $0.name }
    if settings.passesAnyModel { models.append("*") }
    return ProviderStatus(
      name: settings.name, state: isUp ? .online : state(standing, provider), tier: settings.tier,
      latency: providers[provider].latency.current,
      successRate: good + bad == 0 ? nil : Double(good) / Double(good + bad),
      inFlight: providers[provider].inFlight, cooldownUntil: isUp ? nil : standing.due,
      reason: reason(of: provider, standing, now: now),
      quota: quota(of: provider, now: now), models: models, lastChecked: providers[provider].lastOutcome,
      isBreakerOpen: providers[provider].breaker.state != .closed)
  }

  /// All providers in the order of the file, then the disabled ones.
  package func statuses(now: Instant) -> [ProviderStatus] {
    var all = catalog.providers.indices.map { status(of: $0, now: now) }
    for provider in catalog.disabledProviders {
      all.append(
        ProviderStatus(
          name: provider.name, state: .disabled, tier: 0, inFlight: 0, reason: provider.reason,
          quota: QuotaLeft(), models: provider.models))
    }
    return all
  }

  /// Providers that can take an attempt now: for readiness. Allocates nothing.
  package func usableProviders(now: Instant) -> Int {
    var usable = 0
    for provider in catalog.providers.indices where standing(ofProvider: provider, now: now).due <= now {
      usable += 1
    }
    return usable
  }

  /// A provider that wants an unbilled check: its cooldown has passed and no attempt has found out yet.
  package func wantsCheck(provider: Int, now: Instant) -> Bool {
    providers[provider].breaker.wantsProbe(now: now)
  }

  private func state(_ standing: Standing, _ provider: Int) -> ProviderStatus.State {
    switch standing.obstacle {
    case nil: .online
    case .breaker, .probing:
      providers[provider].breaker.fault?.isOfThePath == true ? .offline : .cooling
    case .keyRejected, .noKeyLeft: .offline
    case .model, .account: .cooling
    }
  }

  private func quota(of provider: Int, now: Instant) -> QuotaLeft {
    var left = QuotaLeft()
    var last = -1
    for key in providers[provider].keys where keys[key].account != last {
      last = keys[key].account
      left.add(
        accounts[last].quota(
          budgets: catalog.providers[provider].budgets, quota: catalog.providers[provider].quotaHeaders,
          now: now))
    }
    return left
  }
}
