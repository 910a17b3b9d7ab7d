internal import Base
internal import Policy

extension Reader {
  /// A provider's models: 1. a list of names, 2. a list of maps, 3. a map of our name to theirs, or to a map.
  /// `"*"` anywhere passes names on that nobody lists.
  mutating func readModels(_ node: Node, into provider: inout Provider, _ path: String) {
    var places: [String: Mark] = [:]
    if case .map(let entries) = node.content {  // 3
      for entry in entries {
        if entry.key == "*", !entry.value.isNull {
          error(
            entry.value.mark, "\(label(path)): \"*\" passes names on as they are, so nothing stands behind it"
          )
          continue
        }
        var model: Model? = Model(name: entry.key, upstreamName: entry.key)
        if case .map = entry.value.content {
          model = self.model(entry.value, named: entry.key, "\(path).\(entry.key)")
        } else if !entry.value.isNothing {
          model = text(entry.value, path).map { Model(name: entry.key, upstreamName: $0) }
        }
        if let model { add(model, at: entry.mark, to: &provider, &places, path) }
      }
      return
    }
    for item in items(of: node) {
      switch item.content {
      case .scalar:  // 1
        guard let name = text(item, path) else { continue }
        add(Model(name: name, upstreamName: name), at: item.mark, to: &provider, &places, path)
      case .map:  // 2
        if let model = model(item, named: nil, path) {
          add(model, at: item.mark, to: &provider, &places, path)
        }
      case .list: error(item.mark, "\(label(path)): a model is a name or a map, this is a list")
      }
    }
  }

  private mutating func add(
    _ model: Model, at mark: Mark, to provider: inout Provider, _ places: inout [String: Mark], _ path: String
  ) {
    guard isModelName(model.name), isModelName(model.upstreamName) else {
      error(
        mark,
        "\(label(path)): a model's name is a text of 1 to \(Limits.name) bytes without control characters")
      return
    }
    if let first = places[model.name] {
      error(
        mark,
        "\(label(path)): the model \"\(Spelling.excerpt(model.name))\" stands twice, first in line \(first.line)"
      )
      return
    }
    places[model.name] = mark
    if model.name == "*" { provider.passesAnyModel = true } else { provider.models.append(model) }
  }

  func isModelName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= Limits.name && text.utf8.allSatisfy { $0 >= 32 && $0 != 127 }
  }

  /// A model written as a map; nil where it is wrong or not enabled.
  private mutating func model(_ node: Node, named name: String?, _ path: String) -> Model? {
    guard
      let section = section(
        node, path, .model, without: name == nil ? nil : "name",
        synonyms: ["upstream": "model", "id": "name"])
    else { return nil }
    guard flag("enabled", in: section) != false else { return nil }
    var ours = name
    if ours == nil {
      ours = text("name", in: section)
      if ours == nil, section["name"] == nil { error(node.mark, "\(label(path)): this model has no name") }
    }
    let theirs = section["model"] == nil ? ours : text("model", in: section)
    guard let ours, let theirs else { return nil }
    var model = Model(name: ours, upstreamName: theirs)
    model.cost = cost(in: section)
    model.context = whole("context", in: section)
    model.caches = flag("cache", in: section)
    model.coalesces = flag("coalesce", in: section)
    return model
  }
}
