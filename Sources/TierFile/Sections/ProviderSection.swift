internal import Base
internal import Policy

extension Reader {
  static let providerSynonyms = [
    "isfree": "free", "ratelimitrpm": "rpm", "ratelimitrpd": "rpd", "ratelimittpm": "tpm",
    "ratelimittpd": "tpd", "customheaders": "headers", "baseurl": "endpoint", "apikey": "key",
    "apikeys": "keys", "model": "models",
  ]

  mutating func readProviders(_ node: Node) {
    guard case .map(let entries) = node.content else {
      if !node.isNull { error(node.mark, "providers must be a map of names, this is \(node.kind)") }
      return
    }
    var places: [String: Mark] = [:]
    for entry in entries {
      guard isName(entry.key) else {
        error(
          entry.mark, "a provider's name has letters, digits, \".\", \"_\" and \"-\" only",
          hint: "it appears in headers and metrics, and before the slash of provider/model")
        continue
      }
      if let first = places[lowercased(entry.key)] {
        error(entry.mark, "the provider \"\(entry.key)\" stands twice, first in line \(first.line)")
        continue
      }
      places[lowercased(entry.key)] = entry.mark
      readProvider(entry)
    }
  }

  func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 64
      && text.utf8.allSatisfy { $0.isDigit || $0.asciiLowercased &- 97 < 26 || "._-".utf8.contains($0) }
  }

  /// One provider. A disabled one is looked at only for the spelling of its keys: its variables may be unset. One
  /// whose key or account is not there is read like the others, and left out.
  private mutating func readProvider(_ entry: Node.Entry) {
    let path = "providers.\(entry.key)"
    guard
      let section = section(
        entry.value, path, .provider, synonyms: Self.providerSynonyms)
    else { return }
    if flag("enabled", in: section) == false {
      configuration.disabledProviders.append(DisabledProvider(name: entry.key))
      return
    }
    guard let preset = preset(of: entry, in: section) else { return }
    var provider = Provider(name: entry.key, type: preset.name, endpoint: "")
    provider.keyScheme = preset.keyScheme
    provider.edits = preset.edits
    provider.quotaHeaders = preset.quotaHeaders
    provider.quotaIsShared = preset.quotaIsShared
    provider.zone = .seconds(preset.zone * 3600)
    provider.isLocal = preset.isLocal
    var absences: [Absence] = []
    let endpoint = endpoint(of: section, preset, at: entry.mark, &absences)
    if let endpoint { provider.endpoint = endpoint.text }
    provider.isNear = endpoint?.isNear ?? false
    readKeys(into: &provider, section, preset, endpoint, at: entry.mark, &absences)
    isOfLeftOut = !absences.isEmpty
    defer { isOfLeftOut = false }
    if let n = whole("tier", in: section) { provider.tier = n }
    if let flag = flag("free", in: section) { provider.free = flag }
    provider.cost = cost(in: section)
    provider.spendPerDay = spendPerDay(in: section)
    provider.firstToken = duration("first_token", in: section)
    provider.streamIdle = duration("stream_idle", in: section)
    if let t = duration("start_wait", in: section) { provider.startWait = t }
    provider.context = whole("context", in: section)
    provider.budgets = budgets(in: section)
    readHeaders(into: &provider, section, preset)
    if let edits = section["edits"] { provider.edits += readEdits(edits, section.path("edits")) }
    if let flag = flag("discover", in: section) { provider.discovers = flag }
    if let flag = flag("probe", in: section) { provider.probes = flag }
    if let flag = flag("raw", in: section) { provider.isRaw = flag }
    provider.batch = batch(in: section)
    readConnection(into: &provider, section, endpoint)
    defer { checkSpend(of: provider, section) }
    if let models = section["models"] {
      let before = problemCount
      readModels(models, into: &provider, section.path("models"))
      if problemCount > before { unclearModels.insert(provider.name) }
    }
    if absences.isEmpty {
      configuration.providers.append(provider)
      providerMarks.append(entry.mark)
    } else {
      leaveOut(provider, absences)
    }
  }

  // MARK: - Type and endpoint

  /// 1. `type`, 2. the provider's own name where it is a preset's, 3. `openai` where there is an endpoint.
  private mutating func preset(of entry: Node.Entry, in section: Section) -> Preset? {
    guard let node = section["type"] else {
      if let preset = Preset.named(entry.key) { return preset }  // 2
      if section["endpoint"] != nil { return Preset.named("openai") }  // 3
      error(
        entry.mark, "\(label(section.path)) has no type",
        hint: "say which preset it is, or type: openai with an endpoint")
      return nil
    }
    guard let type = text(node, section.path("type")) else { return nil }  // 1
    if let preset = Preset.named(type) { return preset }
    if Preset.serverOnly.contains(Spelling.normalised(type)) {
      warn(
        node.mark,
        "the type \(quote(node)) exists in the server edition only; \(label(section.path)) is left out",
        hint: "where it has an OpenAI endpoint, write type: openai and endpoint")
      configuration.disabledProviders.append(
        DisabledProvider(name: entry.key, reason: "the type \(quote(node)) exists in the server edition only")
      )
      return nil
    }
    error(
      node.mark, "\(label(section.path("type"))): unknown type \(quote(node))",
      hint: Spelling.suggestion(for: type, among: Preset.all.map { $0.name })
        ?? "known types: \(Preset.all.map { $0.name }.joined(separator: ", "))")
    return nil
  }

  private mutating func endpoint(
    of section: Section, _ preset: Preset, at mark: Mark, _ absences: inout [Absence]
  ) -> Endpoint? {
    let before = absences.count
    let own = section["endpoint"].map { ($0.mark, present(find($0, section.path("endpoint")), &absences)) }
    if let own, own.1 == nil { return nil }
    guard let pattern = own?.1 ?? preset.endpoint else {
      error(mark, "\(label(section.path)): the type \(preset.name) needs an endpoint")
      return nil
    }
    let account = section["account_id"].flatMap { present(findAccount($0, section), &absences) }
    let resource = section["resource"].flatMap { present(find($0, section.path("resource")), &absences) }
    let url = filled(pattern, account, resource)
    for key in ["account_id", "resource"] where has(url, "{\(key)}") {
      if section[key] != nil { return nil }  // Reported where it stands.
      absences.append(
        Absence(
          mark: mark, path: section.path, reason: "the type \(preset.name) needs \(key) (or an endpoint)"))
      return nil
    }
    if absences.count > before { return nil }
    // A preset's own service on another host has the preset's path. Other hosts have whatever path is written,
    // also none: there are OpenAI-compatible ones at the root.
    let isAnotherHost = own != nil && preset.name != "openai"
    var usual = isAnotherHost ? filled(Endpoint.path(of: preset.endpoint ?? ""), account, resource) : ""
    if usual.utf8.contains(UInt8(ascii: "{")) { usual = "" }
    do throws(Endpoint.Fault) {
      return try Endpoint(url, defaultPath: usual)
    } catch {
      let place = own?.0 ?? section.place(of: preset.name == "azure" ? "resource" : "account_id")
      self.error(place, "\(label(section.path("endpoint"))) \(error.message)")
      return nil
    }
  }

  private func filled(_ pattern: String, _ account: String?, _ resource: String?) -> String {
    var text = pattern
    if let account { text = replacing("{account_id}", in: text, by: account) }
    if let resource { text = replacing("{resource}", in: text, by: resource) }
    return text
  }

  private mutating func findAccount(_ node: Node, _ section: Section) -> Finding<String> {
    let path = section.path("account_id")
    guard case .scalar(let raw, _) = node.content, Interpolation.isVariableName(raw) else {
      return find(node, path)
    }
    switch find(secret: node, path) {
    case .found(let account): return .found(account.exposed)
    case .absent(let absence): return .absent(absence)
    case .wrong: return .wrong
    }
  }

  /// What was found; what was not is added to the absences.
  private func present(_ finding: Finding<String>, _ absences: inout [Absence]) -> String? {
    switch finding {
    case .found(let text): return text
    case .absent(let absence): absences.append(absence)
    case .wrong: break
    }
    return nil
  }

  private func has(_ text: String, _ part: String) -> Bool { replacing(part, in: text, by: "") != text }

  private func replacing(_ part: String, in text: String, by other: String) -> String {
    let bytes = Array(text.utf8)
    let part = Array(part.utf8)
    var output: [UInt8] = []
    var at = 0
    while at < bytes.count {
      if bytes[at...].starts(with: part) {
        output += Array(other.utf8)
        at += part.count
      } else {
        output.append(bytes[at])
        at += 1
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  // MARK: - Keys

  /// Reads the keys. Of several keys one may be missing; where none is left and the type needs one, the provider
  /// is left out. An empty text stands for no key, where the type needs none.
  private mutating func readKeys(
    into provider: inout Provider, _ section: Section, _ preset: Preset, _ endpoint: Endpoint?, at mark: Mark,
    _ absences: inout [Absence]
  ) {
    let given = ["key", "keys", "key_file"].filter { section[$0] != nil }
    if given.count > 1 {
      error(
        section.place(of: given[1]),
        "\(label(section.path)) has \(given.joined(separator: " and ")); one is enough")
    }
    var lacking: [Absence] = []
    for form in given {
      guard let node = section[form] else { continue }
      for item in items(of: node) {
        let path = section.path(form)
        switch form == "key_file" ? find(secretFile: item, path) : find(secret: item, path) {
        case .found(let secret) where provider.keys.contains(secret):
          error(item.mark, "\(label(path)): the same key stands twice")
        case .found(let secret): provider.keys.append(secret)
        case .absent(let absence): lacking.append(absence)
        case .wrong: break
        }
      }
    }
    let ownEndpoint = section["endpoint"] != nil
    let isNeeded =
      preset.keyNeed == .required
      && !(ownEndpoint && (preset.name == "openai" || endpoint?.isLoopback == true))
    if !provider.keys.isEmpty {
      for absence in lacking {
        warn(
          absence.mark, "\(label(absence.path)): \(absence.reason), the other keys are used",
          hint: absence.remedy)
      }
    } else if !lacking.isEmpty {
      let isKeyless = preset.keyNeed != .required || endpoint?.isLoopback == true
      absences += lacking.filter { !($0.isEmptyText && isKeyless) }
    } else if given.isEmpty, isNeeded {
      absences.append(
        Absence(
          mark: mark, path: section.path, reason: "the type \(preset.name) needs a key",
          remedy: "key: ${\(variable(for: provider.name))}"))
    }
    if provider.keyScheme == .none, !provider.keys.isEmpty { provider.keyScheme = .bearer }
    if let endpoint, !endpoint.isSecure, !endpoint.isLoopback, !provider.keys.isEmpty {
      warn(
        section.place(of: "endpoint"),
        "\(label(section.path)): the key travels unencrypted to \(Spelling.excerpt(endpoint.host))")
    }
  }

  /// The name that the provider's key would have by custom: `GROQ_API_KEY`.
  private func variable(for name: String) -> String {
    String(
      decoding: name.utf8.map { $0.asciiLowercased &- 97 < 26 ? $0 & 0xDF : $0.isDigit ? $0 : 95 },
      as: UTF8.self)
      + "_API_KEY"
  }

  // MARK: - The rest

  mutating func cost(in section: Section) -> Cost? {
    guard let node = section["cost"] else { return nil }
    guard let inner = self.section(node, section.path("cost"), .cost) else { return nil }
    return Cost(
      input: number("input", in: inner) ?? 0, output: number("output", in: inner) ?? 0,
      cachedInput: number("cached_input", in: inner))
  }

  private mutating func checkSpend(of provider: Provider, _ section: Section) {
    guard provider.spendPerDay != nil, !provider.free, !provider.hasCost else { return }
    warn(
      section.place(of: "spend"), "\(label(section.path("spend"))) bounds nothing: no cost is given",
      hint: "write cost: { input: …, output: … } beside it")
  }

  mutating func spendPerDay(in section: Section) -> Money? {
    guard let node = section["spend"],
      let inner = self.section(node, section.path("spend"), .spend)
    else { return nil }
    return number("day", in: inner).map { Money(dollars: $0) }
  }

  private mutating func budgets(in section: Section) -> Budgets {
    var budgets = Budgets()
    budgets.requestsPerMinute = quantity("rpm", in: section)
    budgets.requestsPerDay = quantity("rpd", in: section)
    budgets.tokensPerMinute = quantity("tpm", in: section)
    budgets.tokensPerDay = quantity("tpd", in: section)
    budgets.concurrent = whole("concurrent", in: section)
    return budgets
  }

  private mutating func readHeaders(into provider: inout Provider, _ section: Section, _ preset: Preset) {
    var headers = preset.headers
    if let node = section["headers"] {
      let path = section.path("headers")
      guard case .map(let entries) = node.content else {
        error(node.mark, "\(label(path)) must be a map of names and values, this is \(node.kind)")
        return
      }
      if entries.count > Limits.headerFields {
        error(node.mark, "\(label(path)): more than \(Limits.headerFields) headers")
        return
      }
      for entry in entries {
        guard let header = header(entry, path, hasKey: !provider.keys.isEmpty, scheme: provider.keyScheme)
        else {
          continue
        }
        headers.removeAll { lowercased($0.name) == lowercased(header.name) }
        headers.append(header)
      }
    }
    provider.headers = headers
  }

  private mutating func header(_ entry: Node.Entry, _ path: String, hasKey: Bool, scheme: KeyScheme)
    -> (name: String, value: String)?
  {
    guard HeaderField.isName(entry.key) else {
      error(entry.mark, "\(label(path)): \"\(Spelling.excerpt(entry.key))\" is not a header's name")
      return nil
    }
    let name = lowercased(entry.key)
    if HeaderField.reserved.contains(name) {
      error(entry.mark, "\(label(path)): \(name) is synaxis' own to send")
      return nil
    }
    let isKeys: Bool
    switch scheme {
    case .bearer: isKeys = name == "authorization"
    case .header(let header): isKeys = name == header
    case .none: isKeys = false
    }
    if hasKey, isKeys {
      error(entry.mark, "\(label(path)): \(name) is made from the key")
      return nil
    }
    guard let value = text(entry.value, "\(path).\(entry.key)") else { return nil }
    guard HeaderField.isValue(value) else {
      error(
        entry.value.mark, "\(label(path)): the value of \(name) holds a line end or another control character"
      )
      return nil
    }
    return (name: entry.key, value: value)
  }
}

extension Provider {
  /// It or a model of it has a price.
  var hasCost: Bool { cost != nil || models.contains { $0.cost != nil } }
}
