internal import Base
package import Policy

/// What came of reading a tier file: a configuration, or the errors that stand in its way; warnings either way.
package struct Reading: Sendable {
  /// The file's name as the problems give it.
  package var file: String
  /// nil where any problem is an error: a file is taken whole or not at all.
  package var configuration: Configuration?
  /// In the order of their places in the file.
  package var problems: [Problem]

  /// As if every warning were an error: `check --strict`.
  package var strict: Reading {
    if problems.isEmpty { return self }
    var reading = self
    reading.configuration = nil
    for index in reading.problems.indices { reading.problems[index].severity = .error }
    return reading
  }

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
  ///
  /// With `onlyAddresses` no more than `listen` and `admin` is read, and a variable that is not set is no problem:
  /// what asks a running instance needs to know where it listens, not its keys.
  package static func read(
    _ bytes: Span<UInt8>, named file: String, environment: Environment, onlyAddresses: Bool = false
  ) -> Reading {
    var reader = Reader(file: file, environment: environment)
    reader.readsOnlyAddresses = onlyAddresses
    do throws(Document.Fault) {
      let surface = bytes.count > Limits.tierFile ? nil : JSONSurface.plain(bytes)
      let root: Node?
      if let surface { root = try Document.parse(surface.span) } else { root = try Document.parse(bytes) }
      if let root, !root.isNull {
        reader.read(root)
      } else {
        reader.error(Mark(line: 1, column: 1), "the file says nothing", hint: "it needs providers at least")
      }
    } catch {
      reader.error(error.problem.mark, error.problem.message, hint: error.problem.hint)
    }
    return Reading(
      file: file, configuration: reader.hasErrors ? nil : reader.configuration,
      problems: reader.sortedProblems())
  }

  /// Opens and reads a file. One that cannot be read is a problem at 1:1.
  package static func read(path: String, environment: Environment, onlyAddresses: Bool = false) -> Reading {
    do throws(File.Fault) {
      let bytes = try File.read(path, atMost: Limits.tierFile)
      return read(bytes.span, named: path, environment: environment, onlyAddresses: onlyAddresses)
    } catch {
      let start = Mark(line: 1, column: 1)
      switch error {
      case .cannotRead(let reason):
        return Reading(
          file: path, configuration: nil,
          problems: [Problem(.error, at: start, "cannot read the file: \(reason)")])
      case .tooLarge:
        return Reading(
          file: path, configuration: nil,
          problems: [Problem(.error, at: start, "the file is larger than 1 MiB")])
      }
    }
  }
}
