internal import Base

/// `${NAME}` and `${NAME:-text}` in a value; `$${` stands for `${` itself.
///
/// As in a shell, the text after `:-` is taken where the variable is unset or empty; it ends at the next `}`
/// and is not looked into again, and neither is a variable's value.
enum Interpolation {
  enum Fault: Error {
    case unset(name: String)
    case open
    case notAName
  }

  static func resolve(_ text: String, in environment: Environment) throws(Fault) -> String {
    let bytes = Array(text.utf8)
    let dollar = UInt8(ascii: "$")
    let brace = UInt8(ascii: "{")
    var output: [UInt8] = []
    var at = 0
    while at < bytes.count {
      if bytes[at] != dollar || at + 1 == bytes.count {
        output.append(bytes[at])
        at += 1
      } else if bytes[at + 1] == dollar, at + 2 < bytes.count, bytes[at + 2] == brace {
        output.append(dollar)
        output.append(brace)
        at += 3
      } else if bytes[at + 1] == brace {
        guard let end = bytes[at...].firstIndex(of: UInt8(ascii: "}")) else { throw .open }
        output.append(contentsOf: try value(bytes[(at + 2)..<end], in: environment).utf8)
        at = end + 1
      } else {
        output.append(dollar)
        at += 1
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// The name in the first `${…}` of a text.
  static func firstVariable(in text: String) -> String? {
    let bytes = Array(text.utf8)
    guard let start = bytes.span.firstRange(of: "${") else { return nil }
    let name = bytes[(start + 2)...].prefix { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "}") }
    return String(decoding: name, as: UTF8.self)
  }

  private static func value(_ inner: ArraySlice<UInt8>, in environment: Environment) throws(Fault) -> String {
    let colon = inner.firstIndex(of: UInt8(ascii: ":")) ?? inner.endIndex
    let name = String(decoding: inner[..<colon], as: UTF8.self)
    guard isName(inner[..<colon]) else { throw .notAName }
    if colon == inner.endIndex {
      guard let value = environment[name] else { throw .unset(name: name) }
      return value
    }
    guard colon + 1 < inner.endIndex, inner[colon + 1] == UInt8(ascii: "-") else { throw .notAName }
    if let value = environment[name], !value.isEmpty { return value }
    return String(decoding: inner[(colon + 2)...], as: UTF8.self)
  }

  private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let first = bytes.first, !first.isDigit else { return false }
    return bytes.allSatisfy { $0.isDigit || $0 == UInt8(ascii: "_") || $0.asciiLowercased &- 97 < 26 }
  }

  /// Whether a key is written like an environment variable's name: capitals, digits and underscores from a
  /// capital on, with an underscore in it or `KEY`, `TOKEN` or `SECRET` at its end. No provider's keys look so.
  static func isVariableName(_ text: String) -> Bool {
    guard let first = text.utf8.first, first &- 65 < 26 else { return false }
    var hasUnderscore = false
    for byte in text.utf8 {
      if byte == UInt8(ascii: "_") {
        hasUnderscore = true
      } else if byte &- 65 >= 26, !byte.isDigit {
        return false
      }
    }
    return hasUnderscore || text.hasSuffix("KEY") || text.hasSuffix("TOKEN") || text.hasSuffix("SECRET")
  }
}
