package import Base

/// A command line that cannot be run. The text goes to stderr, and the exit code is 64 (EX_USAGE).
package struct UsageError: Error, Equatable, Sendable {
  package var message: String
  package init(_ message: String) { self.message = message }
}

/// What a command's arguments ask for.
package enum Invocation<Options: Sendable>: Sendable {
  case run(Options)
  case help
}

/// Walks arguments: `--name value`, `--name=value` and `-n value`.
package struct Arguments {
  private let list: [String]
  private var at = 0
  /// The value behind `=`, until it is asked for.
  private var attached: String?
  private var name = ""

  package init(_ list: [String]) { self.list = list }

  /// The next flag or plain word; nil at the end.
  package mutating func next() throws(UsageError) -> String? {
    if attached != nil { throw UsageError("\(name) takes no value") }
    guard at < list.count else { return nil }
    name = list[at]
    at += 1
    if name.hasPrefix("--"), let sign = name.utf8.firstIndex(of: UInt8(ascii: "=")) {
      attached = String(name[name.utf8.index(after: sign)...])
      name = String(name[..<sign])
    }
    return name
  }

  /// The value of the flag that `next` gave.
  package mutating func value() throws(UsageError) -> String {
    if let taken = attached {
      attached = nil
      return taken
    }
    guard at < list.count else { throw UsageError("\(name) wants a value") }
    at += 1
    return list[at - 1]
  }

  package mutating func number(_ range: ClosedRange<Int>) throws(UsageError) -> Int {
    let text = try value()
    guard let n = wholeNumber(text), range.contains(n) else {
      throw UsageError(
        "\(name) wants a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
    }
    return n
  }

  /// `500ms`, `10s`, `2m`, `1h`; a plain number means seconds.
  package mutating func duration() throws(UsageError) -> Interval {
    let text = try value()
    let digits = text.utf8.prefix { $0.isDigit }.count
    let unit = text.utf8.dropFirst(digits)
    let scale: Int64? =
      if unit.isEmpty || unit.elementsEqual("s".utf8) {
        1_000
      } else if unit.elementsEqual("ms".utf8) {
        1
      } else if unit.elementsEqual("m".utf8) {
        60_000
      } else if unit.elementsEqual("h".utf8) {
        3_600_000
      } else {
        nil
      }
    guard let scale, digits <= 6, let n = wholeNumber(String(text.prefix(digits))), n > 0 else {
      throw UsageError("\(name) wants a time such as 500ms, 10s or 2m, not '\(text)'")
    }
    return .milliseconds(Int64(n) * scale)
  }

  package func unknown() -> UsageError { UsageError("unknown argument '\(name)'") }
}

/// Digits only: `Int(_:)` would take a sign.
func wholeNumber(_ text: String) -> Int? {
  var text = text
  return text.withUTF8 { Span(_unsafeElements: $0).decimal }.map { Int(clamping: $0) }
}

/// No space and no control character: it can stand in a line of a request without ending it.
package func isOneWord(_ text: String) -> Bool { text.utf8.allSatisfy { $0 > 32 && $0 != 127 } }
