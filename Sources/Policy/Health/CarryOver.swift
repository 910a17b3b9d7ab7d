internal import Base

extension HealthStore {
  /// A reload, or another list of models: a new catalog, and what the old health store learned that still holds.
  ///
  /// 1. A provider of the same name and way there (type, endpoint, kind of key, proxy) keeps its state: breaker,
  ///    latency, what is under way, what it has spent.
  /// 2. A key that such a provider still has keeps its state and, with the same headers and sharing, its
  ///    account: cooldown, learned quota, what is under way and what its budgets have spent, whatever their limits
  ///    are now.
  /// 3. A candidate with the same names at such a provider keeps its cooldown and latency.
  /// 4. What such providers and candidates lack stays known.
  /// 5. Conversations stay at home with such keys and candidates.
  ///
  /// Both health stores go on with the same objects. So exchanges in flight, which keep the old one, count here, and what
  /// they learn is known here: an attempt that began before the reload still takes its place of `concurrent`, and
  /// its 429 cools the account. What the new file does not have, or has otherwise, ends with the old health store.
  package convenience init(
    _ catalog: Catalog, keeping old: HealthStore, affinity: AffinitySettings = AffinitySettings()
  ) {
    self.init(catalog, random: old.random, memory: old.memory)
    memory.homes.adopt(affinity)
    for (new, provider) in catalog.providers.enumerated() {
      guard let before = old.catalog.providers.firstIndex(where: { $0.name == provider.name }),
        Self.isSameWay(provider, old.catalog.providers[before])
      else { continue }
      providers[new] = old.providers[before]  // 1
      keepKeys(of: new, from: before, of: old)  // 2
      keepCandidates(of: new, from: before, of: old)  // 3
    }
    forgetLacks()  // 4
  }

  private static func isSameWay(_ a: Provider, _ b: Provider) -> Bool {
    a.type == b.type && a.endpoint == b.endpoint && a.keyScheme == b.keyScheme && a.proxy == b.proxy
  }

  private func keepKeys(of new: Int, from before: Int, of old: HealthStore) {
    let now = catalog.providers[new]
    let then = old.catalog.providers[before]
    let keepsAccount = now.quotaIsShared == then.quotaIsShared && now.quotaHeaders == then.quotaHeaders
    for place in 0..<max(1, now.keys.count) {
      let match: Int?
      if now.keys.isEmpty {
        match = then.keys.isEmpty ? 0 : nil
      } else {
        match = then.keys.firstIndex(of: now.keys[place])
      }
      guard let match else { continue }
      let newKey = keyPlaces[new].lowerBound + place
      let oldKey = old.keyPlaces[before].lowerBound + match
      keys[newKey] = old.keys[oldKey]
      numbers.keep(key: newKey, as: oldKey, of: old.numbers)  // 5
      guard keepsAccount else { continue }
      if now.quotaIsShared {
        for key in keyPlaces[new] { accounts[key] = old.accounts[oldKey] }
      } else {
        accounts[newKey] = old.accounts[oldKey]
      }
    }
  }

  private func keepCandidates(of new: Int, from before: Int, of old: HealthStore) {
    var known: [String: Candidate] = [:]
    for candidate in old.catalog.candidates where candidate.provider == before {
      known[candidate.name] = candidate
    }
    var keepsMissing = false
    for candidate in catalog.candidates where candidate.provider == new {
      guard let same = known[candidate.name], same.upstreamName == candidate.upstreamName else { continue }
      candidates[candidate.id.index] = old.candidates[same.id.index]
      numbers.keep(candidate: candidate.id.index, as: same.id.index, of: old.numbers)
      keepsMissing = keepsMissing || providers[new].missing === old.candidates[same.id.index]
    }
    if !keepsMissing { providers[new].missing = nil }
  }

  private func forgetLacks() {
    memory.lacks.removeAll { lack in
      let isKept = providers.contains { $0 === lack.provider }
      return !isKept || lack.candidate.map { lacking in !candidates.contains { $0 === lacking } } ?? false
    }
  }
}
