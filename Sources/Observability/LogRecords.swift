package import Base
package import Exchange
package import Policy
internal import Wire

// The lines that exchanges and refusals leave. Never a body, never a key.
extension Log {
  /// The one line of a client's exchange: who, where to, how long, how much, and how it ended.
  ///
  /// `upstreamID`: the provider's name for the request, where its answer has one.
  package func exchange(_ request: borrowing RequestRecord, upstreamID: Span<UInt8>, now: Moment) {
    let model = request.model
    line(.info) { line in
      line.add("msg", word: "exchange")
      line.add("id", request.id.span)
      if let trace = request.trace { line.add("trace_id") { trace.write(into: &$0) } }
      line.add("client", request.client ?? "-")
      line.add("endpoint", request.endpoint.name)
      line.add("model", model.span.extracting(0..<min(model.count, Limits.modelName)))
      if request.hasExchange {
        if let provider = request.attempts.answeringProvider {
          line.add("provider", request.providers[provider].name)
        } else {
          line.add("provider", word: "-")
        }
        line.add("attempts") {
          AttemptList.write(request.attempts, request.providers, now: now.instant, into: &$0)
        }
        if !upstreamID.isEmpty {
          line.add("upstream_id", upstreamID.extracting(0..<min(upstreamID.count, Limits.upstreamID)))
        }
      }
      line.add("status", request.status)
      if !request.reason.isEmpty { line.add("reason", request.reason.span) }
      line.add("end", word: request.end)
      if let first = request.firstByte { line.add("ttft_ms", milliseconds: first) }
      line.add("total_ms", milliseconds: request.total)
      line.add("overhead_us", request.overhead.microseconds)
      line.add("bytes_in", request.bytesIn)
      line.add("bytes_out", request.bytesOut)
      if let input = request.usage.input { line.add("tokens_in", input.value) }
      if let output = request.usage.output { line.add("tokens_out", output.value) }
      if let cached = request.usage.cached { line.add("tokens_cached", cached.value) }
      addCost(of: request, to: &line)
      line.add("cache", word: request.cacheState.name)
      if request.batchSize > 1 { line.add("batch", request.batchSize) }
      if request.wantsStream { line.add("stream", word: "true") }
      if request.version == .http2 { line.add("proto", word: "h2") }
    }
  }

  /// What an answer cost, and how much less than otherwise, where prices tell.
  private func addCost(of request: borrowing RequestRecord, to line: inout LogLine) {
    let bill = request.bill
    let worth = request.cacheState == .hit ? request.worth : bill?.worth ?? .none
    guard worth > .none || (bill?.spent ?? .none) > .none else { return }
    let isShared = request.cacheState.isShared
    let spent = isShared ? .none : bill?.spent ?? .none
    line.add("cost_usd") { $0.append(spent) }
    line.add("saved_usd") {
      $0.append(isShared ? worth : (bill?.savedByPrompt ?? .none) + (bill?.savedByTier ?? .none))
    }
  }

  /// A request that was answered with an error before it became an exchange: who asked, for what, and why not.
  /// `path`, `host` and `origin` of its head lie in `bytes`; without a path none could be read.
  package func refusal(
    _ text: ErrorText, id: RequestID, client: String?, path: Range<Int>?, host: Range<Int>,
    origin: Range<Int>?,
    in bytes: Span<UInt8>, now: Moment
  ) {
    line(.info) { line in
      line.add("msg", "refused")
      line.add("id", id.span)
      line.add("client", client ?? "-")
      if let path {
        func add(_ name: StaticString, _ range: Range<Int>) {
          line.add(name, bytes.extracting(range.prefix(Limits.loggedField)))
        }
        add("path", path)
        add("host", host)
        if let origin { add("origin", origin) }
      }
      if !text.model.isEmpty {
        line.add("model", text.model.span.extracting(0..<min(text.model.count, Limits.modelName)))
      }
      line.add("status", text.error.row.status)
      line.add("reason") { text.writeMessage(of: nil, now: now.instant, into: &$0) }
      line.add("end", text.error.row.code)
    }
  }

  /// A request that was passed on.
  package func passed(_ request: PassedRecord, upstreamID: Span<UInt8>) {
    let (method, path) = (request.method, request.path)
    line(.info) { line in
      line.add("msg", "passed")
      line.add("id", request.id.span)
      if let trace = request.trace { line.add("trace_id") { trace.write(into: &$0) } }
      line.add("client", request.client ?? "-")
      line.add("provider", request.provider)
      line.add("method", method.span.extracting(0..<min(method.count, Limits.loggedField)))
      line.add("path", path.span.extracting(0..<min(path.count, Limits.loggedField)))
      if !upstreamID.isEmpty {
        line.add("upstream_id", upstreamID.extracting(0..<min(upstreamID.count, Limits.upstreamID)))
      }
      line.add("status", request.status)
      if !request.reason.isEmpty { line.add("reason", request.reason) }
      line.add("end", request.end)
      line.add("total_ms", milliseconds: request.total)
      line.add("bytes_in", request.bytesIn)
      line.add("bytes_out", request.bytesOut)
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
  package func page(status: Int, id: RequestID) {
    line(.debug) { line in
      line.add("msg", "page")
      line.add("id", id.span)
      line.add("status", status)
    }
  }
}
