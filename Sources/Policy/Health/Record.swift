package import Base

// What the end of an attempt does to the health store, by whose fault it was (SPEC 4, "Faults").

extension HealthStore {
  /// 1. A complete answer, or one that was begun in earnest: good for the provider.
  /// 2. The provider's fault: the breaker's window, and the breaker.
  /// 3. The account's rate or quota: the account cools until the time given, the learned reset, or a default.
  ///    Where the preset says that the quota is shared, all keys have one account.
  /// 4. The key was rejected: the key cools, the others go on.
  /// 5. The candidate's model is missing: the candidate cools, or the one name of a `"*"`.
  /// 6. The endpoint is missing: the provider is left alone there, and its models go on elsewhere.
  /// 7. The client's: none. The provider answered, which ends an outage.
  /// 8. Nobody's: none; a probe's place is free again. A stale connection is nobody's only the first time.
  func record(_ outcome: AttemptOutcome, of slot: Slot, now: Instant) -> Consequence? {
    guard let fault = outcome.fault else {
      // 1.
      if !slot.isCommitted { succeed(slot, timeToFirstToken: outcome.timeToFirstToken, now: now) }
      return nil
    }
    switch fault.blame {
    case .provider:
      // 2.
      providers[slot.provider].isStarting = outcome.isStarting
      return fail(fault, slot, now: now)
    case .account:
      // 3.
      answered(slot, now: now)
      return coolAccount(fault, slot, now: now)
    case .key:
      // 4.
      answered(slot, now: now)
      let until = now + Limits.keyCooldown
      let isNew = keys[slot.key].cooldown.extend(until: until, for: fault, now: now)
      return Consequence(scope: .key, until: keys[slot.key].cooldown.until, isNew: isNew)
    case .candidate:
      // 5.
      answered(slot, now: now)
      return coolCandidate(fault, slot, now: now)
    case .endpoint:
      // 6.
      answered(slot, now: now)
      return coolEndpoint(fault, slot, now: now)
    case .client:
      // 7.
      answered(slot, now: now)
      return nil
    case .nobody:
      // 8.
      if fault == .staleConnection, staleAgain(slot, now: now) { return fail(.reset, slot, now: now) }
      providers[slot.provider].breaker.abandon(probe: slot.probe)
      return nil
    }
  }

  func succeed(_ slot: Slot, timeToFirstToken: Interval?, now: Instant) {
    let sample = timeToFirstToken ?? (now - slot.begun)
    let wasOpen = providers[slot.provider].breaker.state != .closed
    providers[slot.provider].breaker.succeed(begun: slot.begun, now: now)
    if wasOpen, providers[slot.provider].breaker.state == .closed {
      // It is back: what its failures counted as says nothing of its speed.
      candidates[slot.candidate].latency = Latency()
    }
    if slot.isTimed { providers[slot.provider].latency.add(sample, now: now) }
    providers[slot.provider].good.add(1, now: now)
    providers[slot.provider].isStarting = false
    providers[slot.provider].endpoints |= 1 << UInt64(slot.endpoint)
    providers[slot.provider].lastOutcome = now
    providers[slot.provider].failure = nil
    providers[slot.provider].staleSince = nil
    if slot.isTimed { candidates[slot.candidate].latency.add(sample, now: now) }
  }

  private func fail(_ fault: Fault, _ slot: Slot, now: Instant) -> Consequence? {
    let elapsed = now - slot.begun
    let provider = slot.provider
    providers[provider].bad.add(1, now: now)
    providers[provider].lastOutcome = now
    // A committed stream that was cut says nothing of the time to first token.
    if !slot.isCommitted {
      candidates[slot.candidate].latency.addFailure(after: elapsed, now: now)
    }
    let until = providers[provider].breaker.fail(
      fault, begun: slot.begun, probe: slot.probe, now: now, random: &random)
    return until.map { Consequence(scope: .provider, until: $0, isNew: true) }
  }

  /// The provider is there, and refused.
  private func answered(_ slot: Slot, now: Instant) {
    providers[slot.provider].lastOutcome = now
    providers[slot.provider].isStarting = false
    providers[slot.provider].breaker.show(probe: slot.probe)
  }

  private func coolAccount(_ fault: Fault, _ slot: Slot, now: Instant) -> Consequence {
    let account = accounts[slot.key]
    let until: Instant
    switch fault {
    case .rate(let given?), .quota(let given?):
      until = given > now ? given : now + Limits.shortestRateCooldown
    case .quota(nil): until = now + Limits.quotaCooldown
    case .rate(nil), .unreachable, .refused, .tls, .reset, .silence, .serverError, .overloaded, .starting,
      .timedOut,
      .cut,
      .errorInside, .foreign, .redirected, .emptyStream, .tooSlow, .keyRejected, .modelMissing,
      .endpointMissing, .modelLacksEndpoint, .tooLong, .requestRefused, .unsuited, .clientFault,
      .staleConnection, .clientGone, .raceLost, .noRoom, .takenApart:
      let quota = catalog.providers[slot.provider].quotaHeaders
      until = account.namedReset(quota: quota, now: now) ?? now + Limits.rateCooldown
    }
    let isNew = account.cooldown.extend(until: until, for: fault, now: now)
    return Consequence(scope: .account, until: account.cooldown.until, isNew: isNew)
  }

  /// A stale connection says something only if the attempt began after an earlier one was seen, without a
  /// success since: then connections die as they are made.
  private func staleAgain(_ slot: Slot, now: Instant) -> Bool {
    guard let since = providers[slot.provider].staleSince else {
      providers[slot.provider].staleSince = now
      return false
    }
    return slot.begun >= since
  }

  // MARK: Without an attempt

  /// An unbilled check (`GET /models`) of a provider succeeded: an outage whose cooldown has passed is over.
  /// Or it failed, which counts as an attempt's failure would.
  package func recordCheck(
    provider: Int, fault: Fault?, words: [UInt8] = [], elapsed: Interval, now: Instant
  ) {
    providers[provider].lastOutcome = now
    guard let fault else {
      providers[provider].failure = nil
      if providers[provider].breaker.wantsProbe(now: now) { providers[provider].breaker.close() }
      return
    }
    guard fault.blame == .provider else { return }
    providers[provider].failure = Cause(fault, words: words)
    let probe = providers[provider].breaker.takeProbe(now: now)
    _ = providers[provider].breaker.fail(
      fault, begun: now - elapsed, probe: probe, now: now, random: &random)
  }

  /// The operator ends all cooldowns of a provider (`POST /admin/providers/{name}/reset`).
  package func reset(provider: Int) {
    providers[provider].breaker.close()
    providers[provider].failure = nil
    providers[provider].staleSince = nil
    for key in keyPlaces[provider] {
      keys[key].cooldown.reset()
      accounts[key].endCooldown()
    }
    for candidate in catalog.candidates where candidate.provider == provider {
      candidates[candidate.id.index].cooldown.reset()
    }
    memory.lacks.removeAll { $0.provider === providers[provider] }
  }
}
