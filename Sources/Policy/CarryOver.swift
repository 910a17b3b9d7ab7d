internal import Base

extension Ledger {
  /// A reload: a new catalog, and what the old ledger learned that still holds.
  ///
  /// 1. A provider of the same name and way there (type, endpoint, kind of key, proxy) keeps its breaker and
  ///    its latency. A probe under way belongs to the old ledger: its place is free here.
  /// 2. A key that such a provider still has keeps its cooldown and, with the same headers and sharing, its
  ///    account: cooldown, learned quota, and what its budgets have spent, whatever their limits are now.
  /// 3. A candidate with the same names at such a provider keeps its cooldown and latency.
  /// 4. Conversations stay at home with such keys and candidates, and what such providers have spent is counted on.
  ///
  /// Exchanges in flight keep the old ledger and end their tickets there, which changes nothing here but where
  /// conversations are at home.
  package convenience init(
    _ catalog: Catalog, keeping old: Ledger, affinity: AffinitySettings = AffinitySettings()
  ) {
    self.init(catalog, seed: 1, affinity: affinity)
    dice = old.dice
    homes = old.homes
    makers = old.makers
    homes.adopt(affinity)
    numbers = HomeNumbers(homes, candidates: candidates.count, keys: keys.count)
    adoptAttempts(of: old)
    day = old.day
    for (new, provider) in catalog.providers.enumerated() {
      guard let before = old.catalog.providers.firstIndex(where: { $0.name == provider.name }),
        Self.isSameWay(provider, old.catalog.providers[before])
      else { continue }
      spendings[new] = old.spendings[before]
      // 1.
      let range = providers[new].keys
      providers[new] = old.providers[before]
      providers[new].keys = range
      providers[new].inFlight = 0
      providers[new].suspects = 0
      providers[new].missing = nil
      providers[new].breaker.freeProbe()
      keepKeys(of: new, from: before, of: old)
      keepCandidates(of: new, from: before, of: old)
    }
  }

  private static func isSameWay(_ a: Provider, _ b: Provider) -> Bool {
    a.type == b.type && a.endpoint == b.endpoint && a.keyScheme == b.keyScheme && a.proxy == b.proxy
  }

  private func keepKeys(of new: Int, from before: Int, of old: Ledger) {
    let now = catalog.providers[new]
    let then = old.catalog.providers[before]
    // 2.
    let keepsAccount = now.quotaIsShared == then.quotaIsShared && now.quotaHeaders == then.quotaHeaders
    for place in 0..<max(1, now.keys.count) {
      let match: Int?
      if now.keys.isEmpty {
        match = then.keys.isEmpty ? 0 : nil
      } else {
        match = then.keys.firstIndex(of: now.keys[place])
      }
      guard let match else { continue }
      let newKey = providers[new].keys.lowerBound + place
      let oldKey = old.providers[before].keys.lowerBound + match
      keys[newKey].cooldown = old.keys[oldKey].cooldown
      keys[newKey].lastUsed = old.keys[oldKey].lastUsed
      numbers.keep(key: newKey, as: oldKey, of: old.numbers)  // 4.
      if keepsAccount {
        accounts[keys[newKey].account] = old.accounts[old.keys[oldKey].account]
        accounts[keys[newKey].account].startOver()
      }
    }
  }

  private func keepCandidates(of new: Int, from before: Int, of old: Ledger) {
    var known: [String: Candidate] = [:]
    for candidate in old.catalog.candidates where candidate.provider == before {
      known[candidate.name] = candidate
    }
    for candidate in catalog.candidates where candidate.provider == new {
      // 3.
      guard let same = known[candidate.name], same.upstreamName == candidate.upstreamName else { continue }
      candidates[candidate.id.index] = old.candidates[same.id.index]
      numbers.keep(candidate: candidate.id.index, as: same.id.index, of: old.numbers)
      if old.providers[before].missing == same.id.index { providers[new].missing = candidate.id.index }
    }
  }
}
