internal import Base
package import Policy

/// What a configuration comes to, as `synaxis check` prints it: settings, tiers, providers, models, aliases.
/// Secrets are counted, never shown.
package struct RoutingTable {
  /// Lines of at most a few columns each, every one ended.
  package private(set) var text = ""

  package init(_ configuration: Configuration) {
    addSettings(configuration)
    text += "\n"
    addProviders(configuration)
    if !configuration.aliases.isEmpty {
      text += "\n"
      addAliases(configuration)
    }
    addLoneModels(configuration)
  }

  // MARK: - Settings

  private mutating func addSettings(_ configuration: Configuration) {
    func text(_ listen: Listen) -> String {
      guard let tls = configuration.secured[listen] else { return listen.text }
      return listen.text + (tls.clientAuthorities == nil ? " (TLS)" : " (TLS, certificates of clients)")
    }
    line("listen", configuration.listen.map { text($0) }.joined(separator: ", "))
    var admin: [String] = configuration.admin.listen.map { text($0) }
    if configuration.admin.token != nil { admin.append("with token ****") }
    line(
      "admin",
      admin.isEmpty ? "off; set admin.token or admin.listen to turn it on" : admin.joined(separator: ", "))
    line("clients", clients(configuration))
    let limits = configuration.limits
    line(
      "limits",
      "\(limits.concurrentRequests) requests at once, \(limits.queue) queued, \(limits.connections) connections, "
        + "body \(Units.text(bytes: limits.requestBody)), header \(Units.text(bytes: limits.header)), "
        + "memory \(Units.text(bytes: limits.memory))")
    let timeouts = configuration.timeouts
    line(
      "timeouts",
      "failover \(Units.text(timeouts.failover)), connect \(Units.text(timeouts.connect)), "
        + "first_token \(Units.text(timeouts.firstToken)), stream_idle \(Units.text(timeouts.streamIdle)), "
        + "request \(Units.text(timeouts.request)), drain \(Units.text(timeouts.drain))")
    line("cache", cache(configuration.cache))
    line("affinity", affinity(configuration.affinity))
    if let hedge = configuration.hedge { line("hedge", "after \(Units.text(hedge))") }
    if !configuration.corsOrigins.isEmpty {
      line("origins", configuration.corsOrigins.joined(separator: ", "))
    }
    if !configuration.hosts.isEmpty { line("hosts", configuration.hosts.joined(separator: ", ")) }
  }

  private func clients(_ configuration: Configuration) -> String {
    if configuration.clients.isEmpty {
      return configuration.allowAnonymous ? "anyone" : "anyone on this machine"
    }
    let names = configuration.clients.map { client in
      var notes: [String] = []
      if let n = client.requestsPerMinute { notes.append("\(n.value) rpm") }
      if let n = client.concurrent { notes.append("\(n) at once") }
      if let most = client.spendPerDay { notes.append(Self.perDay(most)) }
      if !client.models.isEmpty { notes.append("only \(client.models.joined(separator: " "))") }
      return client.name + (notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))")
    }
    return names.joined(separator: ", ") + (configuration.allowAnonymous ? ", and anyone without a key" : "")
  }

  private func cache(_ cache: CacheSettings) -> String {
    guard cache.enabled else { return "off" }
    var parts = [Units.text(bytes: cache.size), "ttl \(Units.text(cache.ttl))"]
    parts.append(cache.sampled ? "sampled answers too" : "temperature 0 only")
    if !cache.vary.isEmpty { parts.append("vary \(cache.vary.joined(separator: " "))") }
    if !cache.keepsClientsApart { parts.append("shared by all clients") }
    parts.append(cache.coalesce ? "coalescing" : "no coalescing")
    if cache.replay == .paced { parts.append("paced replay") }
    if cache.sampled, let bound = cache.maxTemperature { parts.append("temperature up to \(bound)") }
    return parts.joined(separator: ", ")
  }

  private func affinity(_ affinity: AffinitySettings) -> String {
    affinity.enabled ? "\(affinity.entries) conversations, \(Units.text(affinity.ttl)) each" : "off"
  }

  private mutating func line(_ name: String, _ value: String) { text += Self.padded(name, 9) + " \(value)\n" }

  // MARK: - Providers

  private mutating func addProviders(_ configuration: Configuration) {
    var rows: [[String]] = [["TIER", "PROVIDER", "TYPE", "KEYS", "LIMITS", "COST", "ENDPOINT"]]
    let order = configuration.providers.enumerated().sorted { a, b in
      (a.element.tier, a.offset) < (b.element.tier, b.offset)
    }
    for (_, provider) in order {
      rows.append([
        "\(provider.tier)", provider.name, provider.type, Self.keys(provider), Self.budgets(provider),
        Self.cost(provider), provider.endpoint,
      ])
    }
    let lines = Self.columns(rows)
    text += lines[0] + "\n"
    for (row, (_, provider)) in zip(lines.dropFirst(), order) {
      text += row + "\n"
      for model in provider.models { text += "       \(Self.model(model))\n" }
      if provider.passesAnyModel { text += "       * (any other name)\n" }
      for note in Self.notes(provider) { text += "       - \(note)\n" }
    }
    for provider in configuration.disabledProviders {
      text += "off    \(provider.name): \(provider.reason ?? "enabled: false")\n"
    }
  }

  private static func keys(_ provider: Provider) -> String {
    switch provider.keys.count {
    case 0: "none"
    case 1: "****"
    default: "**** ×\(provider.keys.count)"
    }
  }

  private static func budgets(_ provider: Provider) -> String {
    let budgets = provider.budgets
    var parts: [String] = []
    if let n = budgets.requestsPerMinute { parts.append("\(n.value) rpm") }
    if let n = budgets.requestsPerDay { parts.append("\(n.value) rpd") }
    if let n = budgets.tokensPerMinute { parts.append("\(n.value) tpm") }
    if let n = budgets.tokensPerDay { parts.append("\(n.value) tpd") }
    if let n = budgets.concurrent { parts.append("\(n) at once") }
    if let most = provider.spendPerDay { parts.append(perDay(most)) }
    return parts.isEmpty ? "-" : parts.joined(separator: ", ")
  }

  private static func cost(_ provider: Provider) -> String {
    provider.free ? "free" : provider.cost.map(cost) ?? "-"
  }

  private static func cost(_ cost: Cost) -> String {
    "$\(Money(dollars: cost.input).text)/\(Money(dollars: cost.output).text)"
  }

  private static func perDay(_ most: Money) -> String { "$\(most.text) a day" }

  private static func model(_ model: Model) -> String {
    var text = model.name
    if model.upstreamName != model.name { text += " -> \(model.upstreamName)" }
    var notes: [String] = []
    if let cost = model.cost { notes.append(Self.cost(cost)) }
    if let context = model.context { notes.append("context \(context)") }
    if model.caches == false { notes.append("not cached") }
    if model.coalesces == false { notes.append("not coalesced") }
    return text + (notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))")
  }

  private static func notes(_ provider: Provider) -> [String] {
    var notes: [String] = []
    if let context = provider.context { notes.append("context \(context)") }
    if let time = provider.firstToken { notes.append("first_token \(Units.text(time))") }
    if let time = provider.streamIdle { notes.append("stream_idle \(Units.text(time))") }
    if provider.startWait != .seconds(60) { notes.append("start_wait \(Units.text(provider.startWait))") }
    if !provider.headers.isEmpty {
      notes.append("headers \(provider.headers.map { $0.name }.joined(separator: ", "))")
    }
    if !provider.edits.isEmpty { notes.append("edits \(provider.edits.map(edit).joined(separator: ", "))") }
    if provider.discovers { notes.append("its own model list, hourly") }
    if provider.probes { notes.append("probed at start") }
    if provider.isRaw { notes.append("raw at /providers/\(provider.name)/") }
    if let batch = provider.batch {
      notes.append("embeddings sent together, up to \(batch.size) in \(Units.text(batch.window))")
    }
    // A proxy's URL may hold a password.
    if provider.proxy != nil { notes.append("through a proxy") }
    switch provider.http {
    case .auto: break
    case .http1: notes.append("HTTP/1.1 only")
    case .http2: notes.append("HTTP/2 only")
    }
    let tls = provider.tls
    if tls.authorityFile != nil { notes.append("authorities of its own") }
    if let name = tls.serverName { notes.append("certificate of \(name)") }
    if tls.certificate != nil { notes.append("shows a certificate") }
    if !tls.verifies { notes.append("certificate not checked") }
    return notes
  }

  private static func edit(_ edit: RequestEdit) -> String {
    switch edit.action {
    case .drop: "drop \(edit.path)"
    case .dropUnless(let value): "drop \(edit.path) unless \(value)"
    case .dropWhere(let value): "drop \(edit.path) where \(value)"
    case .rename(let name): "rename \(edit.path) to \(name)"
    case .clamp(let bound): "clamp \(edit.path) to \(bound)"
    case .fallback(let value): "default \(edit.path) to \(value)"
    case .replace(let value, let other): "replace \(edit.path) \(value) with \(other)"
    }
  }

  // MARK: - Aliases

  private mutating func addAliases(_ configuration: Configuration) {
    var rows: [[String]] = [["ALIAS", "CANDIDATES"]]
    for alias in configuration.aliases {
      var targets = alias.targets.map { "\($0.provider)/\($0.model)" }.joined(separator: ", ")
      if alias.caches == false { targets += " (not cached)" }
      if alias.coalesces == false { targets += " (not coalesced)" }
      rows.append([alias.name, targets])
    }
    for line in Self.columns(rows) { text += line + "\n" }
  }

  private mutating func addLoneModels(_ configuration: Configuration) {
    let lone = Catalog(configuration).loneModels
    if lone.isEmpty { return }
    text += "\nOne provider only: where it fails, no other takes over.\n"
    for models in lone { text += "  \(models.provider): \(models.list())\n" }
  }

  // MARK: - Layout

  /// Rows as lines, each column as wide as its widest cell, the last one as it is.
  private static func columns(_ rows: [[String]]) -> [String] {
    var widths: [Int] = []
    for row in rows {
      for (index, cell) in row.enumerated() {
        let width = cell.unicodeScalars.count
        if index == widths.count { widths.append(width) } else { widths[index] = max(widths[index], width) }
      }
    }
    return rows.map { row in
      var line = ""
      for (index, cell) in row.enumerated() {
        line += index == row.count - 1 ? cell : padded(cell, widths[index] + 2)
      }
      return line
    }
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.unicodeScalars.count))
  }
}
