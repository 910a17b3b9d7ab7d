internal import Base
internal import Exchange
internal import Policy
internal import Wire

// The lines that exchanges and refusals leave. Never a body, never a key.
extension Log {
  /// The one line of a client's exchange: who, where to, how long, how much, and how it ended.
  ///
  /// `word` is how it ended for this client, where not as its exchange did. `run` is nil for stored answers.
  /// `upstreamID`: the provider's name for the request, where its answer has one.
  func exchange(
    _ reply: Reply, run: ExchangeRun?, word: StaticString?, overhead: Interval, upstreamID: Span<UInt8>,
    now: Moment
  ) {
    let model = reply.model
    line(.info) { line in
      line.add("msg", "exchange")
      line.add("id", reply.requestID.span)
      if let trace = reply.trace { line.add("trace_id") { trace.write(into: &$0) } }
      line.add("client", reply.client ?? "-")
      line.add("endpoint", reply.endpoint.name)
      line.add("model", model.span.extracting(0..<min(model.count, Limits.modelName)))
      if let run {
        let providers = run.setup.catalog.providers
        let attempts = run.exchange.attempts
        let provider = attempts.answeringProvider
        line.add("provider", provider.map { providers[$0].name } ?? "-")
        line.add("attempts") { AttemptList.write(attempts, providers, now: now.instant, into: &$0) }
        if !upstreamID.isEmpty {
          line.add("upstream_id", upstreamID.extracting(0..<min(upstreamID.count, Limits.upstreamID)))
        }
      }
      line.add("status", reply.status)
      if let run, CauseText.isNeeded(run) {
        line.add("reason") { CauseText(run, now: now.instant).write(into: &$0) }
      }
      line.add("end", word ?? run?.exchange.ending?.word ?? "complete")
      if let first = reply.firstByteAt { line.add("ttft_ms", milliseconds: first - reply.acceptedAt) }
      line.add("total_ms", milliseconds: now.instant - reply.acceptedAt)
      line.add("overhead_us", overhead.microseconds)
      line.add("bytes_in", reply.bytesIn)
      line.add("bytes_out", reply.bytesOut)
      if let input = run?.usage.input { line.add("tokens_in", input.value) }
      if let output = run?.usage.output { line.add("tokens_out", output.value) }
      line.add("cache", reply.cacheState.name)
      if reply.wantsStream { line.add("stream", "true") }
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
