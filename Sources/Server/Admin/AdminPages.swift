internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
internal import Policy
internal import Wire

// The operator's pages: `/admin/…` and `/metrics`. Who may see them:
//
// 1. A client of an admin listener: everything.
// 2. `/metrics` on a loopback or unix listener: whoever reaches it, as with the health pages.
// 3. Elsewhere: whoever shows the admin token, where there is one; without one the pages are off.
//
// The gate has looked at Host and Origin: a page in a browser that runs on this machine must not end a cooldown.
extension Runner {
  func answerOperator(_ connection: Connection, _ target: RequestTarget, now: Moment) {
    if let refusal = refusalForOperator(connection, target) {
      refuse(connection, refusal, now: now)
      return
    }
    let path = connection.parser.head.path
    switch target {
    case .metrics:
      guard isReading(connection) else {
        refuse(connection, .methodNotAllowed(allow: "GET, HEAD"), now: now)
        return
      }
      page.removeAll()
      let format = connection.inbound.withBytes(connection.parser.head.value(of: .accept) ?? 0..<0) {
        MetricsFormat(accepting: $0)
      }
      sendPage(
        connection, status: 200, type: format.contentType,
        .metrics(MetricsPage(metrics, runtime.health, operatingFacts(), format: format)), now: now)
    case .admin(let rest):
      let place = path.lowerBound + rest.lowerBound..<path.lowerBound + rest.upperBound
      answerAdmin(connection, place, now: now)
    case .proxy, .stored, .models, .model, .provider, .liveness, .readiness, .home, .none:
      refuse(connection, .notFound, now: now)
    }
  }

  private func refusalForOperator(_ connection: Connection, _ target: RequestTarget) -> LocalError? {
    if connection.isAdmin { return nil }  // 1
    if case .metrics = target, connection.reach != .network { return nil }  // 2
    guard let token = runtime.configuration.admin.token else { return .adminOff }  // 3
    guard let shown = connection.parser.head.value(of: .authorization) else { return .invalidToken }
    let isRight = connection.inbound.withBytes(shown) { bytes in
      guard bytes.hasPrefixIgnoringCase("bearer ") else { return false }
      return bytes.extracting(bytes.trimmed(7..<bytes.count)).equalsInConstantTime(token.exposed)
    }
    return isRight ? nil : .invalidToken
  }

  private func isReading(_ connection: Connection) -> Bool {
    switch connection.parser.head.method {
    case .get, .head: true
    case .post, .put, .patch, .delete, .options, .other: false
    }
  }

  private func answerAdmin(_ connection: Connection, _ place: Range<Int>, now: Moment) {
    let target = connection.inbound.withBytes(place) { AdminTarget(path: $0) }
    if case .none = target {
      refuse(connection, .notFound, now: now)
      return
    }
    guard target.isCommand ? connection.parser.head.method == .post : isReading(connection) else {
      refuse(connection, .methodNotAllowed(allow: target.isCommand ? "POST" : "GET, HEAD"), now: now)
      return
    }
    page.removeAll()
    var status = 200
    var rest = PageText.none
    switch target {
    case .health:
      writeHealth(now: now)
      rest = .providers(ProviderPage(allOf: runtime.health, ending: "]}"))
    case .providers:
      page.append(#"{"providers":["#)
      rest = .providers(ProviderPage(allOf: runtime.health, ending: "]}"))
    case .status(let name): rest = text(of: provider(connection, place, name), status: &status)
    case .reset(let name):
      let provider = provider(connection, place, name)
      if let provider, provider < runtime.catalog.providers.count {
        runtime.health.reset(provider: provider)
        log.note(
          .info, "the operator has ended all cooldowns of a provider",
          runtime.catalog.providers[provider].name)
      }
      rest = text(of: provider, status: &status)
    case .activity: rest = activityText(now: now)
    case .events:
      watch(connection, now: now)
      return
    case .clearCache:
      let cleared = clearCache()
      log.note(.info, "the operator has cleared the cache", "\(cleared)")
      page.append(#"{"cleared":"#)
      page.append(decimal: cleared)
      page.append(#","cache":""#)
      page.append(cacheFacts.isEnabled ? "enabled" : "disabled")
      page.append("\"}")
    case .none: return
    }
    sendPage(connection, status: status, type: "application/json", rest, now: now)
  }

  /// The provider that a part of the path names, by its place in the health store.
  private func provider(_ connection: Connection, _ place: Range<Int>, _ name: Range<Int>) -> Int? {
    var decoded = ByteBuffer()
    let part = place.lowerBound + name.lowerBound..<place.lowerBound + name.upperBound
    connection.inbound.withBytes(part) { PercentEncoding.decode($0, into: &decoded) }
    return decoded.withBytes { wanted in
      if let enabled = runtime.catalog.providerIndex(named: wanted) { return enabled }
      let disabled = runtime.catalog.disabledProviders.firstIndex { wanted.equals($0.name) }
      return disabled.map { runtime.catalog.providers.count + $0 }
    }
  }

  private func text(of provider: Int?, status: inout Int) -> PageText {
    if let provider { return .providers(ProviderPage(provider, of: runtime.health)) }
    page.append(
      #"{"error":{"message":"There is no provider of that name. GET /admin/providers lists them.","#)
    page.append(#""type":"invalid_request_error","param":null,"code":"not_found"}}"#)
    status = 404
    return .none
  }

  /// `GET /admin/health`, up to the list of providers.
  private func writeHealth(now: Moment) {
    page.append(#"{"overallStatus":""#)
    page.append(isDraining ? "draining" : ProviderPage.overall(runtime.health, now: now.instant))
    page.append(#"","timestamp":""#)
    page.append(rfc3339: now.wall)
    page.append(#"","version":"#)
    page.append(jsonString: metrics.version)
    page.append(#","savings":"#)
    Savings(runtime.health, metrics).write(into: &page)
    page.append(#","services":[{"name":"proxy","status":""#)
    page.append(isDraining ? "draining" : "healthy")
    page.append(#"","uptimeSeconds":"#)
    page.append(decimal: Int64((now.instant - metrics.startedAt).seconds))
    page.append(#","connections":"#)
    page.append(decimal: downstream.connections.count)
    page.append(#","inFlight":"#)
    page.append(decimal: runs.count)
    page.append(#"},{"name":"cache","status":""#)
    writeCache(cacheFacts)
    page.append(#"],"providers":["#)
  }

  private func writeCache(_ cache: CacheFacts) {
    page.append(cache.isEnabled ? "healthy" : "disabled")
    page.append(#"","entries":"#)
    page.append(decimal: cache.entries)
    page.append(#","bytes":"#)
    page.append(decimal: cache.bytes)
    for state in CacheState.allCases {
      page.append(",\"")
      page.append(state.name)
      page.append("\":")
      page.append(decimal: metrics.cacheStates[state.rawValue])
    }
    page.append(#","evicted":"#)
    page.append(decimal: cache.evicted)
    page.append(#","callsSaved":"#)
    page.append(decimal: metrics.callsSaved)
    page.append("}")
  }
}

// What the pages ask of the rest of the runner.
extension Runner {
  /// Empties the response cache; says how many entries that were.
  func clearCache() -> Int { sharing.clear() }

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
      buffered += connection.inbound.count + connection.output.backlogCount
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
