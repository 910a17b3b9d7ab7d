internal import Admin
internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
internal import Policy
internal import Wire

// Our own pages (`Page` is their table): who may see one, what an operator's command does, and which text is sent.
//
// The gate has looked at Host and Origin: a page in a browser that runs on this machine must not end a cooldown.
extension Runner {
  /// - Parameter name: what the path names, still percent-encoded.
  func answerPage(_ connection: Connection, _ asked: Page, name: Range<Int>, now: Moment) {
    if let refusal = refusal(of: connection, for: asked) {
      refuse(connection, refusal, now: now)
      return
    }
    if asked == .unknown {
      refuse(connection, .notFound, now: now)
      return
    }
    guard asked.use.allows(connection.head.method) else {
      refuse(
        connection, .methodNotAllowed(allow: asked.use.allow, isAPI: asked.audience == .clients), now: now)
      return
    }
    var draft = takeDraft()
    var status = 200
    var rest = PageText.none
    switch asked {
    case .home: return sendHome(connection, now: now)
    case .events: return watch(connection, now: now)
    case .metrics: return sendMetrics(connection, now: now)
    case .liveness: draft.body.append(#"{"status":"ok"}"#)
    case .readiness: status = pageSource().writeReadiness(now: now, into: &draft.body)
    case .models: rest = modelList(for: connection.access.account)
    case .model:
      let id = decoded(connection, name)
      guard ModelPage.one(id.span, of: runtime.catalog, for: connection.access.account, into: &draft.body)
      else {
        return refuse(connection, .modelNotFound, model: id, now: now)
      }
    case .health:
      pageSource().writeHealth(now: now, into: &draft.body)
      rest = .providers(ProviderPage(allOf: runtime.health, ending: "]}"))
    case .providers:
      draft.body.append(#"{"providers":["#)
      rest = .providers(ProviderPage(allOf: runtime.health, ending: "]}"))
    case .provider:
      rest = text(of: provider(named: decoded(connection, name)), status: &status, into: &draft.body)
    case .reset:
      let provider = provider(named: decoded(connection, name))
      if let provider { reset(provider) }
      rest = text(of: provider, status: &status, into: &draft.body)
    case .activity: rest = pageSource().writeActivity(now: now, into: &draft.body)
    case .clearCache: clearCache(into: &draft.body)
    case .unknown: return
    }
    sendPage(draft, rest, to: connection, status: status, type: "application/json", now: now)
  }

  /// Nil for whoever may see a page:
  /// 1. a client of an admin listener sees all but those of the providers' models;
  /// 2. what is for anybody, or for clients, whom the gate has let in;
  /// 3. what Prometheus scrapes, whoever reaches a loopback or unix listener;
  /// 4. else whoever shows the admin token, where there is one; without one the pages are off.
  private func refusal(of connection: Connection, for page: Page) -> LocalError? {
    if connection.isAdmin { return page.audience == .clients ? .notFound : nil }  // 1
    switch page.audience {
    case .anybody, .clients: return nil  // 2
    case .scrapers: if connection.reach != .network { return nil }  // 3
    case .operators: break
    }
    guard let token = runtime.configuration.admin.token else { return .adminOff }  // 4
    guard let shown = connection.head.value(of: .authorization) else { return .invalidToken }
    let isRight = connection.inbound.withBytes(shown) { bytes in
      guard bytes.hasPrefixIgnoringCase("bearer ") else { return false }
      return bytes.extracting(bytes.trimmed(7..<bytes.count)).equalsInConstantTime(token.exposed)
    }
    return isRight ? nil : .invalidToken
  }

  private func sendMetrics(_ connection: Connection, now: Moment) {
    let format = connection.inbound.withBytes(connection.head.value(of: .accept) ?? 0..<0) {
      MetricsFormat(accepting: $0)
    }
    let metrics = MetricsPage(metrics, runtime.health, operatingFacts(), format: format)
    sendPage(
      takeDraft(), .metrics(metrics), to: connection, status: 200, type: format.contentType, now: now)
  }

  private func modelList(for account: ClientAccount?) -> PageText {
    guard let account, !account.models.isEmpty else { return .bytes(runtime.modelList, from: 0) }
    return .bytes(ModelPage.list(runtime.catalog, for: account), from: 0)
  }

  /// A part of the path, without its percent-encoding.
  private func decoded(_ connection: Connection, _ part: Range<Int>) -> [UInt8] {
    let start = connection.head.path.lowerBound
    var decoded = ByteBuffer()
    connection.inbound.withBytes(start + part.lowerBound..<start + part.upperBound) {
      PercentEncoding.decode($0, into: &decoded)
    }
    return decoded.withBytes { $0.array }
  }

  /// A provider by its place in the health store, where those that are switched off come last.
  private func provider(named name: [UInt8]) -> Int? {
    if let enabled = runtime.catalog.providerIndex(named: name.span) { return enabled }
    let disabled = runtime.catalog.disabledProviders.firstIndex { name.span.equals($0.name) }
    return disabled.map { runtime.catalog.providers.count + $0 }
  }

  private func text(of provider: Int?, status: inout Int, into out: inout ByteBuffer) -> PageText {
    if let provider { return .providers(ProviderPage(provider, of: runtime.health)) }
    out.append(
      #"{"error":{"message":"There is no provider of that name. GET /admin/providers lists them.","#)
    out.append(#""type":"invalid_request_error","param":null,"code":"not_found"}}"#)
    status = 404
    return .none
  }

  // MARK: - Commands

  private func reset(_ provider: Int) {
    guard provider < runtime.catalog.providers.count else { return }
    runtime.health.reset(provider: provider)
    log.note(
      .info, "the operator has ended all cooldowns of a provider", runtime.catalog.providers[provider].name)
  }

  private func clearCache(into out: inout ByteBuffer) {
    let cleared = sharing.clear()
    log.note(.info, "the operator has cleared the cache", "\(cleared)")
    out.append(#"{"cleared":"#)
    out.append(decimal: cleared)
    out.append(#","cache":""#)
    out.append(cacheFacts.isEnabled ? "enabled" : "disabled")
    out.append("\"}")
  }
}

// What the pages ask of the rest of the runner.
extension Runner {
  func pageSource() -> PageSource { PageSource(runtime.health, metrics, activity, operatingFacts()) }

  var cacheFacts: CacheFacts {
    let figures = sharing.cache.figures
    var facts = CacheFacts()
    facts.isEnabled = sharing.settings.enabled
    facts.entries = sharing.cache.count
    facts.bytes = sharing.cache.bytes
    facts.stored = figures.inserts
    facts.evicted = figures.evictions
    facts.expired = figures.expirations
    return facts
  }

  /// What `/metrics` reads at the time it is asked.
  func operatingFacts() -> OperatingFacts {
    var buffered = 0
    for place in downstream.connections.places {
      guard let connection = downstream.connections[place] else { continue }
      buffered += connection.bytesHeld
    }
    var facts = OperatingFacts()
    facts.isDraining = isDraining
    facts.connections = downstream.connections.count
    facts.connectionLimit = downstream.connections.capacity
    facts.exchanges = runs.count
    facts.bufferedBytes = buffered
    facts.logLinesDropped = log.droppedLines
    facts.cache = cacheFacts
    return facts
  }
}
