/// A fixed set of names, looked up by wire bytes without making a String.
///
/// Open addressing with linear probing over FNV-1a, eight bytes at a time; built once from the configuration, then
/// only read. The names come from the operator's own file, so no keyed hash is needed: a client chooses what is
/// looked up, never what is stored.
package struct NameTable: Sendable {
  private var slots: [Int32]
  /// All names, one behind the other: looking at one of many arrays would count references.
  private var text: [UInt8] = []
  private var ends: [Int] = []

  /// Later duplicates of a name are ignored: the first index wins.
  package init(_ list: [String]) {
    var size = 8
    while size < list.count * 2 { size *= 2 }
    slots = Array(repeating: -1, count: size)
    for name in list {
      let start = text.count
      text += name.utf8
      ends.append(text.count)
      let at = place(of: text.span.extracting(start..<text.count))
      if slots[at] < 0 { slots[at] = Int32(ends.count - 1) }
    }
  }

  /// The index of a name in the list given at the start.
  package func index(of name: Span<UInt8>) -> Int? {
    let index = slots[place(of: name)]
    return index < 0 ? nil : Int(index)
  }

  /// Where a name stands in `slots`, or would.
  private func place(of name: Span<UInt8>) -> Int {
    var at = Int(truncatingIfNeeded: Self.hash(name)) & (slots.count - 1)
    while slots[at] >= 0 {
      let index = Int(slots[at])
      let start = index == 0 ? 0 : ends[index - 1]
      if text.span.extracting(start..<ends[index]).equals(name) { break }
      at = (at + 1) & (slots.count - 1)
    }
    return at
  }

  @inline(__always)
  private static func hash(_ bytes: Span<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    var at = 0
    while at &+ 8 <= bytes.count {
      hash = (hash ^ bytes.word(at: at)) &* 0x100_0000_01b3
      // Else the high bytes of a word would not reach the low bits.
      hash ^= hash >> 32
      at &+= 8
    }
    hash = (hash ^ bytes.lastWord(at: at)) &* 0x100_0000_01b3
    return hash ^ hash >> 32
  }
}
