package import Base
internal import Kernel
package import Observability
package import Policy
internal import Wire

/// `/metrics`, a piece at a time.
///
/// The rows of one histogram series, of one provider's state or of one client stand in one piece: they are of one
/// moment. It holds no figures itself but those of `facts`, so that a slow reader costs one piece of memory.
package struct MetricsPage {
  /// The families, in the order of the page.
  private enum Section: Int {
    case exchanges, attempts, passed, refusals
    case duration, firstChunk, tokens, overhead
    case state, inFlight, tier, cooldown, breaker, latency, success, quota
    case batches, batchedRequests, cachedTokens, spending, savings
    case server, cache, process
  }

  let format: MetricsFormat
  private let metrics: Metrics
  private let health: HealthStore
  private let facts: OperatingFacts
  /// The names that places in the tables stand for.
  private let naming: Int
  private var section: Section? = .exchanges
  /// The next client, provider or series of the section.
  private var item = 0

  package init(
    _ metrics: Metrics, _ health: HealthStore, _ facts: OperatingFacts, format: MetricsFormat = .prometheus
  ) {
    self.format = format
    self.metrics = metrics
    self.health = health
    self.facts = facts
    naming = metrics.naming
  }

  /// A new configuration has other names: what is written cannot be gone on with.
  package var isOutdated: Bool { naming != metrics.naming }

  /// Adds what comes next until `out` has `size` bytes. False: that was the page's end.
  package mutating func write(upTo size: Int, now: Instant, into out: inout ByteBuffer) -> Bool {
    while let current = section {
      if item == 0 { writeHead(of: current, into: &out) }
      let count = count(of: current)
      while item < count {
        write(item, of: current, now, into: &out)
        item += 1
        if out.count >= size { return true }
      }
      section = Section(rawValue: current.rawValue + 1)
      item = 0
    }
    if format == .openMetrics { out.append("# EOF\n") }
    return false
  }

  private func count(of section: Section) -> Int {
    switch section {
    case .exchanges: metrics.clients.texts.count
    case .attempts, .passed: metrics.providers.texts.count
    case .duration: metrics.duration.keys.count
    case .firstChunk: metrics.firstChunk.keys.count
    case .tokens: metrics.tokens.keys.count
    case .state, .quota: health.statusCount
    case .inFlight, .tier, .cooldown, .breaker, .latency, .success, .batches, .batchedRequests, .cachedTokens,
      .spending:
      health.catalog.providers.count
    case .savings, .refusals, .overhead, .server, .cache, .process: 1
    }
  }

  private func writeHead(of section: Section, into out: inout ByteBuffer) {
    switch section {
    case .exchanges:
      out.family(format, "synaxis_exchanges_total", "counter", "Exchanges by how they ended and by client.")
    case .attempts:
      out.family(
        format,
        "synaxis_attempts_total", "counter",
        "Attempts at providers by how they ended: ok, or the fault's name.")
    case .refusals:
      out.family(
        format,
        "synaxis_refusals_total", "counter", "Requests refused before an exchange began, by error code.")
    case .duration:
      out.family(format, Self.duration, "histogram", "From a request's last byte to the end of its exchange.")
    case .firstChunk:
      out.family(
        format, Self.firstChunk, "histogram", "From a streamed request's last byte to its first content.")
    case .tokens:
      out.family(format, Self.tokens, "histogram", "Tokens of one exchange as its answer told them.")
    case .overhead:
      out.family(
        format,
        Self.overhead, "histogram", "From a request's last byte to the first attempt: the gateway's own time."
      )
    case .state:
      out.family(
        format,
        "synaxis_provider_state", "gauge", "1 for the state that a provider is in, 0 for the others.")
    case .inFlight: out.family(format, "synaxis_provider_in_flight", "gauge", "Attempts under way.")
    case .tier:
      out.family(format, "synaxis_provider_tier", "gauge", "The provider's tier; the lowest is tried first.")
    case .cooldown:
      out.family(
        format,
        "synaxis_provider_cooldown_seconds", "gauge", "Time until the provider is used again.")
    case .breaker:
      out.family(format, "synaxis_provider_breaker_open", "gauge", "1 while the breaker is open or probes.")
    case .latency:
      out.family(
        format,
        "synaxis_provider_latency_seconds", "gauge",
        "Moving average of the time to first token, without samples absent.")
    case .success:
      out.family(
        format,
        "synaxis_provider_success_ratio", "gauge",
        "Good outcomes of the last minutes, without outcomes absent.")
    case .quota:
      out.family(
        format, "synaxis_provider_quota_remaining", "gauge", "The least known to be left, over all keys.")
    case .passed: writePassedHead(into: &out)
    case .batches: writeBatchesHead(into: &out)
    case .batchedRequests: writeBatchedRequestsHead(into: &out)
    case .cachedTokens: writeCachedTokensHead(into: &out)
    case .spending: writeSpendingHead(into: &out)
    case .savings: writeSavingsHead(into: &out)
    case .server, .cache, .process: break
    }
  }

  private func write(_ item: Int, of section: Section, _ now: Instant, into out: inout ByteBuffer) {
    switch section {
    case .exchanges: writeExchanges(ofClient: item, into: &out)
    case .attempts: writeAttempts(atProvider: item, into: &out)
    case .passed: writePassed(toProvider: item, metrics, into: &out)
    case .refusals: writeRefusals(into: &out)
    case .duration: writeDuration(item, into: &out)
    case .firstChunk: writeSeries(item, of: metrics.firstChunk, Self.firstChunk, into: &out)
    case .tokens: writeTokens(item, into: &out)
    case .overhead: writeRows(0, of: metrics.overhead, Self.overhead, Span(), into: &out)
    case .state: writeState(health.status(at: item, now: now), into: &out)
    case .quota: writeQuota(health.status(at: item, now: now), into: &out)
    case .batches: writeBatches(false, of: health.catalog.providers[item], metrics, into: &out)
    case .batchedRequests: writeBatches(true, of: health.catalog.providers[item], metrics, into: &out)
    case .cachedTokens: writeCachedTokens(health.status(of: item, now: now), into: &out)
    case .spending: writeSpending(health.status(of: item, now: now), into: &out)
    case .savings: writeSavings(Savings(health, metrics), into: &out)
    case .inFlight, .tier, .cooldown, .breaker, .latency, .success:
      writeGauge(section, health.status(of: item, now: now), now, into: &out)
    case .server: writeServer(metrics, facts, into: &out)
    case .cache: writeCache(metrics, facts.cache, into: &out)
    case .process: writeProcess(metrics, into: &out)
    }
  }

  // MARK: - Counters

  private func writeExchanges(ofClient client: Int, into out: inout ByteBuffer) {
    for (end, word) in metrics.ends.words.enumerated() {
      let count = metrics.exchanges[client * metrics.ends.capacity + end]
      if count == 0, end == 0 || end > 9 { continue }
      out.begin("synaxis_exchanges_total")
      out.label("client", metrics.clients.texts[client])
      out.label("end", word)
      out.end(count)
    }
  }

  private func writeAttempts(atProvider provider: Int, into out: inout ByteBuffer) {
    if provider == 0 { return }
    for (reason, word) in metrics.reasons.words.enumerated() {
      let count = metrics.attempts[provider * metrics.reasons.capacity + reason]
      if count == 0, reason != 1 { continue }
      out.begin("synaxis_attempts_total")
      out.label("provider", metrics.providers.texts[provider])
      out.label("reason", word)
      out.end(count)
    }
  }

  private func writeRefusals(into out: inout ByteBuffer) {
    for (code, word) in metrics.refusalCodes.words.enumerated() {
      out.begin("synaxis_refusals_total")
      out.label("code", word)
      out.end(metrics.refusals[code])
    }
    out.single(
      format,
      "synaxis_request_body_bytes_total", "counter", "Bytes of request bodies of ended exchanges.",
      metrics.bytesIn)
    out.single(
      format,
      "synaxis_answer_body_bytes_total", "counter", "Bytes of answer bodies of ended exchanges.",
      metrics.bytesOut)
  }

  // MARK: - Histograms

  private static var duration: StaticString { "gen_ai_client_operation_duration_seconds" }
  private static var firstChunk: StaticString { "gen_ai_client_operation_time_to_first_chunk_seconds" }
  private static var tokens: StaticString { "gen_ai_client_token_usage" }
  private static var overhead: StaticString { "synaxis_overhead_seconds" }

  private func writeDuration(_ series: Int, into out: inout ByteBuffer) {
    let word = metrics.duration.keys[series].word
    // No label on success, as OpenTelemetry has it.
    writeSeries(
      series, of: metrics.duration, Self.duration,
      label: "error_type", word == 1 ? "" : metrics.ends.words[word], into: &out)
  }

  private func writeTokens(_ series: Int, into out: inout ByteBuffer) {
    let isInput = metrics.tokens.keys[series].word == 0
    writeSeries(
      series, of: metrics.tokens, Self.tokens, isTime: false, label: "gen_ai_token_type",
      isInput ? "input" : "output", into: &out)
  }

  /// One series, if it has counted something. Its labels are composed once for all of its rows.
  private func writeSeries(
    _ series: Int, of table: HistogramTable, _ name: StaticString, isTime: Bool = true,
    label: StaticString? = nil, _ word: StaticString = "", into out: inout ByteBuffer
  ) {
    if table.isEmpty(series) { return }
    let key = table.keys[series]
    var labels = ByteBuffer()
    labels.label("gen_ai_operation_name", key.operation.name)
    labels.label("gen_ai_provider_name", metrics.providers.texts[key.provider])
    labels.label("gen_ai_request_model", metrics.models.texts[key.model])
    if let label { labels.label(label, word) }
    labels.withBytes { writeRows(series, of: table, name, isTime: isTime, $0, into: &out) }
  }

  /// The rows of a series. `labels`: `{` and what all of them have, or nothing.
  private func writeRows(
    _ series: Int, of table: HistogramTable, _ name: StaticString, isTime: Bool = true,
    _ labels: Span<UInt8>, into out: inout ByteBuffer
  ) {
    var sum: UInt64 = 0
    for (bucket, bound) in table.bounds.enumerated() {
      sum &+= table.count(series, bucket: bucket)
      out.begin(name, "_bucket")
      out.append(labels)
      out.label("le", bound: bound, isTime: isTime)
      out.end(sum)
    }
    sum &+= table.count(series, bucket: table.bounds.count)
    out.begin(name, "_bucket")
    out.append(labels)
    out.label("le", "+Inf" as StaticString)
    out.end(sum)
    out.begin(name, "_sum")
    out.append(labels)
    if isTime {
      out.end(seconds: Int64(clamping: table.sum(series)))
    } else {
      out.end(table.sum(series))
    }
    out.begin(name, "_count")
    out.append(labels)
    out.end(sum)
  }

  // MARK: - Providers

  private func writeState(_ status: ProviderStatus, into out: inout ByteBuffer) {
    for state in [ProviderStatus.State.online, .cooling, .offline, .disabled] {
      out.begin("synaxis_provider_state")
      out.label("provider", status.name)
      out.label("state", state.word)
      out.end(status.state == state ? 1 : 0)
    }
  }

  private func writeQuota(_ status: ProviderStatus, into out: inout ByteBuffer) {
    writeQuota("requests", status.quota.requests, status, into: &out)
    writeQuota("tokens", status.quota.tokens, status, into: &out)
  }

  private func writeQuota(
    _ unit: StaticString, _ left: Quantity?, _ status: ProviderStatus, into out: inout ByteBuffer
  ) {
    guard let left else { return }
    out.begin("synaxis_provider_quota_remaining")
    out.label("provider", status.name)
    out.label("unit", unit)
    out.end(left.value)
  }

  /// One value of an enabled provider; what is not known is left out.
  private func writeGauge(
    _ section: Section, _ status: ProviderStatus, _ now: Instant, into out: inout ByteBuffer
  ) {
    switch section {
    case .inFlight: write("synaxis_provider_in_flight", status.name, into: &out) { $0.end(status.inFlight) }
    case .tier: write("synaxis_provider_tier", status.name, into: &out) { $0.end(status.tier) }
    case .cooldown:
      let until = status.cooldownUntil ?? now
      let left = until == .distantFuture ? 0 : max(0, (until - now).nanoseconds)
      write("synaxis_provider_cooldown_seconds", status.name, into: &out) { $0.end(seconds: left) }
    case .breaker:
      write("synaxis_provider_breaker_open", status.name, into: &out) { $0.end(status.isBreakerOpen ? 1 : 0) }
    case .latency:
      guard let latency = status.latency else { return }
      write("synaxis_provider_latency_seconds", status.name, into: &out) {
        $0.end(seconds: latency.nanoseconds)
      }
    case .success:
      guard let rate = status.successRate else { return }
      write("synaxis_provider_success_ratio", status.name, into: &out) {
        $0.end(seconds: Int64(rate * 1_000_000_000))
      }
    case .exchanges, .attempts, .passed, .refusals, .duration, .firstChunk, .tokens, .overhead, .state,
      .quota, .batches, .batchedRequests, .cachedTokens, .spending, .savings, .server, .cache, .process:
      break
    }
  }

  private func write(
    _ name: StaticString, _ provider: String, into out: inout ByteBuffer, _ end: (inout ByteBuffer) -> Void
  ) {
    out.begin(name)
    out.label("provider", provider)
    end(&out)
  }
}

// What is neither a client's nor a provider's.
extension MetricsPage {
  fileprivate func writeServer(_ metrics: Metrics, _ facts: OperatingFacts, into out: inout ByteBuffer) {
    out.single(format, "synaxis_exchanges_in_flight", "gauge", "Exchanges under way.", facts.exchanges)
    out.single(format, "synaxis_connections", "gauge", "Clients' connections.", facts.connections)
    out.single(
      format,
      "synaxis_connections_limit", "gauge", "How many connections there may be.", facts.connectionLimit)
    out.single(
      format,
      "synaxis_buffered_bytes", "gauge", "Bytes that wait in clients' connections.", facts.bufferedBytes)
    out.single(
      format, "synaxis_draining", "gauge", "1 while the instance shuts down.", facts.isDraining ? 1 : 0)
    out.single(
      format,
      "synaxis_log_lines_dropped_total", "counter", "Log lines dropped because their reader was too slow.",
      facts.logLinesDropped)
    out.family(format, "synaxis_build_info", "gauge", "Always 1; the labels say what runs.")
    out.begin("synaxis_build_info")
    out.label("version", metrics.version)
    out.end(1)
  }

  fileprivate func writeCache(_ metrics: Metrics, _ facts: CacheFacts, into out: inout ByteBuffer) {
    out.single(format, "synaxis_cache_enabled", "gauge", "1 where answers are kept.", facts.isEnabled ? 1 : 0)
    out.family(
      format,
      "synaxis_cache_requests_total", "counter",
      "Exchanges by what the cache did: hit, miss, bypass, or coalesced with another.")
    for state in CacheState.allCases {
      out.begin("synaxis_cache_requests_total")
      out.label("outcome", state.name)
      out.end(metrics.cacheStates[state.rawValue])
    }
    out.single(
      format,
      "synaxis_cache_calls_saved_total", "counter", "Upstream calls that hits and coalescing made needless.",
      metrics.callsSaved)
    out.single(format, "synaxis_cache_stored_total", "counter", "Answers that were kept.", facts.stored)
    out.single(
      format, "synaxis_cache_evicted_total", "counter", "Answers dropped to make room.", facts.evicted)
    out.single(
      format,
      "synaxis_cache_expired_total", "counter", "Answers dropped because they were old.", facts.expired)
    out.single(format, "synaxis_cache_entries", "gauge", "Answers in memory.", facts.entries)
    out.single(format, "synaxis_cache_bytes", "gauge", "Memory that they take.", facts.bytes)
  }

  fileprivate func writeProcess(_ metrics: Metrics, into out: inout ByteBuffer) {
    out.single(
      format,
      "process_resident_memory_bytes", "gauge", "Resident memory in bytes.", ProcessFacts.residentBytes)
    out.single(format, "process_open_fds", "gauge", "Open file descriptors.", ProcessFacts.openDescriptors)
    out.single(
      format,
      "process_max_fds", "gauge", "Most file descriptors that may be open.", ProcessFacts.descriptorLimit)
    let seconds: StaticString = "process_cpu_seconds_total"
    out.family(format, seconds, "counter", "User and system time.")
    out.begin(seconds)
    out.end(seconds: ProcessFacts.processorTime.nanoseconds)
    let start: StaticString = "process_start_time_seconds"
    out.family(format, start, "gauge", "Start of the process since the Unix epoch.")
    out.begin(start)
    out.end(seconds: metrics.startedOn.milliseconds * 1_000_000)
  }
}
