internal import Base
package import Policy

/// Takes a provider's own secrets out of a text, whatever they look like: its keys, and the values of its headers.
package struct Redaction {
  private let secrets: [[UInt8]]

  /// Shorter values are words that stand in ordinary texts.
  private static let shortest = 6

  package init(_ provider: Provider) {
    secrets = (provider.keys.map { $0.exposed } + provider.headers.map { $0.value })
      .map { Array($0.utf8) }.filter { $0.count >= Self.shortest }
  }

  package func apply(to text: [UInt8]) -> [UInt8] {
    var text = text
    for secret in secrets {
      while let place = text.span.firstRange(of: secret.span) {
        text.replaceSubrange(place..<place + secret.count, with: "***".utf8)
      }
      // The text may have been cut in the middle of the secret.
      var tail = min(secret.count - 1, text.count)
      while tail >= Self.shortest, !text.suffix(tail).elementsEqual(secret.prefix(tail)) { tail -= 1 }
      if tail >= Self.shortest { text.replaceSubrange(text.count - tail..<text.count, with: "***".utf8) }
    }
    return text
  }
}
