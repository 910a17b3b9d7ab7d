internal import Base
internal import Exchange
package import Policy
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
      if let cached = run?.usage.cached { line.add("tokens_cached", cached.value) }
      add(reply, run?.bill, to: &line)
      line.add("cache", reply.cacheState.name)
      if let size = run?.batch?.size, size > 1 { line.add("batch", size) }
      if reply.wantsStream { line.add("stream", "true") }
      if reply.version == .http2 { line.add("proto", "h2") }
    }
  }

  /// What an answer cost, and how much less than otherwise, where prices tell.
  private func add(_ reply: Reply, _ bill: Bill?, to line: inout LogLine) {
    let isShared = reply.cacheState == .hit || reply.cacheState == .coalesced
    let worth = reply.cacheState == .hit ? reply.worth : bill?.worth ?? .none
    guard worth > .none || (bill?.spent ?? .none) > .none else { return }
    let spent = isShared ? .none : bill?.spent ?? .none
    line.add("cost_usd") { $0.append(spent) }
    line.add("saved_usd") {
      $0.append(isShared ? worth : (bill?.savedByPrompt ?? .none) + (bill?.savedByTier ?? .none))
    }
  }

  /// A request that was answered with an error before it became an exchange: who asked, for what, and why not.
  /// `connection`: nil where no head could be read.
  func refusal(
    _ text: ErrorText, id: RequestID, client: String?, connection: Connection?, now: Moment
  ) {
    line(.info) { line in
      line.add("msg", "refused")
      line.add("id", id.span)
      line.add("client", client ?? "-")
      if let connection {
        let head = connection.parser.head
        connection.inbound.withBytes { bytes in
          func add(_ name: StaticString, _ range: Range<Int>) {
            line.add(name, bytes.extracting(range.prefix(Limits.loggedField)))
          }
          add("path", head.path)
          add("host", head.host)
          if let origin = head.value(of: .origin) { add("origin", origin) }
        }
      }
      if !text.model.isEmpty {
        line.add("model", text.model.span.extracting(0..<min(text.model.count, Limits.modelName)))
      }
      line.add("status", text.error.row.status)
      line.add("reason") { text.writeMessage(run: nil, now: now.instant, into: &$0) }
      line.add("end", text.error.row.code)
    }
  }

  /// What is used of a provider: at the start and after a reload.
  package func provider(_ provider: Provider) {
    line(.info) { line in
      line.add("msg", "provider")
      line.add("provider", provider.name)
      line.add("tier", provider.tier)
      line.add("endpoint", provider.endpoint)
      let names = provider.models.map { $0.name } + (provider.passesAnyModel ? ["*"] : [])
      line.add("models", LoneModels(provider: provider.name, names: names).list(limit: Limits.namesInMessage))
      line.add("keys", provider.keys.count)
    }
  }

  /// One that is not used, and why.
  package func leftOut(_ provider: DisabledProvider) {
    line(provider.reason == nil ? .info : .warning) { line in
      line.add("msg", "provider left out")
      line.add("provider", provider.name)
      line.add("reason", provider.reason ?? "enabled: false")
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
