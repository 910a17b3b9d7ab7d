package import Base

/// The time that something is left alone, and why. It is only ever made longer, until it has passed.
package struct Cooldown: Equatable, Sendable {
  package private(set) var until = Instant.distantPast
  package private(set) var cause: Cause?
  package var fault: Fault? { cause?.fault }

  package init() {}

  package func isActive(at now: Instant) -> Bool { until > now }

  /// Cools until `time`, at most `Limits.longestCooldown` from now, or a quota's. True if it was not cooling before.
  @discardableResult
  package mutating func extend(until time: Instant, for fault: Fault, now: Instant) -> Bool {
    let isNew = !isActive(at: now)
    let longest = fault.isOfQuota ? Limits.longestQuotaCooldown : Limits.longestCooldown
    let capped = min(time, now + longest)
    if capped > until {
      until = capped
      cause = Cause(fault)
    }
    return isNew
  }

  /// What was said with the fault that it is for.
  mutating func note(_ cause: Cause) {
    if self.cause?.fault == cause.fault { self.cause = cause }
  }

  /// The operator ends it.
  package mutating func reset() { self = Cooldown() }
}
