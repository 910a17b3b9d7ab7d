internal import Base
internal import Exchange
internal import Policy
internal import Wire

// The lines about attempts: what they cost a provider, and at `debug` the time of every phase.
extension Log {
  /// Once for each exchange, when it is over.
  func attempts(of run: ExchangeRun, now: Moment) {
    let isVerbose = level >= .debug
    for index in run.exchange.attempts.indices {
      if isVerbose { phases(of: index, run) }
      if run.exchange.attempts[index].consequence != nil { consequence(of: index, run, now) }
    }
  }

  /// When one attempt was opened, connected, answered, showed content and ended: milliseconds from the request's
  /// last byte. What did not happen is left out.
  private func phases(of index: Int, _ run: ExchangeRun) {
    let attempt = run.exchange.attempts[index]
    line(.debug) { line in
      line.add("msg", "attempt")
      addNames(of: index, run, to: &line)
      line.add("opened_ms", milliseconds: attempt.openedAt - run.startedAt)
      if let at = attempt.sentAt { line.add("connected_ms", milliseconds: at - run.startedAt) }
      if let at = attempt.answeredAt { line.add("head_ms", milliseconds: at - run.startedAt) }
      if let at = attempt.firstContentAt { line.add("first_ms", milliseconds: at - run.startedAt) }
      if let at = attempt.endedAt { line.add("end_ms", milliseconds: at - run.startedAt) }
      if attempt.status > 0 { line.add("status", attempt.status) }
      line.add("reason", attempt.fault?.reason ?? "ok")
      addDetail(of: index, run, to: &line)
    }
  }

  /// A provider, key or model that is left alone from now on is worth a line, once.
  private func consequence(of index: Int, _ run: ExchangeRun, _ now: Moment) {
    let attempt = run.exchange.attempts[index]
    guard let consequence = attempt.consequence, consequence.isNew, let fault = attempt.fault else { return }
    line(fault == .keyRejected ? .error : .warning) { line in
      line.add("msg", fault == .keyRejected ? "the provider rejects the key" : "left alone for a while")
      addNames(of: index, run, to: &line)
      switch consequence.scope {
      case .provider: line.add("scope", "provider")
      case .account: line.add("scope", "account")
      case .key: line.add("scope", "key")
      case .candidate: line.add("scope", "model")
      case .endpoint:
        line.add("scope", "endpoint")
        line.add("endpoint", run.exchange.shape.endpoint.name)
      }
      line.add("reason", fault.reason)
      line.add("for_s", (consequence.until - now.instant).wholeSecondsUp)
      addDetail(of: index, run, to: &line)
    }
  }

  private func addNames(of index: Int, _ run: ExchangeRun, to line: inout LogLine) {
    let choice = run.exchange.attempts[index].choice
    if let id = run.requestID { line.add("id", id.span) }
    line.add("provider", run.setup.catalog.providers[choice.provider].name)
    line.add("model", run.setup.catalog[choice.candidate].name)
    line.add("key", choice.key + 1)
  }

  private func addDetail(of index: Int, _ run: ExchangeRun, to line: inout LogLine) {
    let words = run.exchange.attempts[index].words
    if !words.isEmpty { line.add("detail", words.span) }
  }
}
