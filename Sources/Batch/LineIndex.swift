internal import Base

/// The lines of the input by what they are named, and which of them have their answer: 16 bytes a line, at most half
/// of the table used.
struct LineIndex {
  private enum State {
    static let free: UInt64 = 0
    static let wanted: UInt64 = 1
    static let answered: UInt64 = 2
  }

  /// In its two lowest bits `low` has the state.
  private var slots: [Fingerprint]
  private(set) var count = 0
  private(set) var answered = 0

  init() { slots = Array(repeating: Fingerprint(high: 0, low: State.free), count: 1024) }

  /// Adds a line. False: one of that name is there.
  mutating func insert(_ key: Fingerprint) -> Bool {
    if count * 2 >= slots.count { grow() }
    let at = place(of: key)
    if slots[at].low & 3 != State.free { return false }
    slots[at] = Fingerprint(high: key.high, low: key.low & ~3 | State.wanted)
    count += 1
    return true
  }

  enum Marking { case marked, unknown, twice }

  /// Notes that a line has its answer.
  mutating func mark(_ key: Fingerprint) -> Marking {
    let at = place(of: key)
    switch slots[at].low & 3 {
    case State.free: return .unknown
    case State.answered: return .twice
    default:
      slots[at].low = slots[at].low & ~3 | State.answered
      answered += 1
      return .marked
    }
  }

  func isAnswered(_ key: Fingerprint) -> Bool { slots[place(of: key)].low & 3 == State.answered }

  /// Where a key is, or would be.
  private func place(of key: Fingerprint) -> Int {
    let mask = slots.count - 1
    var at = Int(truncatingIfNeeded: key.high) & mask
    while slots[at].low & 3 != State.free, slots[at].high != key.high || (slots[at].low ^ key.low) & ~3 != 0 {
      at = (at + 1) & mask
    }
    return at
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: Fingerprint(high: 0, low: State.free), count: old.count * 2)
    for slot in old where slot.low & 3 != State.free { slots[place(of: slot)] = slot }
  }
}
