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

  /// Up to three names that are like an unknown one, the likest first. Off the hot path, and bounded: the
  /// first `Limits.nearestCompared` names are looked at, and only those up to `Limits.nearestLength` bytes.
  package func nearest(to model: Span<UInt8>) -> [String] {
    guard model.count > 0, model.count <= Limits.nearestLength else { return [] }
    let wanted = Self.folded(model)
    var best: [(name: String, distance: Int)] = []
    for name in (aliasTexts + listedTexts).prefix(Limits.nearestCompared) {
      let known = name.utf8.map { $0.asciiLowercased }
      guard known.count <= Limits.nearestLength, !best.contains(where: { $0.name == name }) else { continue }
      let bound = max(2, min(wanted.count, known.count) / 3)
      var distance = Self.distance(wanted, known, bound: bound)
      if distance > bound, Self.hasStart(wanted, known) { distance = bound }
      if distance > bound { continue }
      let place = best.firstIndex { distance < $0.distance } ?? best.count
      best.insert((name, distance), at: place)
      if best.count > Limits.nearestTold { best.removeLast() }
    }
    return best.map { $0.name }
  }

  private static func folded(_ bytes: Span<UInt8>) -> [UInt8] {
    var out: [UInt8] = []
    for i in 0..<bytes.count { out.append(bytes[i].asciiLowercased) }
    return out
  }

  /// One is the other's beginning, or its end after a slash (`Llama-3.3` and `meta-llama/Llama-3.3`).
  private static func hasStart(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    let short = a.count < b.count ? a : b
    let long = a.count < b.count ? b : a
    guard short.count >= 3 else { return false }
    if long.starts(with: short) { return true }
    let end = long.count - short.count
    return end > 0 && long[end - 1] == UInt8(ascii: "/") && long[end...].elementsEqual(short)
  }

  /// Levenshtein's distance, or `bound + 1` as soon as it is known to be greater.
  private static func distance(_ a: [UInt8], _ b: [UInt8], bound: Int) -> Int {
    if abs(a.count - b.count) > bound { return bound + 1 }
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      var least = row[0]
      for (j, y) in b.enumerated() {
        let substituted = diagonal + (x == y ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substituted, row[j] + 1, diagonal + 1)
        least = min(least, row[j + 1])
      }
      if least > bound { return bound + 1 }
    }
    return row[b.count]
  }
}
