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
    var at = 0
    func value(_ name: String, _ text: String) throws(UsageError) -> String {
      if text.utf8.count > name.utf8.count { return String(text.dropFirst(name.count + 1)) }
      at += 1
      guard at < list.count else { throw UsageError("\(name) needs a value") }
      return list[at]
    }
    while at < list.count {
      let text = list[at]
      let name = text.utf8.firstIndex(of: UInt8(ascii: "=")).map { String(text[..<$0]) } ?? text
      switch name {
      case "-h", "--help": return nil
      case "--url": options.url = try value(name, text)
      case "--token": options.token = try value(name, text)
      case "-c", "--config": options.file = try value(name, text)
      case "--watch" where !isReset, "-w" where !isReset: options.watches = true
      case "--check" where !isReset: options.checks = true
      case _ where isReset && !text.hasPrefix("-") && options.provider == nil: options.provider = text
      default: throw UsageError("unknown option `\(text)`")
      }
      at += 1
    }
    return options
  }
}
