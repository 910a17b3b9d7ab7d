package import Base

/// A quota and what is known of it: one per key, or one per provider where the preset says that keys share it.
///
/// Own budgets reserve when an attempt begins and settle when it ends. Minutes and days are rolling, so that
/// whichever way a provider counts its day, it is not over-spent; a day comes back in half hours.
final class RateLimitState {
  var cooldown = Cooldown()
  var inFlight = 0
  private var requestsPerMinute = RollingWindow.minute
  private var requestsPerDay = RollingWindow.day
  private var tokensPerMinute = RollingWindow.minute
  private var tokensPerDay = RollingWindow.day
  /// Running totals of what attempts reserved, for `LearnedQuota`.
  private(set) var requestsSpent: Quantity = 0
  private(set) var tokensSpent: Quantity = 0
  /// One per pair of the preset's headers.
  private(set) var learned: [LearnedQuota]

  init(pairs: Int) { learned = Array(repeating: LearnedQuota(), count: pairs) }

  /// What one attempt reserved, and in which buckets: kept in its ticket.
  struct Reservation: Sendable {
    /// None where it is a part of an attempt that others make too.
    var requests: Quantity = 1
    var tokens: Quantity = 0
    var minute: Int64 = 0
    var day: Int64 = 0
    var requestsSpent: Quantity = 0
    var tokensSpent: Quantity = 0
  }

  /// Why an account cannot take an attempt now.
  enum Obstacle: Equatable, Sendable { case cooling, concurrency, ownBudget, learnedQuota }

  /// When an attempt may begin, and what stands in its way until then. `requests`: 0 for a further part of one that has
  /// begun.
  func due(
    requests: Quantity = 1, tokens: Quantity, budgets: Budgets, pairs: [QuotaHeaders.Pair], now: Instant
  ) -> (Instant, Obstacle?) {
    var due = now
    var obstacle: Obstacle?
    func wait(_ until: Instant, _ cause: Obstacle) {
      if until > due {
        due = until
        obstacle = cause
      }
    }
    wait(cooldown.until, .cooling)
    if let limit = budgets.concurrent, requests > 0, inFlight >= limit {
      wait(now + Limits.recheck, .concurrency)
    }
    if let limit = budgets.requestsPerMinute {
      wait(requestsPerMinute.due(requests, limit: limit, now: now), .ownBudget)
    }
    if let limit = budgets.requestsPerDay {
      wait(requestsPerDay.due(requests, limit: limit, now: now), .ownBudget)
    }
    if let limit = budgets.tokensPerMinute {
      wait(tokensPerMinute.due(max(1, min(tokens, limit)), limit: limit, now: now), .ownBudget)
    }
    if let limit = budgets.tokensPerDay {
      wait(tokensPerDay.due(max(1, min(tokens, limit)), limit: limit, now: now), .ownBudget)
    }
    for n in learned.indices where requests > 0 || pairs[n].unit == .tokens {
      let unit = pairs[n].unit
      wait(
        learned[n].due(
          cost: unit == .requests ? requests : tokens, spent: unit == .requests ? requestsSpent : tokensSpent,
          isQuiet: inFlight == 0, now: now),
        .learnedQuota)
    }
    return (due, obstacle)
  }

  func reserve(
    requests: Quantity = 1, tokens: Quantity, budgets: Budgets, quota: QuotaHeaders, now: Instant
  ) -> Reservation {
    for n in learned.indices {
      learned[n].begin(spent: quota.pairs[n].unit == .requests ? requestsSpent : tokensSpent, now: now)
    }
    if requests > 0 { inFlight += 1 }
    requestsSpent += requests
    tokensSpent += tokens
    // An estimate beyond a whole budget is taken as the whole of it; the answer's usage corrects it.
    let booked = min(tokens, budgets.tokensPerMinute ?? tokens, budgets.tokensPerDay ?? tokens)
    requestsPerMinute.add(requests, now: now)
    requestsPerDay.add(requests, now: now)
    return Reservation(
      requests: requests, tokens: booked, minute: tokensPerMinute.add(booked, now: now),
      day: tokensPerDay.add(booked, now: now),
      requestsSpent: requestsSpent, tokensSpent: tokensSpent)
  }

  /// The attempt ended, or (`isLast` false) a part of it. `tokens` is what it used where that is known.
  func settle(
    _ reservation: Reservation, isLast: Bool = true, tokens: Quantity?, charge: Fault.Charge, now: Instant
  ) {
    if isLast { inFlight -= 1 }
    var used = reservation.tokens
    switch charge {
    case .nothing:
      requestsPerMinute.takeBack(reservation.requests, from: reservation.minute, now: now)
      requestsPerDay.takeBack(reservation.requests, from: reservation.day, now: now)
      used = 0
    case .requestOnly: used = tokens ?? 0
    case .estimate: used = tokens ?? used
    }
    if used < reservation.tokens {
      tokensPerMinute.takeBack(reservation.tokens - used, from: reservation.minute, now: now)
      tokensPerDay.takeBack(reservation.tokens - used, from: reservation.day, now: now)
    } else if used > reservation.tokens {
      tokensPerMinute.add(used - reservation.tokens, now: now)
      tokensPerDay.add(used - reservation.tokens, now: now)
    }
  }

  func learn(
    pair n: Int, unit: QuotaHeaders.Unit, remaining: Quantity, resetAt: Instant,
    from reservation: Reservation,
    now: Instant
  ) {
    guard learned.indices.contains(n) else { return }
    learned[n].learn(
      remaining: remaining, cost: unit == .requests ? 1 : 0, resetAt: resetAt,
      spentThen: unit == .requests ? reservation.requestsSpent : reservation.tokensSpent, now: now)
  }

  /// The learned reset that a 429 without a time waits for: the latest among the used-up, else the soonest.
  func namedReset(quota: QuotaHeaders, now: Instant) -> Instant? {
    var latest: Instant?
    var soonest: Instant?
    for n in learned.indices {
      guard let reset = learned[n].namedReset(now: now) else { continue }
      soonest = min(soonest ?? reset, reset)
      let spent = quota.pairs[n].unit == .requests ? requestsSpent : tokensSpent
      if learned[n].isUsedUp(spent: spent) { latest = max(latest ?? reset, reset) }
    }
    return latest ?? soonest
  }

  /// What is left by the learned headers and by own budgets, for status pages.
  func quota(budgets: Budgets, quota: QuotaHeaders, now: Instant) -> QuotaLeft {
    var left = QuotaLeft()
    for n in learned.indices {
      let unit = quota.pairs[n].unit
      let spent = unit == .requests ? requestsSpent : tokensSpent
      guard let remaining = learned[n].remaining(spent: spent, now: now) else { continue }
      left.take(unit, remaining)
    }
    if let limit = budgets.requestsPerMinute {
      left.take(.requests, limit - requestsPerMinute.total(now: now))
    }
    if let limit = budgets.requestsPerDay {
      left.take(.requests, limit - requestsPerDay.total(now: now))
    }
    if let limit = budgets.tokensPerMinute {
      left.take(.tokens, limit - tokensPerMinute.total(now: now))
    }
    if let limit = budgets.tokensPerDay {
      left.take(.tokens, limit - tokensPerDay.total(now: now))
    }
    return left
  }

  /// The operator ends the cooldown, and what headers told is asked anew.
  func endCooldown() {
    cooldown.reset()
    learned = Array(repeating: LearnedQuota(), count: learned.count)
  }
}

/// The least that is left of any quota of a unit; nil where none is known.
package struct QuotaLeft: Equatable, Sendable {
  package private(set) var requests: Quantity?
  package private(set) var tokens: Quantity?
  package init() {}

  mutating func take(_ unit: QuotaHeaders.Unit, _ left: Quantity) {
    switch unit {
    case .requests: requests = min(requests ?? left, left)
    case .tokens: tokens = min(tokens ?? left, left)
    }
  }

  /// Several keys add up.
  mutating func add(_ other: QuotaLeft) {
    requests = Self.sum(requests, other.requests)
    tokens = Self.sum(tokens, other.tokens)
  }

  private static func sum(_ a: Quantity?, _ b: Quantity?) -> Quantity? {
    a == nil && b == nil ? nil : (a ?? 0) + (b ?? 0)
  }
}
