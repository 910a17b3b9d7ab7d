/// The names of models for which one provider stands alone: where it fails, no other takes over.
package struct LoneModels: Equatable, Sendable {
  package let provider: String
  /// In the order of the file.
  package let names: [String]

  package init(provider: String, names: [String]) {
    self.provider = provider
    self.names = names
  }

  /// The names, parted by commas; of more than `limit` the rest is counted.
  package func list(limit: Int = .max) -> String {
    let shown = names.prefix(limit).joined(separator: ", ")
    return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
  }
}

extension Catalog {
  /// By provider, in the order of the file. Not among them: a model that an alias backs with a second provider,
  /// and a name that an alias hides.
  package var loneModels: [LoneModels] {
    var backed: Set<CandidateID> = []
    for list in aliasLists where !list.isLone { backed.formUnion(lists[list.range]) }
    let hidden = Set(aliasTexts)
    let listed = zip(listedTexts, listedLists).filter { !hidden.contains($0.0) }
    var names: [[String]] = Array(repeating: [], count: providers.count)
    for (name, list) in listed + zip(aliasTexts, aliasLists) where list.isLone {
      guard let first = lists[list.range].first, !backed.contains(first) else { continue }
      names[candidates[first.index].provider].append(name)
    }
    return zip(providers, names).filter { !$0.1.isEmpty }
      .map { LoneModels(provider: $0.0.name, names: $0.1) }
  }
}
