internal import Base

/// Where a request's model may go: a list of candidates of one catalog, in the file's order.
package struct Route: Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    case alias, exact, listed, wildcard
    /// One candidate of each provider: for what is about no model.
    case everyone
  }
  package let kind: Kind
  /// Places in `Catalog.lists`.
  let list: Range<Int>
  /// The part of the requested name that a wildcard candidate passes on.
  package let passedName: Range<Int>
  /// Tells passed-on names apart in the health store; 0 where no wildcard is in the list.
  let nameHash: UInt64
  /// nil: as the `cache` section says.
  package let caches: Bool?
  package let coalesces: Bool?
  /// All candidates are one provider's: it is tried even while its breaker is open.
  package let isLone: Bool

  package var count: Int { list.count }
}

package enum Resolution: Equatable, Sendable {
  case route(Route)
  /// Ask `Catalog.nearest` for the text of the 404.
  case unknown
}

extension Catalog {
  /// What a requested model means. The order is SPEC 3's:
  /// 1. an alias;
  /// 2. `provider/name`, where that provider lists the name (ours or its own) or has `"*"`. The first slash
  ///    divides, so `meta-llama/Llama-3.3` is read this way only if a provider is called `meta-llama`;
  /// 3. a name that providers list;
  /// 4. a provider's own name of a listed model, where nobody lists it as ours;
  /// 5. every provider with `"*"`.
  ///
  /// Names of models and aliases are compared exactly, names of providers without case. The cost depends on
  /// the length of the name only.
  package func resolve(_ model: Span<UInt8>) -> Resolution {
    guard model.count > 0 else { return .unknown }
    // 1.
    if let index = aliasNames.index(of: model) {
      return .route(route(.alias, aliasLists[index], passing: 0..<0, of: model))
    }
    // 2.
    if let slash = model.firstIndex(of: UInt8(ascii: "/")), slash + 1 < model.count,
      let provider = providerIndex(named: model.extracting(0..<slash))
    {
      let rest = slash + 1..<model.count
      if let index = servedNames[provider].index(of: model.extracting(rest)) {
        return .route(
          route(.exact, single[servedCandidates[provider][index].index], passing: 0..<0, of: model))
      }
      if let wildcard = wildcards[provider] {
        return .route(route(.exact, single[wildcard.index], passing: rest, of: model))
      }
    }
    // 3.
    if let index = listedNames.index(of: model) {
      return .route(route(.listed, listedLists[index], passing: 0..<0, of: model))
    }
    // 4.
    if let index = upstreamNames.index(of: model) {
      return .route(route(.listed, upstreamLists[index], passing: 0..<0, of: model))
    }
    // 5.
    if !wildcardList.range.isEmpty {
      return .route(route(.wildcard, wildcardList, passing: 0..<model.count, of: model))
    }
    return .unknown
  }

  /// For what is about no model.
  package var everyone: Route { route(.everyone, everyoneList, passing: 0..<0, of: Span()) }

  private func route(_ kind: Route.Kind, _ list: List, passing: Range<Int>, of model: Span<UInt8>) -> Route {
    Route(
      kind: kind, list: list.range, passedName: passing,
      nameHash: passing.isEmpty ? 0 : hash(model.extracting(passing)),
      caches: list.caches, coalesces: list.coalesces, isLone: list.isLone)
  }

  /// FNV-1a from a seeded basis, so that a client cannot prepare two names that meet.
  private func hash(_ bytes: Span<UInt8>) -> UInt64 {
    var hash = 0xcbf2_9ce4_8422_2325 ^ seed
    for i in 0..<bytes.count { hash = (hash ^ UInt64(bytes[i])) &* 0x100_0000_01b3 }
    return (hash ^ (hash >> 29)) | 1
  }

  /// The provider of a name, compared without case.
  package func providerIndex(named name: Span<UInt8>) -> Int? {
    guard name.count > 0, name.count <= Limits.providerName else { return nil }
    var lower = InlineArray<128, UInt8>(repeating: 0)
    for i in 0..<name.count { lower[i] = name[i].asciiLowercased }
    return providerNames.index(of: lower.span.extracting(0..<name.count))
  }

  /// The n-th candidate of a route.
  package func candidate(_ n: Int, of route: Route) -> CandidateID { lists[route.list.lowerBound + n] }

  /// The body's `model` has to be replaced by the candidate's `upstreamJSON`, or, for a wildcard, by the
  /// requested name's `passedName`.
  package func needsModelSplice(_ id: CandidateID, route: Route, requested: Span<UInt8>) -> Bool {
    if candidates[id.index].isWildcard { return route.passedName != 0..<requested.count }
    let name = candidates[id.index].upstreamName
    return !requested.equals(name.span)
  }
}
