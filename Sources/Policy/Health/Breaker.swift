package import Base

/// Leaves a provider alone that keeps failing, and lets one exchange at a time find out whether it is back.
///
/// 1. Closed: outcomes are counted over `Limits.breakerWindow`. `Limits.breakerFailures` failures in a row, or
///    half of at least `Limits.breakerOutcomes`, open it.
/// 2. Open until an instant: 15 s doubled for each opening since it last closed, at most 5 min, ±10 %. Ends of
///    attempts that began before it opened say nothing new.
/// 3. Probing: that instant has passed and one attempt is under way. Success closes, failure opens for
///    longer, an attempt that was given up frees the place and counts as nothing.
package struct Breaker: Sendable {
  package enum State: Equatable, Sendable {
    case closed
    case open(until: Instant)
    case probing
  }

  package private(set) var state = State.closed
  /// Openings since it last closed.
  package private(set) var openings = 0
  /// What opened it last.
  package private(set) var fault: Fault?
  private var row = 0
  /// The number of the latest probe: an end that belongs to an earlier one decides nothing.
  private var probe: UInt32 = 0
  private var openedAt = Instant.distantPast
  private var until = Instant.distantPast
  private var good = RollingWindow(width: Limits.breakerWindow, buckets: 6)
  private var bad = RollingWindow(width: Limits.breakerWindow, buckets: 6)

  package init() {}

  /// When it lets an attempt through: now or earlier if it does; a little later while a probe is under way.
  package func due(now: Instant) -> Instant {
    switch state {
    case .closed: now
    case .open(let until): until
    case .probing: now + Limits.recheck
    }
  }

  /// Its cooldown has passed and no probe is under way.
  package func wantsProbe(now: Instant) -> Bool {
    if case .open(let until) = state { return until <= now }
    return false
  }

  /// Takes the probe's place for an attempt that begins, if there is one to take: the probe's number, else 0.
  package mutating func takeProbe(now: Instant) -> UInt32 {
    guard wantsProbe(now: now) else { return 0 }
    state = .probing
    probe = probe == .max ? 1 : probe + 1
    return probe
  }

  /// The provider answered properly.
  package mutating func succeed(begun: Instant, now: Instant) {
    switch state {
    case .closed:
      good.add(1, now: now)
      row = 0
    case .open, .probing:
      guard begun >= openedAt else { return }
      close()
    }
  }

  /// The provider answered, if only to refuse: it is there. Ends an outage, and otherwise counts as nothing.
  package mutating func show(probe: UInt32) {
    if state == .probing, probe == self.probe { close() }
  }

  /// The provider failed. Returns the end of the cooldown that this began, if it did.
  package mutating func fail(
    _ fault: Fault, begun: Instant, probe: UInt32, now: Instant, random: inout RandomSource
  )
    -> Instant?
  {
    switch state {
    case .closed:
      // 1.
      guard begun >= openedAt else { return nil }
      bad.add(1, now: now)
      row += 1
      let failures = bad.total(now: now)
      let outcomes = failures + good.total(now: now)
      guard
        row >= Limits.breakerFailures
          || (outcomes >= Limits.breakerOutcomes && failures + failures >= outcomes)
      else { return nil }
      return open(fault, now: now, random: &random)
    case .open:
      // 2.
      return nil
    case .probing:
      // 3.
      return probe == self.probe ? open(fault, now: now, random: &random) : nil
    }
  }

  /// The probe was given up.
  package mutating func abandon(probe: UInt32) {
    if state == .probing, probe == self.probe { state = .open(until: until) }
  }

  package mutating func close() {
    state = .closed
    openings = 0
    row = 0
    fault = nil
    until = .distantPast
    good.removeAll()
    bad.removeAll()
  }

  private mutating func open(_ fault: Fault, now: Instant, random: inout RandomSource) -> Instant {
    let doubled = Limits.breakerCooldown * (1 << Int64(min(openings, 16)))
    let base = min(doubled, Limits.longestBreakerCooldown)
    let jittered = Double(base.nanoseconds) * (0.9 + 0.2 * random.fraction())
    openings += 1
    openedAt = now
    self.fault = fault
    until = now + min(Interval(nanoseconds: Int64(jittered)), Limits.longestBreakerCooldown)
    state = .open(until: until)
    return until
  }
}
