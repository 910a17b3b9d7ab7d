/// A value of the file with its place: what libyaml's events come to once anchors are filled in.
struct Node: Sendable {
  struct Entry: Sendable {
    var key: String
    var mark: Mark
    var value: Node
  }
  indirect enum Content: Sendable {
    /// The text as written, escapes resolved, `${…}` not yet; plain if it stood without quotes.
    case scalar(String, isPlain: Bool)
    case list([Node])
    case map([Entry])
  }
  var mark: Mark
  var content: Content
  /// Nodes in this tree, itself included, anchors' contents counted where they are used.
  var size: Int
  /// Levels in this tree, itself included.
  var height: Int

  /// YAML's null.
  var isNull: Bool {
    switch content {
    case .scalar(let text, let isPlain):
      isPlain && (text.isEmpty || text == "~" || text == "null" || text == "Null" || text == "NULL")
    case .list, .map: false
    }
  }

  /// Nothing was said: as good as if the key were not there. An empty text says nothing either, as in
  /// appsettings.json files, where `"Key": ""` stands for no key.
  var isNothing: Bool {
    if case .scalar("", _) = content { return true }
    return isNull
  }

  /// What it is, for messages.
  var kind: String {
    switch content {
    case .scalar: "a single value"
    case .list: "a list"
    case .map: "a map"
    }
  }
}
