/// One map of the file whose keys are known. Asking it for a key that was not declared is a fault of ours.
struct Section {
  /// Where it stands in the file's tree, for messages: `providers.groq`; empty for the root.
  let path: String
  let mark: Mark
  private let name: SectionName
  private let synonyms: [String]
  private var entries: [String: Node.Entry] = [:]

  init(_ name: SectionName, path: String, mark: Mark, synonyms: [String]) {
    self.name = name
    self.path = path
    self.mark = mark
    self.synonyms = synonyms
  }

  mutating func add(_ entry: Node.Entry, as key: String) { entries[key] = entry }

  /// What stands under a key, also where that is null.
  func entry(_ key: String) -> Node.Entry? {
    precondition(synonyms.contains(key) || name[key].name == key)
    return entries[key]
  }

  /// The value of a key; nil where it is missing, null or an empty text.
  subscript(key: String) -> Node? {
    guard let value = entry(key)?.value, !value.isNothing else { return nil }
    return value
  }

  /// Where a key's value stands, or else the section itself.
  func place(of key: String) -> Mark { entry(key)?.value.mark ?? mark }

  /// What may stand under a key.
  func kinds(_ key: String) -> [Key.Kind] { name[key].kinds }

  func path(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
}

extension Reader {
  /// Reads a map with known keys. `synonyms` are further names, normalised, and the keys that they stand for.
  /// Unknown keys and keys said twice are reported, and left out.
  mutating func section(
    _ node: Node, _ path: String, _ name: SectionName, without: String? = nil,
    synonyms: [String: String] = [:]
  ) -> Section? {
    guard case .map(let entries) = node.content else {
      if node.isNothing {
        return Section(name, path: path, mark: node.mark, synonyms: Array(synonyms.values))
      }
      error(node.mark, "\(label(path)) must be a map, this is \(node.kind)")
      return nil
    }
    return section(entries, at: node.mark, path, name, without: without, synonyms: synonyms)
  }

  /// `without`: a key that has no place here.
  mutating func section(
    _ entries: [Node.Entry], at mark: Mark, _ path: String, _ name: SectionName, without: String? = nil,
    synonyms: [String: String] = [:]
  ) -> Section {
    var section = Section(name, path: path, mark: mark, synonyms: Array(synonyms.values))
    let keys = name.keys.map { $0.name }.filter { $0 != without }
    var known = synonyms
    for key in keys { known[Spelling.normalised(key)] = key }
    for entry in entries {
      guard let key = known[Spelling.normalised(entry.key)] else {
        let place = path.isEmpty ? "" : " in \(label(path))"
        let hint =
          Spelling.suggestion(for: entry.key, among: keys)
          ?? Spelling.suggestion(for: entry.key, among: synonyms.values.sorted())
          ?? "known here: \(keys.joined(separator: ", "))"
        error(entry.mark, "unknown key \"\(Spelling.excerpt(entry.key))\"\(place)", hint: hint)
        continue
      }
      if let first = section.entry(key) {
        error(
          entry.mark,
          "\"\(Spelling.excerpt(entry.key))\" says again what \"\(Spelling.excerpt(first.key))\" said in line \(first.mark.line)"
        )
        continue
      }
      section.add(entry, as: key)
    }
    return section
  }

  func label(_ path: String) -> String { path.isEmpty ? "the file" : Spelling.excerpt(path) }
}
