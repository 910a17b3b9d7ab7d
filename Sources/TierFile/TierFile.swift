package import Policy

/// What came of reading a tier file: a configuration, or the errors that stand in its way; warnings either way.
package struct Reading: Sendable {
  /// The file's name as the problems give it.
  package var file: String
  /// nil where any problem is an error: a file is taken whole or not at all.
  package var configuration: Configuration?
  /// In the order of their places in the file.
  package var problems: [Problem]

  package var hasErrors: Bool { problems.contains { $0.severity == .error } }

  /// The problems, one a line, each line ended: for stderr.
  package var report: String {
    var text = ""
    for problem in problems { text += problem.text(in: file) + "\n" }
    return text
  }
}

/// The tier file's reader: bytes in, a checked configuration or all located errors out (SPEC §2).
///
/// Pure but for `key_file`s (and `token_file`), which are opened while reading: no clock, no environment.
package enum TierFile {
  /// `file` names the file in problems; relative `key_file` paths start from its directory.
  package static func read(_ bytes: Span<UInt8>, named file: String, environment: Environment) -> Reading {
    Reading(file: file, configuration: nil, problems: [])
  }

  /// Opens and reads a file. One that cannot be read is a problem at 1:1.
  package static func read(path: String, environment: Environment) -> Reading {
    Reading(file: path, configuration: nil, problems: [])
  }
}
