/// The process's environment as a value: the executable fills it, this module only looks names up.
package struct Environment: Sendable {
  private var variables: [String: String]

  package init(_ variables: [String: String] = [:]) { self.variables = variables }

  /// From `environ(7)`'s entries, `NAME=value`. The first entry of a name counts, as with getenv(3).
  package init(entries: [String]) {
    variables = [:]
    for entry in entries {
      guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let name = String(entry[..<equals])
      if variables[name] == nil { variables[name] = String(entry[entry.utf8.index(after: equals)...]) }
    }
  }

  package subscript(name: String) -> String? { variables[name] }
}
