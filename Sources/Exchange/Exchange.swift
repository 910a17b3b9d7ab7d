package import Base
package import Policy

/// One request's life, from its last byte to its end: events in, effects out, no I/O.
///
/// Attempts are numbered from 0 in the order in which they were begun. At most one request is sent per round
/// of connections (`round`); nothing is attempted after commit; every begun attempt gives its ticket back
/// once; after `.concluded` nothing follows.
package struct Exchange: ~Copyable, Sendable {
  package enum State: Equatable, Sendable {
    /// Attempts are open and nothing but comments has reached the client.
    case seeking
    /// Every candidate is cooling, and one is due soon; or one is starting, and is asked again.
    case waiting(until: Instant)
    /// This attempt's bytes go to the client.
    case committed(Int)
    case ended
  }

  package internal(set) var state = State.seeking
  package internal(set) var attempts: [Attempt] = []
  package internal(set) var ending: Ending?
  /// A streaming client has the head and comments already: an error can only be told as an event.
  package internal(set) var hasSentHead = false
  package let shape: ExchangeShape
  package let startedAt: Instant
  /// When `.timePassed` is due; `distantFuture` after the end.
  package private(set) var nextDue = Instant.distantFuture

  var history = AttemptHistory()
  /// Of the latest request that was or will be sent. One that hedges has a round of its own.
  var lastRound = 0
  /// Nothing is attempted after it.
  let deadline: Instant
  /// When the attempts end: the deadline, or later for the sake of a server that has taken the request.
  var lastCall: Instant
  var commentAt: Instant
  var hedgeAt: Instant
  /// The latest attempt's answer, if it tells the client more than a list of attempts would.
  private var spare: Int?

  package init(_ shape: ExchangeShape, now: Instant) {
    self.shape = shape
    startedAt = now
    deadline = now + shape.timeouts.request
    lastCall = deadline
    commentAt = shape.wantsStream ? now + Limits.keepAliveComment : .distantFuture
    hedgeAt = shape.hedge.map { now + $0 } ?? .distantFuture
    renewDue()
  }

  /// It ended well, and whole.
  package var isComplete: Bool {
    if case .complete? = ending { return true }
    return false
  }

  /// It waits for a candidate, and nothing is under way.
  package var isWaiting: Bool {
    if case .waiting = state { return true }
    return false
  }

  /// No property that is computed: whoever changes itself would be copied for it.
  private mutating func renewDue() {
    switch state {
    case .ended: nextDue = .distantFuture
    case .committed(let index): nextDue = min(attempts[index].idleAt, attempts[index].checkAt)
    case .waiting(let until): nextDue = min(until, min(lastCall, commentAt))
    case .seeking:
      nextDue = min(lastCall, min(commentAt, hedgeAt))
      for index in attempts.indices where attempts[index].isLive {
        nextDue = min(
          nextDue, min(attempts[index].checkAt, min(attempts[index].firstTokenAt, attempts[index].idleAt)))
      }
    }
  }

  /// Takes one event; what is to be done is appended to `effects`, in order.
  package mutating func handle(
    _ event: ExchangeEvent, health: HealthStore, now: Instant, effects: inout [ExchangeEffect]
  ) {
    switch state {
    case .ended: return
    case .seeking, .waiting, .committed: break
    }
    switch event {
    case .started: seek(in: lastRound, health, now, &effects)
    case .joined(let choice, let ticket):
      state = .seeking
      _ = begin(choice, ticket, round: lastRound, health, now)
    case .connected(let index, let isReused):
      connected(index, isReused: isReused, health, now, &effects)
    case .answered(let index, let status): answered(index, status, now)
    case .contentBegan(let index, let verdict), .heldFull(let index, let verdict):
      held(index, verdict, health, now, &effects)
    case .ended(let index, let verdict, let usage):
      ended(index, verdict, usage, health, now, &effects)
    case .path(let index, let report): path(index, report, health, now, &effects)
    case .progress(let index, let progress): checked(index, progress, health, now, &effects)
    case .timePassed: timePassed(health, now, &effects)
    case .clientLeft:
      abandonAll(.clientGone, health, now, &effects)
      conclude(.clientLeft, &effects)
    case .served:
      if case .committed(let index) = state { attempts[index].idleAt = now + Limits.lastBytes }
    case .drainEnded: cutOff(health, now, &effects)
    case .couldNotOpen(let index, let error): couldNotOpen(index, error, health, now, &effects)
    }
    renewDue()
  }

  /// What was said with the fault that an attempt is about to end with.
  package mutating func note(_ words: [UInt8], of attempt: Int) { attempts[attempt].words = words }

  // MARK: - Finding a candidate

  /// What the router is asked.
  package var routeRequest: RouteRequest {
    var request = RouteRequest(
      route: shape.route, preference: shape.preference, estimatedTokens: shape.estimatedTokens,
      endpoint: shape.endpoint.rawValue, conversation: shape.conversation, deadline: deadline)
    request.response = shape.response
    request.answerTokens = shape.answerTokens
    return request
  }

  /// Asks the router for the next candidate and opens it, beside those of its round that still connect.
  mutating func seek(
    in round: Int, _ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]
  ) {
    if deadline <= now, lastCall > deadline {
      if !hasLiveAttempt { failClient(.deadlineExceeded, &effects) }
      return
    }
    let waitingSince = history.waitingSince
    switch health.next(for: routeRequest, history: &history, now: now) {
    case .attempt(let choice):
      state = .seeking
      open(choice, round: round, health, now, &effects)
    case .wait(let until):
      // While an attempt is open there is no wait, and its time does not begin.
      if hasLiveAttempt {
        history.waitingSince = waitingSince
        return
      }
      state = .waiting(until: until)
    case .exhausted(let why):
      if !hasLiveAttempt { giveUp(why, now, &effects) }
    }
  }

  mutating func open(
    _ choice: Choice, round: Int, _ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]
  ) {
    effects.append(.open(begin(choice, health.begin(choice, now: now), round: round, health, now)))
  }

  /// Keeps account of an attempt that has begun; its place.
  private mutating func begin(
    _ choice: Choice, _ ticket: AttemptTicket, round: Int, _ health: HealthStore, _ now: Instant
  ) -> Int {
    let place = history.note(choice)
    let threshold = health.silenceThreshold(of: choice.provider, atLeast: shape.timeouts.failover)
    var attempt = Attempt(
      choice: choice, ticket: ticket, round: round,
      firstToken: health.catalog.providers[choice.provider].firstToken(shape.timeouts),
      streamIdle: health.catalog.providers[choice.provider].streamIdle(shape.timeouts), openedAt: now)
    attempt.threshold = threshold
    attempt.checkAt = now + threshold
    if place < attempts.count {
      // A server that is starting is asked again in the place of the last time.
      attempt.consequence = attempts[place].consequence
      attempts[place] = attempt
    } else {
      attempts.append(attempt)
    }
    return place
  }

  var isCommitted: Bool {
    if case .committed = state { return true }
    return false
  }

  var hasLiveAttempt: Bool {
    for index in attempts.indices where attempts[index].isLive { return true }
    return false
  }

  /// No candidate is left: 1. the last provider's own words, where they are about the request; 2. 429; 3. 503;
  /// 4. 502 with the list of attempts.
  mutating func giveUp(_ why: Exhaustion, _ now: Instant, _ effects: inout [ExchangeEffect]) {
    if let spare, spare == attempts.lastIndex(where: { $0.fault?.isUnasked != true }), !hasSentHead {  // 1
      effects.append(.relay(spare))
      conclude(.relayed, &effects)
      return
    }
    switch why {
    case .allRateLimited(let until): failClient(.rateLimited(until - now), &effects)  // 2
    case .unavailable(let until):  // 3
      failClient(.unavailable(until.map { $0 - now } ?? .seconds(60)), &effects)
    case .allFailed: failClient(.attemptsFailed, &effects)  // 4
    }
  }

  /// Ends with an error of our own, as an answer or, once the head is out, as an event.
  mutating func failClient(_ error: LocalError, _ effects: inout [ExchangeEffect]) {
    effects.append(hasSentHead ? .breakOff(error) : .answerError(error))
    conclude(.failed(error), &effects)
  }

  mutating func conclude(_ ending: Ending, _ effects: inout [ExchangeEffect]) {
    state = .ended
    self.ending = ending
    effects.append(.concluded)
  }

  // MARK: - An attempt's events

  /// The connection is ready and this attempt sends the request: those that raced it are let go.
  mutating func connected(
    _ index: Int, isReused: Bool, _ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]
  ) {
    guard attempts[index].phase == .connecting else { return }
    attempts[index].phase = .sent
    attempts[index].isReused = isReused
    attempts[index].sentAt = now
    attempts[index].checkAt = now + attempts[index].threshold
    attempts[index].firstTokenAt = now + attempts[index].firstToken
    for other in attempts.indices
    where other != index && attempts[other].phase == .connecting
      && attempts[other].round == attempts[index].round
    {
      // The ticket goes with it: the connection may still tell us about the provider.
      attempts[other].close(.raceLost, now)
      history.note(.raceLost, of: attempts[other].choice)
      effects.append(.letGo(other))
    }
  }

  /// There was no room for its body or its connection: our own want, which says nothing of the provider and which no other
  /// candidate would mend.
  mutating func couldNotOpen(
    _ index: Int, _ error: LocalError, _ health: HealthStore, _ now: Instant,
    _ effects: inout [ExchangeEffect]
  ) {
    guard attempts[index].phase == .connecting else { return }
    settle(index, .noRoom, health, now)
    if !hasLiveAttempt { failClient(error, &effects) }
  }

  mutating func answered(_ index: Int, _ status: Int, _ now: Instant) {
    guard attempts[index].isLive else { return }
    attempts[index].isTaken = true
    attempts[index].status = status
    attempts[index].answeredAt = now
    attempts[index].checkAt = .distantFuture
    // The head of a stream may come at once and its first token minutes later; a plain answer's head comes
    // when it is ready, and then its bytes must flow.
    if !shape.wantsStream || status >= 300 {
      attempts[index].firstTokenAt = .distantFuture
      attempts[index].idleAt = now + attempts[index].streamIdle
    }
  }

  /// The answer has begun in earnest: commit, or treat what came as the fault it is.
  mutating func held(
    _ index: Int, _ verdict: Verdict, _ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]
  ) {
    guard attempts[index].isLive, !isCommitted else { return }
    switch verdict {
    case .good, .relay:
      attempts[index].firstContentAt = now
      if verdict == .good {
        // A long stream is the provider's success now: its end may be minutes away.
        health.commit(
          attempts[index].ticket, timeToFirstToken: now - attempts[index].openedAt, now: now)
      }
      attempts[index].firstTokenAt = .distantFuture
      attempts[index].checkAt = now + Limits.pathLook
      attempts[index].idleAt = now + attempts[index].streamIdle
      cancelOthers(than: index, health, now, &effects)
      state = .committed(index)
      effects.append(.commit(index))
    case .fault(let fault):
      effects.append(.cancel(index))
      replace(index, fault, health, now, &effects)
    }
  }

  mutating func ended(
    _ index: Int, _ verdict: Verdict, _ usage: Quantity?, _ health: HealthStore, _ now: Instant,
    _ effects: inout [ExchangeEffect]
  ) {
    guard attempts[index].isLive else { return }
    attempts[index].tokens = usage
    switch (state, verdict) {
    case (.committed(index), .good), (.committed(index), .relay):
      settle(index, nil, health, now)
      effects.append(.finish(index))
      conclude(.complete, &effects)
    case (.committed(index), .fault(.errorInside)):
      // The provider has told its error itself, in its own bytes.
      settle(index, .errorInside, health, now)
      effects.append(.finish(index))
      conclude(.cut, &effects)
    case (.committed(index), .fault(let fault)):
      settle(index, fault, health, now)
      effects.append(.breakOff(fault == .silence ? .pathLost : .upstreamCut))
      conclude(.cut, &effects)
    case (_, .good):
      attempts[index].firstContentAt = attempts[index].firstContentAt ?? now
      cancelOthers(than: index, health, now, &effects)
      settle(index, nil, health, now)
      effects.append(.relay(index))
      conclude(.complete, &effects)
    case (_, .relay):
      cancelOthers(than: index, health, now, &effects)
      settle(index, .clientFault, health, now)
      effects.append(.relay(index))
      conclude(.relayed, &effects)
    case (_, .fault(.noRoom)):
      effects.append(.cancel(index))
      couldNotOpen(index, .outOfDescriptors, health, now, &effects)
    case (_, .fault(let fault)):
      if fault.isAboutTheRequest {
        spare = index
      } else {
        effects.append(.cancel(index))
      }
      replace(index, fault, health, now, &effects)
    }
  }

  /// An attempt is over without success, and the next one takes its place: in the same round if nothing was
  /// sent, else in a new one, which may send the request again.
  mutating func replace(
    _ index: Int, _ fault: Fault, _ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]
  ) {
    settle(index, fault, health, now)
    if attempts[index].sentAt != nil { lastRound += 1 }
    let round = attempts[index].sentAt == nil ? attempts[index].round : lastRound
    seek(in: round, health, now, &effects)
  }

  /// Gives the ticket back and remembers how it went.
  mutating func settle(_ index: Int, _ fault: Fault?, _ health: HealthStore, _ now: Instant) {
    attempts[index].close(fault, now)
    let openedAt = attempts[index].openedAt
    let toFirst = attempts[index].firstContentAt.map { $0 - openedAt }
    var outcome = AttemptOutcome(fault: fault, timeToFirstToken: toFirst, tokens: attempts[index].tokens)
    if let fault { note(fault, of: index, in: &outcome, health, now) }
    outcome.status = attempts[index].status
    outcome.words = attempts[index].words
    attempts[index].consequence =
      health.end(attempts[index].ticket, outcome, now: now) ?? attempts[index].consequence
  }

  private mutating func note(
    _ fault: Fault, of index: Int, in outcome: inout AttemptOutcome, _ health: HealthStore, _ now: Instant
  ) {
    let attempt = attempts[index]
    outcome.isStarting = health.catalog.providers[attempt.choice.provider].isStarting(
      fault, status: attempt.status, isAskedAgain: attempt.choice.isAskedAgain)
    history.note(
      fault, of: attempt.choice, onPooled: attempt.isReused,
      context: health.catalog[attempt.choice.candidate].context, startingAt: outcome.isStarting ? now : nil)
  }

  mutating func cancelOthers(
    than index: Int, _ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]
  ) {
    for other in attempts.indices where other != index && attempts[other].isLive {
      settle(other, attempts[other].sentAt == nil ? .raceLost : .clientGone, health, now)
      effects.append(.cancel(other))
    }
  }

  mutating func abandonAll(
    _ fault: Fault, _ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]
  ) {
    for index in attempts.indices where attempts[index].isLive {
      settle(index, fault, health, now)
      effects.append(.cancel(index))
    }
  }

  /// Ends whatever is under way, and says so to the client: never a clean end.
  mutating func cutOff(_ health: HealthStore, _ now: Instant, _ effects: inout [ExchangeEffect]) {
    if case .committed(let index) = state {
      settle(index, .clientGone, health, now)
      effects.append(.breakOff(.draining))
      conclude(.failed(.draining), &effects)
    } else {
      abandonAll(.clientGone, health, now, &effects)
      failClient(.draining, &effects)
    }
  }
}
