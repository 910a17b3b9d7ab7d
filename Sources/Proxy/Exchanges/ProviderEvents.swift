package import Base
internal import Downstream
internal import Exchange
internal import Policy
package import Upstream
internal import Wire

// What providers do, as it comes from Upstream: each exchange is told what it means for it, answers are judged,
// and the health store learns.
extension Runner {
  /// Passes on what happened to a transfer.
  package func take(_ event: TransferEvent, now: Moment) {
    if checks.owns(event.transfer) {
      if checks.take(event, now: now.instant) { adopt(configuration, now: now.instant) }
      return
    }
    if !stragglers.isEmpty, let straggler = stragglers[event.transfer] {
      follow(straggler, event, now: now)
      return
    }
    if !passings.isEmpty, let passing = passings[event.transfer] {
      follow(passing, event, now: now)
      return
    }
    if !batches.sent.isEmpty, let call = batches.sent[event.transfer] {
      follow(call, event, now: now)
      cancelAbandoned(now)
      return
    }
    let (id, attempt) = ExchangeRun.untag(event.tag)
    guard let run = runs[id], attempt < run.transfers.count, run.transfers[attempt] == event.transfer else {
      upstream.cancel(event.transfer)
      return
    }
    switch event.fact {
    case .connected(let isReused): tell(run, .connected(attempt, isReused: isReused), now)
    case .head(let status):
      learn(run, attempt, event.transfer, now: now)
      tell(run, .answered(attempt, status: status), now)
      if run.pipe != nil, status == 101 {
        let verdict = handshakeVerdict(run, event.transfer)
        noteDetail(run, attempt, event.transfer, verdict)
        tell(run, .contentBegan(attempt, verdict), now)
      }
    case .content:
      let verdict = judge(run, attempt, event.transfer, now: now) { answer, shape, sawError in
        Judge.stream(answer, sawError: sawError, shape: shape, now: now)
      }
      noteDetail(run, attempt, event.transfer, verdict)
      noteMaker(run, attempt, event.transfer, verdict, now)
      tell(run, .contentBegan(attempt, verdict), now)
    case .heldFull:
      let verdict = judge(run, attempt, event.transfer, now: now) { answer, shape, _ in
        Judge.beginning(
          answer, hasHeadOut: run.exchange.hasSentHead, shape: shape, now: now)
      }
      noteDetail(run, attempt, event.transfer, verdict)
      tell(run, .heldFull(attempt, verdict), now)
    case .blocked:
      if let flight = run.flight, let subscription = sharing.flights.firstSubscription(of: flight),
        let reply = sharing.reply(at: subscription), let connection = downstream.connection(reply.connection)
      {
        downstream.settle(connection, now: now.instant)
      }
    case .roomy:
      if let connection = run.pipe.flatMap({ downstream.connection($0.connection) }) {
        pump(run, connection, now)
      }
    case .recorded: if let flight = run.flight { pumpAll(flight, now) }
    case .ended(let outcome): ended(run, attempt, event.transfer, outcome, now: now)
    }
    cancelAbandoned(now)
  }

  /// A straggler's connection is ready or has failed: the round trip is learned, the ticket given back.
  private func follow(_ straggler: Straggler, _ event: TransferEvent, now: Moment) {
    guard case .ended(let outcome) = event.fact else { return }
    noteRoundTrip(outcome, provider: straggler.provider, health: straggler.health)
    let fault = outcome.fault.map { Judge.transfer(TransferEnd($0, of: outcome)) } ?? .raceLost
    var end = AttemptOutcome(fault: fault)
    if fault != .raceLost { end.words = wayWords(event.transfer) }
    straggler.health.end(straggler.ticket, end, now: now.instant)
    stragglers[event.transfer] = nil
    upstream.cancel(event.transfer)
  }

  func noteRoundTrip(_ outcome: TransferOutcome, provider: Int, health: HealthStore) {
    if !outcome.isReused, outcome.connectTime > .zero {
      health.noteRoundTrip(outcome.connectTime, provider: provider)
    }
  }

  private func ended(
    _ run: ExchangeRun, _ attempt: Int, _ transfer: TransferID, _ outcome: TransferOutcome, now: Moment
  ) {
    let choice = run.exchange.attempts[attempt].choice
    noteRoundTrip(outcome, provider: choice.provider, health: run.runtime.health)
    let verdict: Verdict
    if case .committed(attempt) = run.exchange.state {
      let sawError = sawFault(run, transfer)
      let isOver = hasSaidEnd(run) || isWhole(run, transfer, outcome)
      verdict =
        sawError && (isOver || outcome.fault == nil)
        ? .fault(.errorInside) : isOver ? .good : .fault(outcome.isPathLost ? .silence : .cut)
    } else {
      verdict = self.verdict(run, attempt, transfer, outcome, now)
    }
    upstream.withObserver(transfer) { run.usage = $0.usage }
    noteUsage(run, attempt, transfer, verdict)
    noteDetail(run, attempt, transfer, verdict)
    noteMaker(run, attempt, transfer, verdict, now)
    noteCost(run, attempt)
    tell(run, .ended(attempt, verdict, tokens: run.usage.sum), now)
  }

  /// What an answer is worth that was held until its end.
  func verdict(
    _ run: ExchangeRun, _ attempt: Int, _ transfer: TransferID, _ outcome: TransferOutcome, _ now: Moment
  ) -> Verdict {
    if let fault = outcome.fault, !(outcome.isHeadSeen && outcome.status >= 400) {
      return .fault(Judge.transfer(TransferEnd(fault, of: outcome)))
    }
    let judged = judge(run, attempt, transfer, now: now) { answer, shape, sawError in
      Judge.whole(
        answer, sawError: sawError, hasHeadOut: run.exchange.hasSentHead, shape: shape, now: now,
        reading: &answerProbe)
    }
    // A client's error that was cut short cannot be relayed as it came.
    return outcome.fault != nil && judged == .relay ? .fault(.cut) : judged
  }

  /// A committed stream has said that it is over (`data: [DONE]`, `message_stop`, `response.completed`): whatever
  /// happens to its connection from now on, nothing is missing.
  func hasSaidEnd(_ run: ExchangeRun) -> Bool {
    guard case .committed(let attempt) = run.exchange.state, let transfer = run.transfers[attempt] else {
      return false
    }
    return upstream.withObserver(transfer) { $0.end != .none } ?? false
  }

  /// The one choice of a committed stream has ended, and nothing came behind it for a while: some providers say no
  /// more and leave the connection open.
  func hasFinished(_ run: ExchangeRun, _ transfer: TransferID, _ now: Instant) -> Bool {
    guard case .committed = run.exchange.state, run.facts.wantsOneChoice,
      run.exchange.shape.endpoint.streamEnd == .doneOrFinish,
      let last = upstream.progress(transfer)?.lastContentAt,
      now - last >= min(Limits.afterFinish, run.exchange.shape.timeouts.streamIdle)
    else { return false }
    return upstream.withObserver(transfer) { $0.sawFinish } ?? false
  }

  /// A stream has told of an error that is its provider's.
  private func sawFault(_ run: ExchangeRun, _ transfer: TransferID) -> Bool {
    if run.exchange.shape.endpoint.tellsOfThePast { return false }
    return upstream.withObserver(transfer) { $0.sawErrorFrame } ?? false
  }

  /// Its end, before that of its connection has come.
  func saidEnd(_ run: ExchangeRun, _ attempt: Int, _ transfer: TransferID) -> ExchangeEvent {
    let sawError = sawFault(run, transfer)
    upstream.withObserver(transfer) { run.usage = $0.usage }
    noteCost(run, attempt)
    return .ended(attempt, sawError ? .fault(.errorInside) : .good, tokens: run.usage.sum)
  }

  /// A committed answer has come to its end. For a chat stream the transport's end is not enough: a proxy on
  /// the way may have ended it in good form when its own upstream died.
  private func isWhole(_ run: ExchangeRun, _ transfer: TransferID, _ outcome: TransferOutcome) -> Bool {
    if run.pipe != nil {
      return hasSaidClose(run, transfer)
    }
    if outcome.fault != nil { return false }
    let end = run.exchange.shape.endpoint.streamEnd
    return upstream.withObserver(transfer) { stream -> Bool in
      switch end {
      case .doneOrFinish: stream.end != .none || stream.sawFinish
      case .terminalEvent: stream.end != .none
      case .transport: stream.endsBetweenEvents
      }
    } ?? true
  }

  private func judge(
    _ run: ExchangeRun, _ attempt: Int, _ transfer: TransferID, now: Moment,
    _ decide: (borrowing Answer, ExchangeShape, Bool) -> Verdict
  ) -> Verdict {
    let isStream = upstream.progress(transfer)?.isEventStream ?? false
    let sawError = upstream.withObserver(transfer) { $0.sawErrorFrame } ?? false
    let shape = run.exchange.shape
    let zone = run.runtime.catalog.providers[run.exchange.attempts[attempt].choice.provider].zone
    let verdict =
      upstream.withHead(transfer) { response, raw in
        upstream.withHeld(transfer) { body in
          let answer = Answer(
            head: response, raw: raw, body: body, isEventStream: isStream, zone: zone)
          return decide(answer, shape, sawError)
        }
      }.flatMap { $0 } ?? .fault(.cut)
    if run.pipe == nil { return verdict }
    return refusedUpgrade(run.exchange.attempts[attempt].status, verdict)
  }

  /// Takes the rate-limit headers in, by the preset's names.
  func learn(_ run: ExchangeRun, _ attempt: Int, _ transfer: TransferID, now: Moment) {
    guard run.exchange.attempts[attempt].isLive else { return }
    let ticket = run.exchange.attempts[attempt].ticket
    let provider = run.exchange.attempts[attempt].choice.provider
    let pairs = run.runtime.catalog.providers[provider].quotaHeaders.pairs
    if pairs.isEmpty { return }
    upstream.withHead(transfer) { response, raw in
      for index in pairs.indices {
        guard let left = response.value(named: pairs[index].remaining, in: raw),
          let remaining = raw.extracting(left).quantity,
          let reset = response.value(named: pairs[index].reset, in: raw),
          let interval = RetryHints.resetInterval(raw.extracting(reset), now: now.wall)
        else { continue }
        run.runtime.health.learn(
          ticket, pair: index, remaining: remaining, resetAt: now.instant + interval, now: now.instant)
      }
    }
  }
}

extension TransferEnd {
  init(_ fault: TransferFault, of outcome: TransferOutcome) {
    switch fault {
    case .couldNotConnect where outcome.isRefused: self = .refused
    case .couldNotResolve, .couldNotConnect, .connectTimedOut, .localFault: self = .unreachable
    case .tlsFailed: self = .tls
    case .reset: self = .reset
    case .closedEarly: self = .cut
    case .reusedConnectionDied, .refusedStream: self = .stale
    case .lostRace: self = .raceLost
    case .outOfDescriptors: self = .noRoom
    case .protocolError: self = .unreadable
    }
  }
}
