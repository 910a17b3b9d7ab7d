internal import Base
internal import Policy

extension Reader {
  /// `clients`: a list of maps.
  mutating func readClients(_ node: Node, _ candidates: Candidates) {
    guard case .list(let items) = node.content else {
      if !node.isNull {
        error(node.mark, "clients must be a list, this is \(node.kind)", hint: "- { name: app, key: … }")
      }
      return
    }
    var places: [String: Mark] = [:]
    for item in items {
      guard
        let section = section(item, "clients", .client)
      else { continue }
      if flag("enabled", in: section) == false { continue }
      let name = text("name", in: section)
      if let name, let first = places[name] {
        error(
          section.place(of: "name"),
          "clients: \"\(Spelling.excerpt(name))\" stands twice, first in line \(first.line)")
        continue
      }
      if let name { places[name] = section.place(of: "name") }
      if section["name"] == nil { error(item.mark, "clients: this one has no name") }
      if let name, !isName(name) {
        error(
          section.place(of: "name"),
          "clients: a name has letters, digits, \".\", \"_\" and \"-\" only",
          hint: "it appears in log and metrics")
      }
      guard let key = clientKey(section, at: item.mark), let name else { continue }
      if configuration.clients.contains(where: { $0.key == key }) {
        error(item.mark, "clients: \"\(Spelling.excerpt(name))\" has the key of another client")
        continue
      }
      var client = Client(name: name, key: key)
      for (text, mark) in texts("models", in: section) where text != "*" {
        let isAlias = configuration.aliases.contains { $0.name == text } || emptyAliases.contains(text)
        if isAlias || candidates.names(text) {
          client.models.append(text)
        } else {
          let known =
            configuration.aliases.map { $0.name }
            + configuration.providers.flatMap { $0.models.map { $0.name } }
          error(
            mark, "clients: \"\(Spelling.excerpt(text))\" is neither an alias nor a model",
            hint: Spelling.suggestion(for: text, among: known))
        }
      }
      client.requestsPerMinute = quantity("rpm", in: section)
      client.concurrent = whole("concurrent", in: section)
      client.spendPerDay = spendPerDay(in: section)
      if client.spendPerDay != nil, !configuration.providers.contains(where: { $0.hasCost }) {
        warn(
          section.place(of: "spend"), "clients.spend bounds nothing: no provider has a cost",
          hint: "write cost: { input: …, output: … } at those that are paid")
      }
      configuration.clients.append(client)
    }
  }

  private mutating func clientKey(_ section: Section, at mark: Mark) -> Client.Key? {
    let given = ["key", "key_sha256", "key_file"].filter { section[$0] != nil }
    guard let form = given.first, let node = section[form] else {
      error(mark, "clients: this one has no key", hint: "give key, key_file or key_sha256")
      return nil
    }
    if given.count > 1 {
      error(section.place(of: given[1]), "clients: \(given.joined(separator: " and ")); one is enough")
      return nil
    }
    switch form {
    case "key": return secret(node, "clients.key").map { .plain($0) }
    case "key_file": return secretFile(node, "clients.key_file").map { .plain($0) }
    default:
      guard let text = text(node, "clients.key_sha256") else { return nil }
      let digits = text.utf8.compactMap { $0.hexValue }
      guard digits.count == 64, text.utf8.count == 64 else {
        error(
          node.mark, "clients.key_sha256 must be 64 hexadecimal digits", hint: "printf %s KEY | sha256sum")
        return nil
      }
      return .sha256((0..<32).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] })
    }
  }
}
