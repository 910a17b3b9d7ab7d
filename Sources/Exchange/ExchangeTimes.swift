internal import Base
internal import Policy

// Silence and time: what an exchange does when nothing happens.
extension Exchange {
  /// What the kernel says about an attempt's way, asked when its threshold had passed.
  ///
  /// Connecting: 1. the SYN is not answered: the next candidate is started beside it; 2. the handshake gets
  /// four round trips more, then the same. Sent: 3. bytes unacknowledged, or known not to arrive: the path is
  /// dead; 4. acknowledged: the provider thinks, and is not asked again; 5. still on its way, or held up by a
  /// provider that is slow to read: asked again. 6. An answer that has begun is given up only after long.
  mutating func path(
    _ index: Int, _ report: PathReport, _ health: HealthStore, _ now: Instant,
    _ effects: inout [ExchangeEffect]
  ) {
    guard attempts[index].isLive else { return }
    if isCommitted {  // 6
      pathUnderAnswer(index, report, health, now, &effects)
      return
    }
    let threshold = attempts[index].threshold
    switch (attempts[index].phase, report) {
    case (.connecting, .handshaking(let roundTrip)):  // 2
      let allowed = attempts[index].openedAt + threshold + roundTrip * 4
      if now < allowed {
        attempts[index].checkAt = allowed
      } else {
        race(index, health, now, &effects)
      }
    case (.connecting, .connecting): race(index, health, now, &effects)  // 1
    case (.connecting, _): attempts[index].checkAt = now + threshold  // 5
    case (_, .unacknowledged(let time, let roundTrip)):
      // The connection knows its round trip before the health store has learned one.
      let allowed = max(threshold, HealthStore.silence(allowedAt: roundTrip))
      if time < allowed {
        attempts[index].checkAt = now + (allowed - time)  // 5
      } else {
        isDead(index, health, now, &effects)  // 3
      }
    case (_, .undeliverable): isDead(index, health, now, &effects)  // 3
    case (_, .acknowledged):  // 4
      attempts[index].isTaken = true
      attempts[index].checkAt = .distantFuture
    case (_, .unknown):
      attempts[index].isTaken = true
      attempts[index].checkAt = now + threshold  // 5
    case (_, .connecting), (_, .handshaking), (_, .heldUp):
      attempts[index].checkAt = now + threshold  // 5
    }
  }

  private mutating func isDead(
    _ index: Int, _ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]
  ) {
    effects.append(.dropPath(index))
    effects.append(.cancel(index))
    replace(index, .silence, health, now, &effects)
  }

  /// Where something of ours waits, the kernel sends no keep-alive probes: what they would find is found here.
  private mutating func pathUnderAnswer(
    _ index: Int, _ report: PathReport, _ health: HealthStore, _ now: Instant,
    _ effects: inout [ExchangeEffect]
  ) {
    guard case .unacknowledged(let time, _) = report, time >= Limits.deadPath else { return }
    settle(index, .silence, health, now)
    effects.append(.breakOff(.pathLost))
    effects.append(.dropPath(index))
    conclude(.cut, &effects)
  }

  mutating func race(
    _ index: Int, _ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]
  ) {
    attempts[index].checkAt = .distantFuture
    health.suspect(attempts[index].ticket)
    if !history.isFull { seek(in: attempts[index].round, health, now, &effects) }
  }

  /// How far an answer has come, asked when it had been silent for `stream_idle`.
  mutating func checked(
    _ index: Int, _ progress: AttemptProgress, _ health: HealthStore, _ now: Instant,
    _ effects: inout [ExchangeEffect]
  ) {
    guard attempts[index].isLive else { return }
    let idle = attempts[index].streamIdle
    // A paused answer waits for the client, whose own time-out is the connection's.
    let due = progress.isPaused ? now + idle : (progress.lastContentAt ?? attempts[index].openedAt) + idle
    if due > now {
      attempts[index].idleAt = due
      return
    }
    if case .committed = state {
      settle(index, .tooSlow, health, now)
      effects.append(.breakOff(.upstreamStalled))
      conclude(.stalled, &effects)
    } else {
      effects.append(.cancel(index))
      replace(index, .tooSlow, health, now, &effects)
    }
  }

  /// Whatever is due: 1. the deadline over all attempts, which a local server that has taken the request is given
  /// longer than: it would drop the model that it loads, and begin anew with the client's next try; 2. the end of a wait; 3. a comment for the client;
  /// 4. a second request, where that is wanted; 5. each attempt's own times.
  mutating func timePassed(_ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]) {
    if case .committed(let index) = state {
      if attempts[index].idleAt <= now {
        effects.append(.checkProgress(index))
      } else if attempts[index].checkAt <= now {
        attempts[index].checkAt = now + Limits.pathLook
        effects.append(.checkPath(index))
      }
      return
    }
    if lastCall <= now {  // 1
      guard let later = extendedCall(health, now, &effects) else {
        abandonAll(.tooSlow, health, now, &effects)
        failClient(.deadlineExceeded, &effects)
        return
      }
      lastCall = later
    }
    if case .waiting(let until) = state, until <= now {  // 2
      seek(in: lastRound, health, now, &effects)
      if state == .ended { return }
    }
    if commentAt <= now {  // 3
      commentAt = now + Limits.keepAliveComment
      effects.append(.sendComment(isFirst: !hasSentHead))
      hasSentHead = true
    }
    if hedgeAt <= now {  // 4
      hedgeAt = .distantFuture
      lastRound += 1
      if !history.isFull, hasLiveAttempt { seek(in: lastRound, health, now, &effects) }
    }
    for index in attempts.indices where attempts[index].isLive {  // 5
      if attempts[index].firstTokenAt <= now {
        effects.append(.cancel(index))
        replace(index, .tooSlow, health, now, &effects)
      } else if attempts[index].checkAt <= now {
        attempts[index].checkAt = now + attempts[index].threshold
        effects.append(.checkPath(index))
      } else if attempts[index].idleAt <= now {
        effects.append(.checkProgress(index))
      }
    }
  }

  /// Until when local servers that have taken the request are waited for beyond the deadline; nil where there are
  /// none, or their time is over. All other attempts end.
  private mutating func extendedCall(
    _ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]
  ) -> Instant? {
    var later: Instant?
    for attempt in attempts where attempt.isLive && isPatient(attempt, health) {
      guard let sentAt = attempt.sentAt, sentAt + attempt.firstToken > now else { continue }
      later = max(later ?? now, sentAt + attempt.firstToken)
    }
    guard later != nil else { return nil }
    for index in attempts.indices where attempts[index].isLive && !isPatient(attempts[index], health) {
      settle(index, .tooSlow, health, now)
      effects.append(.cancel(index))
    }
    return later
  }

  private func isPatient(_ attempt: Attempt, _ health: HealthStore) -> Bool {
    attempt.isTaken && health.catalog.providers[attempt.choice.provider].isLocal
  }
}
