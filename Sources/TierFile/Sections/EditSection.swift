internal import Base
internal import Policy

extension Reader {
  /// A provider's `edits`, done after its preset's, in order. Each is a map with one verb:
  ///
  /// 1. `{ drop: PATH }`, `{ drop: PATH, unless: VALUE }`, `{ drop: PATH, where: VALUE }`
  /// 2. `{ rename: PATH, to: NAME }`
  /// 3. `{ clamp: PATH, to: NUMBER }`
  /// 4. `{ default: NAME, to: VALUE }`
  /// 5. `{ replace: PATH, value: VALUE, with: VALUE }`
  ///
  /// A PATH names members, `[]` steps into each element of an array: `messages[].name`. A VALUE is any YAML
  /// value; the request's JSON must be written the same way to match it.
  mutating func readEdits(_ node: Node, _ path: String) -> [RequestEdit] {
    items(of: node).compactMap { edit($0, path) }
  }

  private mutating func edit(_ node: Node, _ path: String) -> RequestEdit? {
    let verbs = ["drop", "rename", "clamp", "default", "replace"]
    guard
      let section = section(node, path, .edit)
    else { return nil }
    let said = verbs.filter { section[$0] != nil }
    guard said.count == 1, let verb = said.first, let target = section[verb] else {
      error(node.mark, "\(label(path)): an edit has one of \(verbs.joined(separator: ", "))")
      return nil
    }
    guard let text = text(target, section.path(verb)) else { return nil }
    guard Self.isEditPath(text) else {
      error(
        target.mark, "\(label(path)): not a path of members", hint: "for example max_tokens, messages[].name")
      return nil
    }
    guard let action = action(verb, section, at: node.mark) else { return nil }
    if case .fallback = action,
      text.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "[") })
    {
      error(target.mark, "\(label(path)): a default is for a member of the request itself")
      return nil
    }
    return RequestEdit(path: text, action: action)
  }

  private mutating func action(_ verb: String, _ section: Section, at mark: Mark) -> RequestEdit.Action? {
    let allowed: [String]
    switch verb {
    case "drop": allowed = ["unless", "where"]  // 1
    case "replace": allowed = ["value", "with"]  // 5
    default: allowed = ["to"]
    }
    for other in ["to", "unless", "where", "value", "with"] {
      guard let entry = section.entry(other), !allowed.contains(other) else { continue }
      error(entry.mark, "\(label(section.path)): \"\(other)\" does not go with \"\(verb)\"")
      return nil
    }
    switch verb {
    case "drop":
      if let value = section.entry("unless") { return json(value.value, section).map { .dropUnless($0) } }
      if let value = section.entry("where") { return json(value.value, section).map { .dropWhere($0) } }
      return .drop
    case "rename":  // 2
      guard section["to"] != nil else { break }
      guard let name = text("to", in: section) else { return nil }
      if !name.isEmpty, Self.isMember(Array(name.utf8)[...]) { return .rename(name) }
      error(section.place(of: "to"), "\(label(section.path)): the new name must be one member's name")
      return nil
    case "clamp":  // 3
      guard section["to"] != nil else { break }
      return whole("to", in: section).map { .clamp($0) }
    case "default":  // 4
      guard let value = section.entry("to") else { break }
      return json(value.value, section).map { .fallback($0) }
    default:
      guard let value = section.entry("value"), let other = section.entry("with") else {
        error(mark, "\(label(section.path)): replace needs value and with")
        return nil
      }
      guard let old = json(value.value, section), let new = json(other.value, section) else { return nil }
      return .replace(old, with: new)
    }
    error(mark, "\(label(section.path)): \(verb) needs to")
    return nil
  }

  /// Names joined by dots, each with any number of `[]` behind it.
  static func isEditPath(_ text: String) -> Bool {
    guard text.utf8.count <= Limits.name else { return false }
    let parts = Array(text.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    for part in parts {
      var name = part
      while name.count > 2, name.suffix(2).elementsEqual("[]".utf8) { name = name.dropLast(2) }
      if !isMember(name) { return false }
    }
    return parts.count <= 8 && parts.last?.last != UInt8(ascii: "]")
  }

  private static func isMember(_ name: ArraySlice<UInt8>) -> Bool {
    !name.isEmpty && name.allSatisfy { $0 > 32 && $0 < 127 && !"[].\"\\".utf8.contains($0) }
  }

  // MARK: - JSON

  /// A value as the JSON text that a client would most likely write for it (RFC 8259).
  private mutating func json(_ node: Node, _ section: Section) -> String? {
    switch node.content {
    case .scalar(_, let isPlain):
      if node.isNull { return "null" }
      guard let text = text(node, section.path) else { return nil }
      if isPlain, text == "true" || text == "false" || Self.isJSONNumber(text) { return text }
      return Self.jsonString(text)
    case .list(let items):
      let parts = items.compactMap { json($0, section) }
      return parts.count == items.count ? "[" + parts.joined(separator: ",") + "]" : nil
    case .map(let entries):
      let parts = entries.compactMap { entry in
        json(entry.value, section).map { Self.jsonString(entry.key) + ":" + $0 }
      }
      return parts.count == entries.count ? "{" + parts.joined(separator: ",") + "}" : nil
    }
  }

  private static func isJSONNumber(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
    let whole = rest.prefix { $0.isDigit }
    if whole.isEmpty || (whole.count > 1 && whole.first == UInt8(ascii: "0")) { return false }
    rest = rest[whole.endIndex...]
    if rest.first == UInt8(ascii: ".") {
      let fraction = rest.dropFirst().prefix { $0.isDigit }
      if fraction.isEmpty { return false }
      rest = rest[fraction.endIndex...]
    }
    if let e = rest.first, e.asciiLowercased == UInt8(ascii: "e") {
      rest = rest.dropFirst()
      if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
        rest = rest.dropFirst()
      }
      return !rest.isEmpty && rest.allSatisfy { $0.isDigit }
    }
    return rest.isEmpty
  }

  static func jsonString(_ text: String) -> String {
    var output: [UInt8] = [UInt8(ascii: "\"")]
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        output.append(UInt8(ascii: "\\"))
        output.append(byte)
      case 10: output += Array("\\n".utf8)
      case 13: output += Array("\\r".utf8)
      case 9: output += Array("\\t".utf8)
      case 0..<32:
        output += Array("\\u00".utf8)
        output.append(48 + byte >> 4)
        output.append(byte & 15 < 10 ? 48 + byte & 15 : 87 + byte & 15)
      default: output.append(byte)
      }
    }
    output.append(UInt8(ascii: "\""))
    return String(decoding: output, as: UTF8.self)
  }
}
