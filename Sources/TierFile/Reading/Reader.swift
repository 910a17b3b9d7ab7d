internal import Base
internal import Policy

/// One reading of one file: takes the tree apart, fills a configuration, gathers every problem on the way.
struct Reader {
  let file: String
  let environment: Environment
  private(set) var problems: [Problem] = []
  private(set) var hasErrors = false
  private var unlisted = 0
  /// Problems so far, listed or not: that it stayed the same says that a part was in order.
  var problemCount: Int { problems.count + unlisted }
  var configuration = Configuration()
  /// Where each provider's name stands, in the order of `configuration.providers`.
  var providerMarks: [Mark] = []
  /// Providers whose models could not all be read: that they have none is no news then.
  var unclearModels: Set<String> = []
  /// Providers that are left out for want of something, and what they want.
  var leftOut: [Provider] = []
  var absences: [[Absence]] = []
  /// Aliases that are left out: a client may still be held to them.
  var emptyAliases: Set<String> = []
  var readsOnlyAddresses = false
  /// What is read belongs to a provider that is left out anyway: a further unset variable is no news.
  var isOfLeftOut = false

  init(file: String, environment: Environment) {
    self.file = file
    self.environment = environment
  }

  // MARK: - Problems

  mutating func error(_ mark: Mark, _ message: String, hint: String? = nil) {
    hasErrors = true
    list(Problem(.error, at: mark, message, hint: hint))
  }

  mutating func warn(_ mark: Mark, _ message: String, hint: String? = nil) {
    list(Problem(.warning, at: mark, message, hint: hint))
  }

  private mutating func list(_ problem: Problem) {
    if problems.count < Limits.tierFileProblems { problems.append(problem) } else { unlisted += 1 }
  }

  /// Every problem once, in the order of the file.
  func sortedProblems() -> [Problem] {
    var sorted: [Problem] = []
    for (_, problem) in problems.enumerated().sorted(by: { a, b in
      a.element.mark != b.element.mark ? a.element.mark < b.element.mark : a.offset < b.offset
    }) where sorted.last != problem {
      sorted.append(problem)
    }
    if unlisted > 0, let last = sorted.last {
      sorted.append(Problem(hasErrors ? .error : .warning, at: last.mark, "and \(unlisted) more problems"))
    }
    return sorted
  }

  // MARK: - Single values

  /// The text of a value with its variables filled in.
  mutating func text(_ node: Node, _ path: String) -> String? {
    guard let raw = raw(node, path) else { return nil }
    do throws(Interpolation.Fault) {
      return try Interpolation.resolve(raw, in: environment)
    } catch {
      report(error, at: node.mark, path)
      return nil
    }
  }

  /// A value as it stands in the file: what messages may quote.
  mutating func raw(_ node: Node, _ path: String) -> String? {
    guard case .scalar(let raw, _) = node.content else {
      error(node.mark, "\(label(path)) must be a single value, this is \(node.kind)")
      return nil
    }
    return raw
  }

  mutating func report(_ fault: Interpolation.Fault, at mark: Mark, _ path: String) {
    switch fault {
    case .unset(let name):
      if isOfLeftOut || readsOnlyAddresses { return }
      error(
        mark, "\(label(path)): the environment variable \(Spelling.excerpt(name)) is not set",
        hint: "set it, or give a default: ${\(Spelling.excerpt(name)):-text}")
    case .open: error(mark, "\(label(path)): \"${\" without \"}\"", hint: "write $${ for the text ${")
    case .notAName:
      error(
        mark, "\(label(path)): only ${NAME} and ${NAME:-text} are understood",
        hint: "write $${ for the text ${")
    }
  }

  // MARK: - Values of a section's key

  mutating func text(_ key: String, in section: Section) -> String? {
    section[key].flatMap { text($0, section.path(key)) }
  }

  mutating func flag(_ key: String, in section: Section) -> Bool? {
    section[key].flatMap { flag($0, section.path(key)) }
  }

  mutating func flag(_ node: Node, _ path: String) -> Bool? {
    guard let text = text(node, path) else { return nil }
    if let flag = Self.flag(text) { return flag }
    error(node.mark, "\(label(path)) must be true or false, this is \(quote(node))")
    return nil
  }

  static func flag(_ text: String) -> Bool? {
    switch Spelling.normalised(text) {
    case "true", "yes", "on": true
    case "false", "no", "off": false
    default: nil
    }
  }

  // Kinds and bounds are the table's. `other`: a key of another section that has them.

  mutating func whole(_ key: String, in section: Section, as other: Key? = nil) -> Int? {
    guard let node = section[key], let text = text(node, section.path(key)) else { return nil }
    for case .whole(let range) in other?.kinds ?? section.kinds(key) {
      guard let value = Units.whole(text) else {
        error(node.mark, "\(label(section.path(key))) must be a whole number, this is \(quote(node))")
        return nil
      }
      return within(value, range, node, section.path(key)) { "\($0)" }
    }
    preconditionFailure("not a whole number in the table")
  }

  /// A count of at least one.
  mutating func quantity(_ key: String, in section: Section) -> Quantity? {
    guard let node = section[key], let text = text(node, section.path(key)) else { return nil }
    for case .quantity in section.kinds(key) {
      guard let value = text.utf8Span.span.decimal else {
        error(node.mark, "\(label(section.path(key))) must be a whole number, this is \(quote(node))")
        return nil
      }
      return within(value, 1...Limits.quantity, node, section.path(key)) { "\($0)" }.map { Quantity($0) }
    }
    preconditionFailure("not a count in the table")
  }

  mutating func number(_ key: String, in section: Section) -> Double? {
    guard let node = section[key], let text = text(node, section.path(key)) else { return nil }
    for case .number(let range) in section.kinds(key) {
      guard let value = Units.decimal(Array(text.utf8)[...]) else {
        error(node.mark, "\(label(section.path(key))) must be a number of 0 or more, this is \(quote(node))")
        return nil
      }
      return within(value, range, node, section.path(key)) { "\($0)" }
    }
    preconditionFailure("not a number in the table")
  }

  mutating func duration(_ key: String, in section: Section, as other: Key? = nil) -> Interval? {
    guard let node = section[key], let text = text(node, section.path(key)) else { return nil }
    for case .duration(let range) in other?.kinds ?? section.kinds(key) {
      guard let value = Units.duration(text) else {
        error(
          node.mark, "\(label(section.path(key))) must be a duration, this is \(quote(node))",
          hint: "write 80ms, 5s, 1m30s, 1h, or a number of seconds")
        return nil
      }
      return within(value, range, node, section.path(key)) { Units.text($0) }
    }
    preconditionFailure("not a duration in the table")
  }

  mutating func size(_ key: String, in section: Section, as other: Key? = nil) -> Int? {
    guard let node = section[key], let text = text(node, section.path(key)) else { return nil }
    for case .size(let least, let power) in other?.kinds ?? section.kinds(key) {
      guard let value = Units.size(text) else {
        error(
          node.mark, "\(label(section.path(key))) must be a size, this is \(quote(node))",
          hint: "write 32KiB, 8MiB, 1MB, or a number of bytes")
        return nil
      }
      let range = Key.sizes(least: least, power: power)
      return within(value, range, node, section.path(key)) { Units.text(bytes: $0) }
    }
    preconditionFailure("not a size in the table")
  }

  private mutating func within<T: Comparable>(
    _ value: T, _ range: ClosedRange<T>, _ node: Node, _ path: String, _ text: (T) -> String
  ) -> T? {
    if range.contains(value) { return value }
    error(
      node.mark,
      "\(label(path)) must be from \(text(range.lowerBound)) to \(text(range.upperBound)), this is \(quote(node))"
    )
    return nil
  }

  /// One of some words.
  mutating func choice(_ key: String, in section: Section) -> String? {
    guard let node = section[key], let text = text(node, section.path(key)) else { return nil }
    for case .choice(let words) in section.kinds(key) {
      for word in words where Spelling.normalised(word) == Spelling.normalised(text) { return word }
      error(
        node.mark,
        "\(label(section.path(key))) must be \(words.joined(separator: " or ")), this is \(quote(node))",
        hint: Spelling.suggestion(for: text, among: words))
      return nil
    }
    preconditionFailure("not a choice in the table")
  }

  /// A list of texts, or one text for a list of one.
  mutating func texts(_ key: String, in section: Section) -> [(text: String, mark: Mark)] {
    guard let node = section[key] else { return [] }
    return items(of: node).compactMap { item in
      text(item, section.path(key)).map { (text: $0, mark: item.mark) }
    }
  }

  func items(of node: Node) -> [Node] {
    if case .list(let items) = node.content { return items }
    return [node]
  }

  /// The value as the file has it, in quotes.
  func quote(_ node: Node) -> String {
    guard case .scalar(let raw, _) = node.content else { return node.kind }
    return "\"\(Spelling.excerpt(raw))\""
  }
}
