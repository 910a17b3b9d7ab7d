internal import Policy

extension Reader {
  /// Bare settings and sections of an appsettings.json that mean something here.
  private static let serverKeys = [
    "canonicalmodels": "CanonicalModels", "requesttimeout": "RequestTimeout",
    "maxconcurrentrequests": "MaxConcurrentRequests", "maxrequestbodysize": "MaxRequestBodySize",
    "enableresponsecaching": "EnableResponseCaching", "logging": "Logging",
  ]
  /// Sections of the server edition and its host that mean nothing here, normalised; `jwt…` besides.
  private static let foreign = [
    "controlplane", "connectionstrings", "connectionstring", "redis", "allowedhosts", "kestrel",
    "serilog", "urls", "masterkey", "opentelemetry", "applicationinsights", "authentication", "authorization",
    "healthchecks", "qdrant", "ratelimiting", "database", "detailederrors", "antigravity", "smtp", "stripe",
  ]

  /// The whole file.
  mutating func read(_ root: Node) {
    guard case .map(let entries) = root.content else {
      error(root.mark, "a tier file is a map of sections, this is \(root.kind)")
      return
    }
    var own: [Node.Entry] = []
    var foreign: [Node.Entry] = []
    unwrap(entries, into: &own, &foreign)
    if let first = foreign.first, !readsOnlyAddresses {
      let names = foreign.map { "\"\(Spelling.excerpt($0.key))\"" }.joined(separator: ", ")
      warn(first.mark, "not needed here, since only the server edition has it: \(names)")
    }
    if readsOnlyAddresses { return readAddresses(own) }
    let section = section(own, at: root.mark, "", .root, synonyms: Self.serverKeys)
    readSettings(section)
    if let node = section["providers"] { readProviders(node) }
    settleAbsences()
    let canonical = section["CanonicalModels"].map { readCanonicalModels($0) }
    let candidates = Candidates(configuration, leftOut: leftOut, canonical ?? [:])
    if let node = section["aliases"] { readAliases(node, candidates, isLenient: canonical != nil) }
    if let node = section["clients"] { readClients(node, candidates) }
    check(section)
  }

  private mutating func readAddresses(_ entries: [Node.Entry]) {
    for entry in entries where !entry.value.isNothing {
      switch Spelling.normalised(entry.key) {
      case "listen": configuration.listen = listeners(entry.value, "listen")
      case "admin": readAdmin(entry.value)
      default: break
      }
    }
  }

  /// Looks through `Synaxis:` and `InferenceGateway:`, also one in the other, and puts aside what is the server
  /// edition's. Keys that begin with `x-` or `$` are the operator's own, for anchors and editors.
  private func unwrap(_ entries: [Node.Entry], into own: inout [Node.Entry], _ foreign: inout [Node.Entry]) {
    for entry in entries {
      let key = Spelling.normalised(entry.key)
      if key == "synaxis" || key == "inferencegateway", case .map(let inner) = entry.value.content {
        unwrap(inner, into: &own, &foreign)
      } else if key.hasPrefix("jwt") || Self.foreign.contains(key) {
        foreign.append(entry)
      } else if !entry.key.hasPrefix("x-"), !entry.key.hasPrefix("$") {
        own.append(entry)
      }
    }
  }

  private mutating func readSettings(_ section: Section) {
    if let node = section["listen"] { configuration.listen = listeners(node, "listen") }
    if let node = section["admin"] { readAdmin(node) }
    if let flag = flag("allow_anonymous", in: section) { configuration.allowAnonymous = flag }
    if let flag = flag("expose_headers", in: section) { configuration.exposeHeaders = flag }
    readServerSettings(in: section)
    if let node = section["limits"] { readLimits(node) }
    if let node = section["timeouts"] { readTimeouts(node) }
    if let node = section["cache"] { readCache(node) }
    if let node = section["affinity"] { readAffinity(node) }
    if let node = section["Logging"] { readLogging(node) }
    if let node = section["log"] { readLog(node) }
    if let node = section["cors"] { readCORS(node) }
    if let node = section["hosts"] { readHosts(node) }
    readHedge(in: section)
  }

  // MARK: - What the sections must be together

  private mutating func check(_ section: Section) {
    checkListeners(section)
    for (provider, mark) in zip(configuration.providers, providerMarks)
    where provider.models.isEmpty && !provider.passesAnyModel && !unclearModels.contains(provider.name) {
      error(mark, "providers.\(provider.name) lists no models", hint: "list them, or write models: [\"*\"]")
    }
    // A provider that could not be read has been reported itself.
    if configuration.providers.isEmpty, !hasErrors {
      error(
        section.entry("providers")?.mark ?? section.mark,
        configuration.disabledProviders.isEmpty ? "no providers" : "no provider is enabled")
    }
  }

  private mutating func checkListeners(_ section: Section) {
    for listen in configuration.admin.listen where configuration.listen.contains(listen) {
      error(section.place(of: "admin"), "admin.listen and listen share an address: \(listen.text)")
    }
    if configuration.allowAnonymous || !configuration.clients.isEmpty { return }
    guard let open = configuration.listen.first(where: { !$0.isLoopback }) else { return }
    // Clients that could not be read have been reported themselves.
    if hasErrors, section["clients"] != nil { return }
    error(
      section.place(of: "listen"), "\(open.text) is reachable from other machines and no clients are listed",
      hint: "list clients, or write allow_anonymous: true")
  }
}

extension Listen {
  /// As the file writes it.
  var text: String {
    switch self {
    case .tcp(let host, let port): host.utf8.contains(58) ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    case .inherited(let index): "fd://\(index)"
    }
  }
}
