internal import Base

/// One id of `GET /v1/models`.
package struct ListedModel: Equatable, Sendable {
  package var id: String
  /// The provider that is tried first by tier, then by the file's order.
  package var provider: String
  package var tier: Int
  package var isAlias: Bool
  /// The largest context window that is known among its candidates.
  package var context: Int?
}

extension Catalog {
  /// Aliases and listed names, each once, in the order of the file.
  package func modelList() -> [ListedModel] {
    var out: [ListedModel] = []
    for (name, list) in zip(aliasTexts, aliasLists) { out.append(entry(name, list.range, isAlias: true)) }
    let taken = Set(aliasTexts)
    for (name, list) in zip(listedTexts, listedLists) where !taken.contains(name) {
      out.append(entry(name, list.range, isAlias: false))
    }
    return out
  }

  /// The entry of `modelList` with that id.
  package func listedModel(_ id: Span<UInt8>) -> ListedModel? {
    if let place = aliasNames.index(of: id) {
      return entry(aliasTexts[place], aliasLists[place].range, isAlias: true)
    }
    return listedNames.index(of: id).map { entry(listedTexts[$0], listedLists[$0].range, isAlias: false) }
  }

  /// An entry for any name that a request may bear, but for one that is merely passed on.
  package func model(named name: String) -> ListedModel? {
    var name = name
    let resolution = name.withUTF8 { resolve($0.span) }
    guard case .route(let route) = resolution, route.kind != .wildcard else { return nil }
    return entry(name, route.list, isAlias: route.kind == .alias)
  }

  private func entry(_ name: String, _ list: Range<Int>, isAlias: Bool) -> ListedModel {
    let members = list.map { candidates[lists[$0].index] }
    var first = members[0]
    for member in members where member.tier < first.tier { first = member }
    return ListedModel(
      id: name, provider: providers[first.provider].name, tier: first.tier, isAlias: isAlias,
      context: members.compactMap { $0.context }.max())
  }

  /// Up to three names that are like an unknown one, the likest first, of those that `mayTell` lets through. Bounded:
  /// the first `Limits.nearestCompared` names are looked at, and no name that is longer than `EditDistance.longest`.
  package func nearest(to model: Span<UInt8>, mayTell: (String) -> Bool = { _ in true }) -> [String] {
    guard model.count > 0, model.count <= EditDistance.longest else { return [] }
    let distances = EditDistance(from: model)
    var best: [(name: String, distance: Int)] = []
    for n in 0..<min(aliasTexts.count + listedTexts.count, Limits.nearestCompared) {
      let name = n < aliasTexts.count ? aliasTexts[n] : listedTexts[n - aliasTexts.count]
      let bytes = name.utf8Span.span
      guard bytes.count <= EditDistance.longest else { continue }
      // With three at hand only a nearer one is of interest.
      let bound = max(2, min(model.count, bytes.count) / 3)
      let wanted = best.count < Limits.nearestTold ? bound : min(bound, best[best.count - 1].distance - 1)
      var distance = distances.to(bytes, bound: wanted)
      if distance > wanted, bound <= wanted, Self.hasStart(model, bytes) { distance = bound }
      guard distance <= wanted, !best.contains(where: { $0.name == name }), mayTell(name) else { continue }
      let place = best.firstIndex { distance < $0.distance } ?? best.count
      best.insert((name, distance), at: place)
      if best.count > Limits.nearestTold { best.removeLast() }
    }
    return best.map { $0.name }
  }

  /// One is the other's beginning, or its end after a slash (`Llama-3.3` and `meta-llama/Llama-3.3`).
  private static func hasStart(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
    a.count < b.count ? isStart(a, of: b) : isStart(b, of: a)
  }

  private static func isStart(_ short: Span<UInt8>, of long: Span<UInt8>) -> Bool {
    guard short.count >= 3 else { return false }
    if long.extracting(first: short.count).equalsIgnoringCase(short) { return true }
    let end = long.count - short.count
    return end > 0 && long[end - 1] == UInt8(ascii: "/")
      && long.extracting(last: short.count).equalsIgnoringCase(short)
  }
}
