internal import Admin

/// A page whose head and first piece are out.
final class UnfinishedPage {
  var text: PageText
  /// The answer goes on behind it: events.
  let isFollowed: Bool

  init(_ text: PageText, isFollowed: Bool = false) {
    self.text = text
    self.isFollowed = isFollowed
  }
}
