package import Base
internal import Kernel
package import Policy
internal import Wire

/// What the pages tell of the cache. What is counted goes on counting when a reload switches it off.
package struct CacheFacts: Sendable {
  var isEnabled = false
  var entries = 0
  var bytes = 0
  var stored: Int64 = 0
  var evicted: Int64 = 0
  var expired: Int64 = 0
}

/// What is so at the time the page is asked for.
package struct OperatingFacts: Sendable {
  var now: Moment
  var statuses: [ProviderStatus]
  var isDraining = false
  var connections = 0
  var connectionLimit = 0
  var exchanges = 0
  /// Bytes of requests and answers that wait in clients' connections.
  var bufferedBytes = 0
  var logLinesDropped: Int64 = 0
  var cache = CacheFacts()

  package init(now: Moment, statuses: [ProviderStatus]) {
    self.now = now
    self.statuses = statuses
  }
}

/// `/metrics` in Prometheus' text format 0.0.4.
package enum MetricsPage {
  package static func write(_ metrics: Metrics, _ facts: OperatingFacts, into out: inout ByteBuffer) {
    writeExchanges(metrics, into: &out)
    writeHistograms(metrics, into: &out)
    writeProviders(facts, into: &out)
    writeState(metrics, facts, into: &out)
    writeCache(metrics, facts.cache, into: &out)
    writeProcess(metrics, into: &out)
  }

  private static func writeExchanges(_ metrics: Metrics, into out: inout ByteBuffer) {
    out.family("synaxis_exchanges_total", "counter", "Exchanges by how they ended and by client.")
    for client in metrics.clients.texts.indices {
      for (end, word) in metrics.ends.words.enumerated() {
        let count = metrics.exchanges[client * metrics.ends.capacity + end]
        if count == 0, end == 0 || end > 9 { continue }
        out.begin("synaxis_exchanges_total")
        out.label("client", metrics.clients.texts[client])
        out.label("end", word)
        out.end(count)
      }
    }
    out.family(
      "synaxis_attempts_total", "counter", "Attempts at providers by how they ended: ok, or the fault's name."
    )
    for provider in metrics.providers.texts.indices.dropFirst() {
      for (reason, word) in metrics.reasons.words.enumerated() {
        let count = metrics.attempts[provider * metrics.reasons.capacity + reason]
        if count == 0, reason != 1 { continue }
        out.begin("synaxis_attempts_total")
        out.label("provider", metrics.providers.texts[provider])
        out.label("reason", word)
        out.end(count)
      }
    }
    out.family(
      "synaxis_refusals_total", "counter", "Requests refused before an exchange began, by error code.")
    for (code, word) in metrics.refusalCodes.words.enumerated() {
      out.begin("synaxis_refusals_total")
      out.label("code", word)
      out.end(metrics.refusals[code])
    }
    out.single(
      "synaxis_request_body_bytes_total", "counter", "Bytes of request bodies of ended exchanges.",
      metrics.bytesIn)
    out.single(
      "synaxis_answer_body_bytes_total", "counter", "Bytes of answer bodies of ended exchanges.",
      metrics.bytesOut)
  }

  // MARK: - Histograms

  private static func writeHistograms(_ metrics: Metrics, into out: inout ByteBuffer) {
    let name: StaticString = "gen_ai_client_operation_duration_seconds"
    out.family(name, "histogram", "From a request's last byte to the end of its exchange.")
    write(metrics.duration, name, metrics, into: &out) { key, out in
      // No label on success, as OpenTelemetry has it.
      out.label("error_type", key.word == 1 ? "" : metrics.ends.words[key.word])
    }
    let first: StaticString = "gen_ai_client_operation_time_to_first_chunk_seconds"
    out.family(first, "histogram", "From a streamed request's last byte to its first content.")
    write(metrics.firstChunk, first, metrics, into: &out) { _, _ in }
    let tokens: StaticString = "gen_ai_client_token_usage"
    out.family(tokens, "histogram", "Tokens of one exchange as its answer told them.")
    write(metrics.tokens, tokens, metrics, isTime: false, into: &out) { key, out in
      out.label("gen_ai_token_type", key.word == 0 ? "input" : "output")
    }
    let own: StaticString = "synaxis_overhead_seconds"
    out.family(own, "histogram", "From a request's last byte to the first attempt: the gateway's own time.")
    write(metrics.overhead, own, nil, into: &out) { _, _ in }
  }

  /// Every series that has counted something; without `metrics`, the one series without labels.
  private static func write(
    _ table: HistogramTable, _ name: StaticString, _ metrics: Metrics?, isTime: Bool = true,
    into out: inout ByteBuffer, labels: (SeriesKey, inout ByteBuffer) -> Void
  ) {
    for (series, key) in table.keys.enumerated() {
      var total: UInt64 = 0
      for bucket in 0...table.bounds.count { total &+= table.count(series, bucket: bucket) }
      if total == 0, metrics != nil { continue }
      func begin(_ suffix: StaticString) {
        out.begin(name, suffix)
        if let metrics {
          out.label("gen_ai_operation_name", key.task.operationName)
          out.label("gen_ai_provider_name", metrics.providers.texts[key.provider])
          out.label("gen_ai_request_model", metrics.models.texts[key.model])
          labels(key, &out)
        }
      }
      var sum: UInt64 = 0
      for (bucket, bound) in table.bounds.enumerated() {
        sum &+= table.count(series, bucket: bucket)
        begin("_bucket")
        out.label("le", bound: bound, isTime: isTime)
        out.end(sum)
      }
      begin("_bucket")
      out.label("le", "+Inf")
      out.end(total)
      begin("_sum")
      if isTime {
        out.end(seconds: Int64(clamping: table.sum(series)))
      } else {
        out.end(table.sum(series))
      }
      begin("_count")
      out.end(total)
    }
  }

  // MARK: - Providers

  private static func writeProviders(_ facts: OperatingFacts, into out: inout ByteBuffer) {
    let states: [ProviderStatus.State] = [.online, .cooling, .offline, .disabled]
    out.family("synaxis_provider_state", "gauge", "1 for the state that a provider is in, 0 for the others.")
    for status in facts.statuses {
      for state in states {
        out.begin("synaxis_provider_state")
        out.label("provider", status.name)
        out.label("state", state.word)
        out.end(status.state == state ? 1 : 0)
      }
    }
    gauge("synaxis_provider_in_flight", "Attempts under way.", facts, &out) {
      Int64($0.inFlight) * 1_000_000_000
    }
    gauge("synaxis_provider_tier", "The provider's tier; the lowest is tried first.", facts, &out) {
      Int64($0.tier) * 1_000_000_000
    }
    gauge("synaxis_provider_cooldown_seconds", "Time until the provider is used again.", facts, &out) {
      guard let until = $0.cooldownUntil, until != .distantFuture else { return 0 }
      return max(0, (until - facts.now.instant).nanoseconds)
    }
    gauge("synaxis_provider_breaker_open", "1 while the breaker is open or probes.", facts, &out) {
      $0.isBreakerOpen ? 1_000_000_000 : 0
    }
    gauge(
      "synaxis_provider_latency_seconds",
      "Moving average of the time to first token, without samples absent.",
      facts, &out
    ) { $0.latency?.nanoseconds }
    gauge(
      "synaxis_provider_success_ratio", "Good outcomes of the last minutes, without outcomes absent.", facts,
      &out
    ) { $0.successRate.map { Int64($0 * 1_000_000_000) } }
    out.family("synaxis_provider_quota_remaining", "gauge", "The least known to be left, over all keys.")
    for status in facts.statuses {
      for (unit, left) in [
        ("requests" as StaticString, status.quota.requests), ("tokens", status.quota.tokens),
      ] {
        guard let left else { continue }
        out.begin("synaxis_provider_quota_remaining")
        out.label("provider", status.name)
        out.label("unit", unit)
        out.end(left.value)
      }
    }
  }

  /// One value for each enabled provider, in billionths; nil leaves it out.
  private static func gauge(
    _ name: StaticString, _ help: StaticString, _ facts: OperatingFacts, _ out: inout ByteBuffer,
    _ value: (ProviderStatus) -> Int64?
  ) {
    out.family(name, "gauge", help)
    for status in facts.statuses where status.state != .disabled {
      guard let value = value(status) else { continue }
      out.begin(name)
      out.label("provider", status.name)
      out.end(seconds: value)
    }
  }

  // MARK: - The rest

  private static func writeState(_ metrics: Metrics, _ facts: OperatingFacts, into out: inout ByteBuffer) {
    out.single("synaxis_exchanges_in_flight", "gauge", "Exchanges under way.", facts.exchanges)
    out.single("synaxis_connections", "gauge", "Clients' connections.", facts.connections)
    out.single(
      "synaxis_connections_limit", "gauge", "How many connections there may be.", facts.connectionLimit)
    out.single(
      "synaxis_buffered_bytes", "gauge", "Bytes that wait in clients' connections.", facts.bufferedBytes)
    out.single("synaxis_draining", "gauge", "1 while the instance shuts down.", facts.isDraining ? 1 : 0)
    out.single(
      "synaxis_log_lines_dropped_total", "counter", "Log lines dropped because their reader was too slow.",
      facts.logLinesDropped)
    out.family("synaxis_build_info", "gauge", "Always 1; the labels say what runs.")
    out.begin("synaxis_build_info")
    out.label("version", metrics.version)
    out.end(1)
  }

  private static func writeCache(_ metrics: Metrics, _ facts: CacheFacts, into out: inout ByteBuffer) {
    out.single("synaxis_cache_enabled", "gauge", "1 where answers are kept.", facts.isEnabled ? 1 : 0)
    out.family(
      "synaxis_cache_requests_total", "counter",
      "Exchanges by what the cache did: hit, miss, bypass, or coalesced with another.")
    for state in Reply.CacheState.allCases {
      out.begin("synaxis_cache_requests_total")
      out.label("outcome", state.name)
      out.end(metrics.cacheStates[state.rawValue])
    }
    out.single(
      "synaxis_cache_calls_saved_total", "counter", "Upstream calls that hits and coalescing made needless.",
      metrics.callsSaved)
    out.single("synaxis_cache_stored_total", "counter", "Answers that were kept.", facts.stored)
    out.single("synaxis_cache_evicted_total", "counter", "Answers dropped to make room.", facts.evicted)
    out.single(
      "synaxis_cache_expired_total", "counter", "Answers dropped because they were old.", facts.expired)
    out.single("synaxis_cache_entries", "gauge", "Answers in memory.", facts.entries)
    out.single("synaxis_cache_bytes", "gauge", "Memory that they take.", facts.bytes)
  }

  private static func writeProcess(_ metrics: Metrics, into out: inout ByteBuffer) {
    out.single(
      "process_resident_memory_bytes", "gauge", "Resident memory in bytes.", ProcessFacts.residentBytes)
    out.single("process_open_fds", "gauge", "Open file descriptors.", ProcessFacts.openDescriptors)
    out.single(
      "process_max_fds", "gauge", "Most file descriptors that may be open.", ProcessFacts.descriptorLimit)
    let seconds: StaticString = "process_cpu_seconds_total"
    out.family(seconds, "counter", "User and system time.")
    out.begin(seconds)
    out.end(seconds: ProcessFacts.processorTime.nanoseconds)
    let start: StaticString = "process_start_time_seconds"
    out.family(start, "gauge", "Start of the process since the Unix epoch.")
    out.begin(start)
    out.end(seconds: metrics.startedOn.milliseconds * 1_000_000)
  }
}
