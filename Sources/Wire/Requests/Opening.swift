internal import Base

/// What all requests of a conversation begin with, heard while `JSONProbe` reads a body: the texts of `tools`, `system` and
/// `instructions`, and those of `messages` or `input` up to and including the first user's.
///
/// Only texts count, in the body's order. What stands around them may change from turn to turn while the prompt stays the
/// same: clients move `cache_control`, and write a text that they mark as a block of `type` text. Neither is heard.
/// Of a long text its length and its two ends count. Nothing is kept but the hash, and nothing allocated.
struct Opening: Sendable {
  private enum Part { case none, whole, messages, input }

  private(set) var hash: KeyedHash
  /// The first user has spoken. What comes before `messages` or behind is heard all the same.
  private(set) var isWhole = false
  let isOn: Bool
  private var part = Part.none
  /// Members of this depth, and what is in them, are passed over; none where it is 0.
  private var passedOver = 0
  /// The next text says whose turn it is, and that the turn being read is a user's.
  private var isAtRole = false
  private var isUsers = false

  /// - Parameter key: nil hears nothing.
  init(key: KeyedHash.Key?) {
    hash = KeyedHash(key: key ?? KeyedHash.Key(first: 0, second: 0))
    isOn = key != nil
  }

  var isHearing: Bool { part != .none }

  /// A member of the body begins. The text between its key's quotes.
  mutating func begin(_ key: Span<UInt8>) {
    part = .none
    guard isOn else { return }
    switch key.count {
    case 8 where key.equals("messages"): if !isWhole { part = .messages }
    case 5 where key.equals("input"): if !isWhole { part = .input }
    case 5 where key.equals("tools"), 6 where key.equals("system"), 12 where key.equals("instructions"):
      part = .whole
    default: return
    }
    passedOver = 0
    isUsers = false
    isAtRole = false
  }

  /// A key within a member. `depth`: the containers that are open, the body's own counted.
  mutating func hear(key: Span<UInt8>, depth: Int) {
    isAtRole = false
    if passedOver > 0, depth > passedOver { return }
    passedOver = 0
    switch key.count {
    case 13 where key.equals("cache_control"), 4 where key.equals("type"): passedOver = depth
    case 4 where depth == 3 && part != .whole && key.equals("role"): isAtRole = true
    default: break
    }
  }

  mutating func hear(text: Span<UInt8>, depth: Int) {
    if passedOver > 0 {
      if depth >= passedOver { return }
      passedOver = 0
    }
    if isAtRole, text.equals("user") { isUsers = true }
    isAtRole = false
    let end = Limits.openingEnd
    hash.absorb(count: text.count)
    if text.count <= 2 * end {
      hash.absorb(text)
    } else {
      hash.absorb(text.extracting(0..<end))
      hash.absorb(text.extracting(text.count - end..<text.count))
    }
    hash.fill()
    // The Responses API takes a user's bare text.
    if depth == 1, part == .input { endTurns() }
  }

  /// A value ended, and that many containers are open.
  mutating func end(depth: Int) {
    if isUsers, depth == 2 { endTurns() }
  }

  private mutating func endTurns() {
    isWhole = true
    part = .none
  }
}
