internal import Base
internal import Exchange
internal import Policy
internal import Wire

// The lines that exchanges and refusals leave. Never a body, never a key.
extension Log {
  /// The one line of an exchange: who, where to, how long, how much, and how it ended.
  func exchange(_ run: ExchangeRun, now: Moment) {
    let providers = run.setup.catalog.providers
    let exchange = run.exchange
    for attempt in exchange.attempts {
      consequence(of: attempt, providers[attempt.choice.provider].name, now)
    }
    let model = run.facts.model
    line(.info) { line in
      line.add("msg", "exchange")
      line.add("id", run.requestID.span)
      line.add("client", run.clientName.map { run.setup.configuration.clients[$0].name } ?? "-")
      line.add("endpoint") { out in run.request.withBytes(run.suffix) { out.append($0) } }
      line.add("model", model.span.extracting(0..<min(model.count, Limits.modelName)))
      let last = exchange.attempts.last.map { providers[$0.choice.provider].name }
      line.add("provider", exchange.answeringProvider.map { providers[$0].name } ?? last ?? "-")
      line.add("attempts") { AttemptList.write(exchange, providers, now: now.instant, into: &$0) }
      line.add("status", run.status)
      line.add("end", exchange.ending?.word ?? "open")
      if let first = run.firstByteAt { line.add("ttft_ms", milliseconds: first - run.acceptedAt) }
      line.add("total_ms", milliseconds: now.instant - run.acceptedAt)
      line.add("overhead_us", Int(((run.openedAt ?? now.instant) - run.acceptedAt).microseconds))
      line.add("bytes_in", run.body.count)
      line.add("bytes_out", Int(run.bytesOut))
      if let input = run.usage.input { line.add("tokens_in", Int(input)) }
      if let output = run.usage.output { line.add("tokens_out", Int(output)) }
      if run.facts.wantsStream { line.add("stream", "true") }
    }
  }

  /// A provider, key or model that is left alone from now on is worth a line, once.
  private func consequence(of attempt: Attempt, _ provider: String, _ now: Moment) {
    guard let consequence = attempt.consequence, consequence.isNew, let fault = attempt.fault else { return }
    line(fault == .keyRejected ? .error : .warning) { line in
      line.add("msg", fault == .keyRejected ? "the provider rejects the key" : "left alone for a while")
      line.add("provider", provider)
      switch consequence.scope {
      case .provider: line.add("scope", "provider")
      case .account: line.add("scope", "account")
      case .key:
        line.add("scope", "key")
        line.add("key", attempt.choice.key + 1)
      case .candidate: line.add("scope", "model")
      }
      line.add("reason", fault.reason)
      line.add("for_s", Int((consequence.until - now.instant).wholeSecondsUp))
    }
  }

  /// A request that was answered with an error before it became an exchange.
  func refusal(_ connection: Connection, _ error: LocalError, id: RequestID, now: Moment) {
    line(.info) { line in
      line.add("msg", "refused")
      line.add("id", id.span)
      line.add("status", error.row.status)
      line.add("end", error.row.code)
    }
  }

  /// One of our own pages.
  func page(_ connection: Connection, status: Int, id: RequestID, now: Moment) {
    line(.debug) { line in
      line.add("msg", "page")
      line.add("id", id.span)
      line.add("status", status)
    }
  }
}
