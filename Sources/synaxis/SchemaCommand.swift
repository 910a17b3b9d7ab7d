internal import Lab
internal import TierFile

/// `synaxis schema`: the tier file's JSON Schema, on stdout.
enum SchemaCommand {
  /// Nil: help was asked for.
  static func run(_ list: [String]) throws(UsageError) -> Int32? {
    if list.isEmpty {
      Console.say(Schema.text)
      return ExitCode.ok
    }
    if list == ["--help"] || list == ["-h"] { return nil }
    throw UsageError("schema takes no options; `synaxis schema >synaxis.schema.json` writes a file")
  }
}
