internal import Base
internal import CStarter
internal import Lab

/// `synaxis init`: a commented tier file to start from, on stdout.
enum InitCommand {
  /// Nil: help was asked for.
  static func run(_ list: [String]) throws(UsageError) -> Int32? {
    var wantsFree = false
    for text in list {
      switch text {
      case "-h", "--help": return nil
      case "--free": wantsFree = true
      default: throw UsageError("unexpected `\(text)`; `synaxis init >synaxis.yaml` writes a file")
      }
    }
    let file = wantsFree ? cstarter_free() : cstarter_plain()
    // Lifetime: the bytes are part of the program.
    Console.say(Span(_unsafeStart: file.bytes, count: file.count).text)
    return ExitCode.ok
  }
}
