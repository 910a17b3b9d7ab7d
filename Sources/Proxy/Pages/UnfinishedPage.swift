internal import Admin
internal import Upstream

/// A page whose head and first piece are out, and how its rest is framed.
final class UnfinishedPage {
  var text: PageText
  let framing: RelayFraming
  /// The answer goes on behind it: events.
  let isFollowed: Bool

  init(_ text: PageText, _ framing: RelayFraming, isFollowed: Bool = false) {
    self.text = text
    self.framing = framing
    self.isFollowed = isFollowed
  }
}
