/// A place in the file, counted from 1. Columns count characters, as libyaml and editors do.
package struct Mark: Comparable, Hashable, Sendable {
  package var line: Int
  package var column: Int
  package init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
  package static func < (a: Mark, b: Mark) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// One mistake in the file. Its text never holds a key, nor any value that came from the environment.
package struct Problem: Equatable, Sendable {
  package enum Severity: Equatable, Sendable { case error, warning }
  package var severity: Severity
  package var mark: Mark
  package var message: String
  /// What to do about it.
  package var hint: String?

  package var line: Int { mark.line }
  package var column: Int { mark.column }

  package init(_ severity: Severity, at mark: Mark, _ message: String, hint: String? = nil) {
    self.severity = severity
    self.mark = mark
    self.message = message
    self.hint = hint
  }

  /// `FILE:LINE:COLUMN: error: message; hint`, as compilers write it, without a line end.
  package func text(in file: String) -> String {
    let word = severity == .error ? "error" : "warning"
    let tail = hint.map { "; \($0)" } ?? ""
    return "\(file):\(line):\(column): \(word): \(message)\(tail)"
  }
}
