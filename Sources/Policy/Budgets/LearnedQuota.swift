package import Base

/// What a provider's `x-ratelimit-remaining-*` and `-reset-*` headers said last, for one key and one pair of
/// headers, brought forward by what has been begun since.
///
/// A report tells what was left when its own attempt was counted. `spent` is the account's running total of
/// what attempts reserved; the attempt keeps the total as it stood when it began, so what is left now is the
/// report minus what began after it: a burst does not overrun a quota while its answers are still on their way.
///
/// After the reset the quota is presumed to be the most that was ever seen left, and is believed only while an
/// attempt is under way that will tell.
package struct LearnedQuota: Sendable {
  /// What is left is `baseline − spent`.
  private var baseline: Quantity = 0
  private var reportedAt: Quantity = 0
  package private(set) var resetAt = Instant.distantPast
  private var capacity: Quantity = 0
  private var isPresumed = false

  package init() {}

  /// A report of an attempt that began when `spent` stood at `spentThen`, its own `cost` included. A report
  /// without a reset to come is nonsense and ignored, as is an older attempt's that arrives late.
  package mutating func learn(
    remaining: Quantity, cost: Quantity, resetAt: Instant, spentThen: Quantity, now: Instant
  ) {
    guard resetAt > now else { return }
    if !isPresumed, self.resetAt > now, spentThen < reportedAt { return }
    baseline = remaining + spentThen
    reportedAt = spentThen
    self.resetAt = min(resetAt, now + Limits.longestCooldown)
    capacity = max(capacity, remaining + cost)
    isPresumed = false
  }

  /// What is left, or nil where nothing is known.
  package func remaining(spent: Quantity, now: Instant) -> Quantity? {
    isPresumed || resetAt > now ? baseline - spent : nil
  }

  /// A new stretch begins with the first attempt after the reset.
  mutating func begin(spent: Quantity, now: Instant) {
    if resetAt <= now, !isPresumed, capacity > 0 {
      baseline = capacity + spent
      isPresumed = true
    }
  }

  /// When an attempt of this cost may begin: now or earlier if it may. One that costs more than there ever was
  /// may begin when all is there.
  func due(cost: Quantity, spent: Quantity, isQuiet: Bool, now: Instant) -> Instant {
    if isPresumed {
      let left = baseline - spent
      return isQuiet || (left > 0 && left >= min(cost, capacity)) ? now : now + Limits.recheck
    }
    guard resetAt > now else { return now }
    let left = baseline - spent
    return left > 0 && left >= min(cost, capacity) ? now : resetAt
  }

  /// The reset to wait for after a 429 that named none.
  func namedReset(now: Instant) -> Instant? { resetAt > now ? resetAt : nil }
  func isUsedUp(spent: Quantity) -> Bool { baseline <= spent }
}
