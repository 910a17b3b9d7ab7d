internal import Lab

/// The options of `synaxis status` and `synaxis reset`.
struct StatusOptions {
  /// `http://HOST:PORT`, `HOST:PORT` or `unix:PATH`; nil: as the tier file says.
  var url: String?
  var file: String?
  var token: String?
  var watches = false
  /// Only whether it can serve is asked.
  var checks = false
  /// Which provider is reset; nil: each that is left alone.
  var provider: String?

  /// Nil: help was asked for.
  static func parse(_ list: [String], isReset: Bool = false) throws(UsageError) -> StatusOptions? {
    var options = StatusOptions()
    var arguments = Arguments(list)
    while let argument = try arguments.next() {
      switch argument {
      case "-h", "--help": return nil
      case "--url": options.url = try arguments.value()
      case "--token": options.token = try arguments.value()
      case "-c", "--config": options.file = try arguments.value()
      case "--watch" where !isReset, "-w" where !isReset: options.watches = true
      case "--check" where !isReset: options.checks = true
      case _ where isReset && !argument.hasPrefix("-") && options.provider == nil: options.provider = argument
      default: throw arguments.unknown()
      }
    }
    return options
  }
}
