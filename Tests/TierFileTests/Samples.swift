import Policy
import TierFile

/// What tests read: a text, an environment with the usual variables, a file name of one letter.
enum Samples {
  static let environment = Environment([
    "GROQ_API_KEY": "gsk-one", "DEEPINFRA_KEY": "di-two", "CF_API_TOKEN": "cf-three", "EMPTY": "",
    "TEN": "10",
    "SYNAXIS_ADMIN_TOKEN": "adm-four", "APP_KEY": "app-five", "HOSTILE": "a\r\nX-Evil: 1",
  ])

  static func read(_ text: String, named file: String = "f") -> Reading {
    let bytes = Array(text.utf8)
    return TierFile.read(bytes.span, named: file, environment: environment)
  }

  /// A file with a provider that is in order, and more text.
  static func with(_ more: String) -> String { more + "\nproviders: { ollama: { models: [m] } }\n" }

  /// A file with one provider whose inside is given, indented by four.
  static func provider(_ inside: String, name: String = "p") -> String {
    "providers:\n  \(name):\n    \(inside)\n"
  }
}
