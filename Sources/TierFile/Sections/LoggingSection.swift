internal import Policy

extension Reader {
  /// The server edition's `Logging: {LogLevel: {Default: …, Synaxis: …}}`: the level of `Synaxis`, or else of
  /// `Default`. Other categories are those of its own libraries, and what stands beside `LogLevel` is its host's.
  mutating func readLogging(_ node: Node) {
    guard case .map(let entries) = node.content else {
      if !node.isNothing { error(node.mark, "Logging must be a map, this is \(node.kind)") }
      return
    }
    for entry in entries where Spelling.normalised(entry.key) == "loglevel" {
      guard case .map(let levels) = entry.value.content else { continue }
      for category in ["synaxis", "default"] {
        guard let level = levels.first(where: { Spelling.normalised($0.key) == category }) else { continue }
        readLogLevel(level)
        return
      }
    }
  }

  private mutating func readLogLevel(_ entry: Node.Entry) {
    let path = "Logging.LogLevel.\(entry.key)"
    guard let text = text(entry.value, path) else { return }
    switch Spelling.normalised(text) {
    case "trace", "debug": configuration.log.level = .debug
    case "information": configuration.log.level = .info
    case "warning": configuration.log.level = .warning
    case "error", "critical": configuration.log.level = .error
    case "none": configuration.log.level = .silent
    default:
      let words = ["Trace", "Debug", "Information", "Warning", "Error", "Critical", "None"]
      error(
        entry.value.mark,
        "\(label(path)) must be \(words.joined(separator: " or ")), this is \(quote(entry.value))",
        hint: Spelling.suggestion(for: text, among: words))
    }
  }
}
