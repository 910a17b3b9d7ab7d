internal import Base

/// The file's providers, models and aliases, laid out for looking up. Immutable; a reload makes a new one.
///
/// Every (provider, model) pair that the file knows is a candidate with a dense number, as is each provider's
/// `"*"`. Lists of candidates lie in one array, so that resolving allocates nothing.
package final class Catalog: Sendable {
  /// A list of candidates in `lists`, with what its models say of the cache.
  struct List: Sendable {
    var range: Range<Int>
    var caches: Bool?
    var coalesces: Bool?
    var isLone: Bool
  }

  /// In the order of the file.
  package let providers: [Provider]
  package let disabledProviders: [DisabledProvider]
  package let candidates: [Candidate]
  let lists: [CandidateID]
  /// The list of each candidate alone.
  let single: [List]
  let aliasNames: NameTable
  let aliasLists: [List]
  let listedNames: NameTable
  let listedLists: [List]
  let upstreamNames: NameTable
  let upstreamLists: [List]
  let providerNames: NameTable
  /// Per provider: our names, then its own.
  let servedNames: [NameTable]
  let servedCandidates: [[CandidateID]]
  let wildcards: [CandidateID?]
  let wildcardList: List
  /// One candidate of each provider that has any.
  let everyoneList: List
  /// Listed names and aliases, for `modelList` and `nearest`.
  let aliasTexts: [String]
  let listedTexts: [String]
  let seed: UInt64

  /// Those that a model's name can lead to.
  var modelLists: [List] {
    aliasLists + listedLists + upstreamLists + (wildcardList.range.isEmpty ? [] : [wildcardList])
  }

  package subscript(_ id: CandidateID) -> Candidate { candidates[id.index] }

  /// Who would have a model, an alias or a `provider/model` by that name, and is left out for want of something.
  package func leftOut(serving name: Span<UInt8>) -> [DisabledProvider] {
    disabledProviders.filter { provider in
      guard provider.reason != nil else { return false }
      return provider.models.contains { name.equals($0) } || provider.aliases.contains { name.equals($0) }
        || Self.hasProvider(provider.name, name)
    }
  }

  /// Whether a name is `provider/…`.
  private static func hasProvider(_ provider: String, _ name: Span<UInt8>) -> Bool {
    guard let place = name.firstIndex(of: UInt8(ascii: "/")) else { return false }
    return name.extracting(0..<place).equals(provider)
  }

  /// `seed` keys the hash of passed-on names; any number that a client cannot guess.
  package init(_ configuration: Configuration, seed: UInt64 = 0) {
    var plan = CatalogPlan(configuration.providers)
    plan.addAliases(configuration.aliases)
    self.seed = seed
    providers = configuration.providers
    disabledProviders = configuration.disabledProviders
    candidates = plan.candidates
    single = plan.candidates.map { plan.append([$0.id]) }
    listedTexts = plan.listed.names
    listedNames = NameTable(plan.listed.names)
    listedLists = plan.listed.members.map { plan.append($0) }
    upstreamNames = NameTable(plan.upstream.names)
    upstreamLists = plan.upstream.members.map { plan.append($0) }
    aliasTexts = plan.aliases.map { $0.alias.name }
    aliasNames = NameTable(aliasTexts)
    aliasLists = plan.aliases.map { entry in
      var list = plan.append(entry.members)
      list.caches = entry.alias.caches ?? list.caches
      list.coalesces = entry.alias.coalesces ?? list.coalesces
      return list
    }
    wildcards = plan.wildcards
    wildcardList = plan.append(plan.wildcards.compactMap { $0 })
    everyoneList = plan.append(
      zip(plan.served, plan.wildcards).compactMap { served, wildcard in served.members.first ?? wildcard })
    providerNames = NameTable(configuration.providers.map { CatalogPlan.lowercased($0.name) })
    servedNames = plan.served.map { NameTable($0.names) }
    servedCandidates = plan.served.map { $0.members }
    lists = plan.lists
  }
}

/// The work of laying out a catalog. Runs once per configuration; allocates as it likes.
struct CatalogPlan {
  /// Names in the order of their first mention, each with its candidates.
  struct Index {
    var names: [String] = []
    var members: [[CandidateID]] = []
    private var places: [String: Int] = [:]

    mutating func add(_ name: String, _ id: CandidateID) {
      if let place = places[name] {
        members[place].append(id)
      } else {
        places[name] = names.count
        names.append(name)
        members.append([id])
      }
    }
    func contains(_ name: String) -> Bool { places[name] != nil }
    func members(of name: String) -> [CandidateID] { places[name].map { members[$0] } ?? [] }
  }

  private let providers: [Provider]
  private(set) var candidates: [Candidate] = []
  private(set) var lists: [CandidateID] = []
  private(set) var listed = Index()
  private(set) var upstream = Index()
  private(set) var wildcards: [CandidateID?] = []
  private(set) var served: [(names: [String], members: [CandidateID])] = []
  private(set) var aliases: [(alias: Alias, members: [CandidateID])] = []

  init(_ providers: [Provider]) {
    self.providers = providers
    for (index, provider) in providers.enumerated() {
      var ids: [CandidateID] = []
      var seen: Set<String> = []
      for model in provider.models where seen.insert(model.name).inserted {
        let id = add(model, to: index)
        ids.append(id)
        listed.add(model.name, id)
      }
      let models = ids.map { candidates[$0.index] }
      served.append(
        (models.map { $0.name } + models.map { String(decoding: $0.upstreamName, as: UTF8.self) }, ids + ids))
      wildcards.append(provider.passesAnyModel ? add(nil, to: index) : nil)
    }
    for entry in served {
      var seen: Set<String> = []
      for (name, id) in zip(entry.names, entry.members).dropFirst(entry.names.count / 2)
      where !listed.contains(name) && seen.insert(name).inserted {
        upstream.add(name, id)
      }
    }
  }

  private mutating func add(_ model: Model?, to provider: Int) -> CandidateID {
    let id = CandidateID(candidates.count)
    candidates.append(Candidate(id: id, provider: providers[provider], at: provider, model: model))
    return id
  }

  /// Aliases with their candidates, each once. A target at a provider that is not enabled is passed over, and
  /// an alias without any target left is unknown. A target without a provider means all that list the model.
  /// A model that the provider does not list becomes a candidate of its own where the provider has `"*"`.
  mutating func addAliases(_ list: [Alias]) {
    for alias in list {
      var members: [CandidateID] = []
      for target in alias.targets {
        for id in find(target) where !members.contains(id) { members.append(id) }
      }
      if !members.isEmpty { aliases.append((alias, members)) }
    }
  }

  private mutating func find(_ target: Alias.Target) -> [CandidateID] {
    if target.provider.isEmpty { return listed.members(of: target.model) }
    let wanted = Self.lowercased(target.provider)
    guard let provider = providers.firstIndex(where: { Self.lowercased($0.name) == wanted }) else {
      return []
    }
    if let place = served[provider].names.firstIndex(of: target.model) {
      return [served[provider].members[place]]
    }
    guard wildcards[provider] != nil else { return [] }
    let id = add(Model(name: target.model, upstreamName: target.model), to: provider)
    served[provider].names.append(target.model)
    served[provider].members.append(id)
    return [id]
  }

  /// Lays a list down. An answer is kept out of the cache if any of its models says so.
  mutating func append(_ members: [CandidateID]) -> Catalog.List {
    let start = lists.count
    lists += members
    let models = members.map { candidates[$0.index] }
    return Catalog.List(
      range: start..<lists.count, caches: Self.verdict(models.map { $0.caches }),
      coalesces: Self.verdict(models.map { $0.coalesces }),
      isLone: models.allSatisfy { $0.provider == models.first?.provider })
  }

  private static func verdict(_ opinions: [Bool?]) -> Bool? {
    opinions.contains(false) ? false : opinions.contains(true) ? true : nil
  }

  /// ASCII letters in lower case, other characters as they are.
  static func lowercased(_ text: String) -> String {
    let bytes = text.utf8.map { $0 >= 65 && $0 <= 90 ? $0 | 32 : $0 }
    return String(decoding: bytes, as: UTF8.self)
  }
}
