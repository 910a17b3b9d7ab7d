package import Base

extension HealthStore {
  /// Where an exchange goes next, as things stand now (SPEC 3 and 4).
  ///
  /// 1. Candidates that are ready and that this exchange has not tried, in the order of `Rank`; of those that
  ///    share the best rank, the better of two picked at random. Where only a key or an account failed, the
  ///    candidate's other keys remain, and that key once more after its cooldown.
  /// 2. A candidate whose pooled connection was closed under the request or fell silent, on a fresh one.
  /// 3. A provider that is alone for its model or may be starting, where only its breaker stands in the way; and one
  ///    that this exchange has found starting, once it may be asked again.
  /// 4. One that is due within the deadline and `Limits.coolingWait` of the first wait, or one that is starting, until
  ///    its `start_wait` is over: wait for it.
  /// 5. Nothing is left: all failed, all at their limits, or none available.
  ///
  /// One pass over the route's candidates and their keys; allocates nothing. Each candidate is offered at most
  /// twice per key, but for those that are starting; attempts are bounded, and waits end: every exchange ends.
  package func next(for request: RouteRequest, history: inout AttemptHistory, now: Instant) -> Decision {
    let tokens = max(1, request.estimatedTokens)
    if history.isFull { return .exhausted(exhaustion(request, history, now: now)) }
    let bearings = bearings(of: request, now: now)
    var pick = Pick()
    var stale: Offer?
    var lone: Offer?
    var starting: Offer?
    var soonest = Instant.distantFuture
    var soonestStart = Instant.distantFuture
    for n in 0..<request.route.count {
      let id = catalog.candidate(n, of: request.route)
      let isStale = history.isOnlyStale(id)
      let askAgainAt = history.asksAgain(id)
      guard isStale || askAgainAt != nil || history.allows(id, asksEveryKey: bearings.asksEveryKey) else {
        continue
      }
      let availability = availability(
        of: id, nameHash: request.route.nameHash, endpoint: request.endpoint, tokens: tokens,
        history: history,
        bearings: bearings, now: now)
      let provider = catalog.candidates[id.index].provider
      let offer = Offer(
        candidate: id, key: availability.key, isStale: isStale, isAskedAgain: askAgainAt != nil)
      if let askAgainAt {
        let due = max(askAgainAt, availability.dueWithoutBreaker)
        let since = history.startingSince ?? now
        if due > min(request.deadline, since + catalog.providers[provider].startWait) { continue }
        if due <= now { starting = starting ?? offer } else { soonestStart = min(soonestStart, due) }
      } else if availability.due <= now {
        if isStale {
          stale = stale ?? offer
        } else {
          var rank = rank(id, preference: request.preference, history: history)
          rank.home = isHome(bearings.home, id, key: availability.key) ? 0 : 1
          pick.take(offer, rank: rank, random: &random)
        }
      } else {
        if availability.dueWithoutBreaker <= now, request.route.isLone || providers[provider].isStarting {
          lone = lone ?? offer
        }
        soonest = min(soonest, availability.due)
      }
    }
    // 1. 2. 3.
    if let offer = better(of: pick, now: now) ?? stale ?? lone ?? starting {
      return .attempt(choice(offer, request, bearings, tokens: tokens))
    }
    // 4.
    let began = history.waitingSince ?? now
    if soonest <= min(request.deadline, began + Limits.coolingWait) {
      history.waitingSince = began
      return .wait(until: min(soonest, soonestStart))
    }
    if soonestStart < .distantFuture { return .wait(until: soonestStart) }
    // 5.
    return .exhausted(exhaustion(request, history, now: now))
  }

  private func choice(_ offer: Offer, _ request: RouteRequest, _ bearings: Bearings, tokens: Quantity)
    -> Choice
  {
    Choice(
      candidate: offer.candidate, provider: catalog.candidates[offer.candidate.index].provider,
      key: offer.key,
      needsFreshConnection: offer.isStale, isAskedAgain: offer.isAskedAgain, tokens: tokens,
      answerTokens: request.answerTokens, nameHash: request.route.nameHash, endpoint: request.endpoint,
      conversation: bearings.home?.isFull == true || hasOnePlace(request.route) ? nil : request.conversation,
      isTimed: !bearings.isAboutNoModel)
  }

  /// Failed attempts make it 502, unless all of them were for rate; the times to come back are those of the
  /// whole route, tried or not.
  private func exhaustion(_ request: RouteRequest, _ history: borrowing AttemptHistory, now: Instant)
    -> Exhaustion
  {
    if history.count > 0, !history.allWereRateLimited { return .allFailed }
    var until = Instant.distantFuture
    var areAllRateLimited = request.route.count > 0
    let bearings = bearings(of: request, now: now)
    for n in 0..<request.route.count {
      let availability = availability(
        of: catalog.candidate(n, of: request.route), nameHash: request.route.nameHash,
        endpoint: request.endpoint, tokens: max(1, request.estimatedTokens), history: AttemptHistory(),
        bearings: bearings,
        now: now)
      if availability.obstacle == .notTheMaker { continue }
      until = min(until, max(availability.due, now))
      if !availability.isRateLimited { areAllRateLimited = false }
    }
    if areAllRateLimited { return .allRateLimited(until: until) }
    return .unavailable(until: until == .distantFuture ? nil : until)
  }

  /// What comes before latency: doubt about the path, the wish, the room for a long request, the tier, the conversation's
  /// home. Lower is tried first.
  struct Rank: Comparable {
    var doubt: Int
    var preference: Int
    var room: Int
    var tier: Int
    var home = 1
    static func < (a: Rank, b: Rank) -> Bool {
      (a.doubt, a.preference, a.room, a.tier, a.home) < (b.doubt, b.preference, b.room, b.tier, b.home)
    }
  }

  func rank(_ id: CandidateID, preference: Int?, history: borrowing AttemptHistory) -> Rank {
    let provider = catalog.candidates[id.index].provider
    var room = 0
    if let failed = history.tooLongFor {
      // A window known to be larger, one that is not known, and one known to be no larger.
      room = catalog.candidates[id.index].context.map { $0 > failed ? 0 : 2 } ?? 1
    }
    return Rank(
      doubt: providers[provider].suspects == 0 ? 0 : 1, preference: provider == preference ? 0 : 1,
      room: room, tier: catalog.candidates[id.index].tier)
  }

  /// What of a candidate decides whether it is chosen, and with which key.
  struct Offer {
    var candidate: CandidateID
    var key: Int
    /// Its pooled connection was closed under the request, or fell silent.
    var isStale: Bool
    /// This exchange found it starting before.
    var isAskedAgain: Bool
  }

  /// Two candidates of the best rank seen so far, each pair equally likely (reservoir sampling).
  struct Pick {
    private var rank: Rank?
    private var seen = 0
    private(set) var first: Offer?
    private(set) var second: Offer?

    mutating func take(_ offer: Offer, rank: Rank, random: inout RandomSource) {
      if let best = self.rank {
        if best < rank { return }
        if rank < best { self = Pick() }
      }
      self.rank = rank
      seen += 1
      if first == nil {
        first = offer
      } else if second == nil {
        second = offer
      } else {
        let place = random.below(seen)
        if place == 0 { first = offer } else if place == 1 { second = offer }
      }
    }
  }

  private func better(of pick: Pick, now: Instant) -> Offer? {
    guard let first = pick.first, let second = pick.second else { return pick.first }
    let a = score(first.candidate, now: now)
    let b = score(second.candidate, now: now)
    return isBetter(b, second.candidate, than: a, first.candidate) ? second : first
  }

  /// What latency says of a candidate: less is better. One whose breaker waits for a probe counts as fast, so
  /// that it gets it.
  func score(_ id: CandidateID, now: Instant) -> Double {
    let provider = catalog.candidates[id.index].provider
    if providers[provider].breaker.wantsProbe(now: now) { return 0 }
    return candidates[id.index].latency.score(inFlight: providers[provider].inFlight, now: now)
  }

  /// Faster by more than 10 %, else cheaper, else faster, else earlier in the file.
  func isBetter(_ b: Double, _ second: CandidateID, than a: Double, _ first: CandidateID) -> Bool {
    if b * 1.1 < a { return true }
    if a * 1.1 < b { return false }
    let prices = (catalog.candidates[first.index].price, catalog.candidates[second.index].price)
    if prices.0 != prices.1 { return prices.1 < prices.0 }
    return (b, second) < (a, first)
  }
}
