internal import Base
internal import Policy

/// What a name in an alias's list may mean: the providers, by index, and the server edition's canonical names.
struct Candidates {
  struct Canonical {
    /// nil where the provider is disabled.
    var provider: Int?
    var model: String
  }
  enum Outcome {
    case targets([Alias.Target])
    /// Only providers that are not enabled are meant.
    case disabled
    case unknown(message: String, hint: String?)
  }

  /// Those that are used, then those that are left out.
  private let providers: [Provider]
  private let leftOut: Set<String>
  private let disabled: Set<String>
  private let canonical: [String: [Canonical]]
  private let models: [Set<String>]

  init(_ configuration: Configuration, leftOut: [Provider], _ canonical: [String: [Canonical]]) {
    providers = configuration.providers + leftOut
    self.leftOut = Set(leftOut.map { $0.name })
    disabled = Set(configuration.disabledProviders.map { Self.folded($0.name) })
    models = providers.map { Set($0.models.map { $0.name }) }
    self.canonical = canonical
  }

  static func folded(_ name: String) -> String {
    String(decoding: name.utf8.map { $0.asciiLowercased }, as: UTF8.self)
  }

  /// What a name means, without the providers that are left out.
  func resolve(_ text: String) -> Outcome {
    let meaning = meaning(of: text)
    guard case .targets(let targets) = meaning else { return meaning }
    let usable = targets.filter { !leftOut.contains($0.provider) }
    return usable.isEmpty ? .disabled : .targets(usable)
  }

  /// The providers that an alias's candidate means and that are left out.
  func leftOut(by item: Node) -> [String] {
    guard case .scalar(let text, _) = item.content, case .targets(let targets) = meaning(of: text) else {
      return []
    }
    return targets.map { $0.provider }.filter { leftOut.contains($0) }
  }

  /// Resolves a name, in this order: 1. a canonical id, 2. `provider/model`, the model by our name, the
  /// provider's own, or any where the provider has `"*"`, 3. a model's name, at all who list it.
  private func meaning(of text: String) -> Outcome {
    if let entries = canonical[text] {  // 1
      let targets = entries.compactMap { entry in
        entry.provider.map { Alias.Target(provider: providers[$0].name, model: entry.model) }
      }
      return targets.isEmpty ? .disabled : .targets(targets)
    }
    let listing = providers.indices.filter { models[$0].contains(text) }
    guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else {
      if listing.isEmpty { return unknownModel(text) }
      return .targets(listing.map { Alias.Target(provider: providers[$0].name, model: text) })  // 3
    }
    let name = String(text[..<slash])
    let model = String(text[text.utf8.index(after: slash)...])
    let folded = Self.folded(name)
    if let index = providers.firstIndex(where: { $0.name == name || Self.folded($0.name) == folded }) {  // 2
      if let model = self.model(model, at: index) {
        return .targets([Alias.Target(provider: providers[index].name, model: model)])
      }
      if listing.isEmpty { return unknownModel(model, at: index) }
    } else if listing.isEmpty {
      return disabled.contains(folded) ? .disabled : unknownProvider(name, model)
    }
    return .targets(listing.map { Alias.Target(provider: providers[$0].name, model: text) })  // 3
  }

  /// Our name for what a provider serves under a name of ours or its own.
  func model(_ name: String, at index: Int) -> String? {
    if models[index].contains(name) { return name }
    if let model = providers[index].models.first(where: { $0.upstreamName == name }) { return model.name }
    return providers[index].passesAnyModel && !name.isEmpty && name != "*" ? name : nil
  }

  /// Whether a client may be held to this name: anything that a request could name.
  func names(_ text: String) -> Bool {
    switch resolve(text) {
    case .targets, .disabled: true
    case .unknown: providers.contains { $0.passesAnyModel }
    }
  }

  private func unknownModel(_ text: String, at index: Int) -> Outcome {
    let name = providers[index].name
    let nearest = Spelling.nearest(to: text, among: providers[index].models.map { $0.name })
    return .unknown(
      message: "the provider \"\(name)\" lists no model \"\(Spelling.excerpt(text))\"",
      hint: nearest.map { "did you mean \"\(name)/\($0)\"?" } ?? "add it to providers.\(name).models")
  }

  private func unknownProvider(_ name: String, _ model: String) -> Outcome {
    let nearest = Spelling.nearest(to: name, among: providers.map { $0.name })
    return .unknown(
      message: "no provider \"\(Spelling.excerpt(name))\"",
      hint: nearest.map { "did you mean \"\($0)/\(Spelling.excerpt(model))\"?" })
  }

  private func unknownModel(_ text: String) -> Outcome {
    let all = providers.flatMap { $0.models.map { $0.name } } + canonical.keys.sorted()
    return .unknown(
      message: "no provider lists a model \"\(Spelling.excerpt(text))\"",
      hint: Spelling.suggestion(for: text, among: all) ?? "a candidate is written provider/model")
  }
}

extension Reader {
  /// The server edition's `CanonicalModels`: each gives a provider's model one more name of ours.
  mutating func readCanonicalModels(_ node: Node) -> [String: [Candidates.Canonical]] {
    var canonical: [String: [Candidates.Canonical]] = [:]
    for item in items(of: node) {
      guard
        let section = section(item, "CanonicalModels", .canonicalModel)
      else { continue }
      for key in ["Id", "Provider", "ModelPath"] where section[key] == nil {
        error(item.mark, "CanonicalModels: this entry has no \(key)")
      }
      guard let id = text("Id", in: section), let name = text("Provider", in: section),
        let upstream = text("ModelPath", in: section)
      else { continue }
      guard isModelName(id), isModelName(upstream) else {
        error(item.mark, "CanonicalModels: a model's name is a text of 1 to \(Limits.name) bytes")
        continue
      }
      let folded = lowercased(name)
      if let index = configuration.providers.firstIndex(where: { lowercased($0.name) == folded }) {
        addCanonical(id, upstream, toProvider: index)
        canonical[id, default: []].append(Candidates.Canonical(provider: index, model: id))
      } else if configuration.disabledProviders.contains(where: { lowercased($0.name) == folded }) {
        canonical[id, default: []].append(Candidates.Canonical(provider: nil, model: id))
      } else {
        let names = configuration.providers.map { $0.name } + configuration.disabledProviders.map { $0.name }
        error(
          section.place(of: "Provider"), "CanonicalModels: no provider \"\(Spelling.excerpt(name))\"",
          hint: Spelling.suggestion(for: name, among: names))
      }
    }
    return canonical
  }

  private mutating func addCanonical(_ id: String, _ upstream: String, toProvider index: Int) {
    var model = Model(name: id, upstreamName: upstream)
    if let known = configuration.providers[index].models.first(where: { $0.upstreamName == upstream }) {
      model = known
      model.name = id
    }
    if let at = configuration.providers[index].models.firstIndex(where: { $0.name == id }) {
      configuration.providers[index].models[at] = model
    } else {
      configuration.providers[index].models.append(model)
    }
  }

  /// `aliases`: per name a list of candidates, one candidate, or a map with `candidates`, `cache`, `coalesce`.
  /// In a file with `CanonicalModels` a candidate that nobody has is a warning, as the server edition takes it.
  mutating func readAliases(_ node: Node, _ candidates: Candidates, isLenient: Bool) {
    guard case .map(let entries) = node.content else {
      if !node.isNull { error(node.mark, "aliases must be a map of names, this is \(node.kind)") }
      return
    }
    for entry in entries {
      let path = "aliases.\(entry.key)"
      guard isModelName(entry.key) else {
        error(entry.mark, "an alias's name is a text of 1 to \(Limits.name) bytes without control characters")
        continue
      }
      var alias = Alias(name: entry.key, targets: [])
      var list: Node? = entry.value
      if case .map = entry.value.content {
        guard let section = section(entry.value, path, .alias)
        else {
          continue
        }
        if flag("enabled", in: section) == false { continue }
        alias.caches = flag("cache", in: section)
        alias.coalesces = flag("coalesce", in: section)
        list = section["candidates"]
      }
      let items = list.map { $0.isNull ? [] : self.items(of: $0) } ?? []
      if items.isEmpty { complain(entry.mark, "\(label(path)) has no candidates", isLenient: isLenient) }
      let before = problemCount
      for item in items { addTargets(item, to: &alias, path, candidates, entries, isLenient: isLenient) }
      if !alias.targets.isEmpty {
        configuration.aliases.append(alias)
      } else if !items.isEmpty, problemCount == before {
        emptyAliases.insert(entry.key)
        for name in items.flatMap({ candidates.leftOut(by: $0) }) {
          guard let place = configuration.disabledProviders.firstIndex(where: { $0.name == name }),
            !configuration.disabledProviders[place].aliases.contains(entry.key)
          else { continue }
          configuration.disabledProviders[place].aliases.append(entry.key)
        }
        // A file without any provider has been reported itself.
        if !configuration.providers.isEmpty {
          warn(entry.mark, "\(label(path)) is left out: none of its providers is enabled")
        }
      }
    }
  }

  private mutating func addTargets(
    _ item: Node, to alias: inout Alias, _ path: String, _ candidates: Candidates, _ aliases: [Node.Entry],
    isLenient: Bool
  ) {
    guard let text = text(item, path) else { return }
    switch candidates.resolve(text) {
    case .targets(let targets):
      for target in targets where !alias.targets.contains(target) { alias.targets.append(target) }
    case .disabled: break
    case .unknown(let message, let hint):
      if aliases.contains(where: { $0.key == text }) {
        error(item.mark, "\(label(path)): an alias cannot lead to another alias")
      } else {
        complain(item.mark, "\(label(path)): \(message)", hint: hint, isLenient: isLenient)
      }
    }
  }

  private mutating func complain(_ mark: Mark, _ message: String, hint: String? = nil, isLenient: Bool) {
    if isLenient { warn(mark, message, hint: hint) } else { error(mark, message, hint: hint) }
  }
}
