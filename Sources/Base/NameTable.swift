/// A fixed set of names, looked up by wire bytes without making a String.
///
/// Open addressing with linear probing over FNV-1a, eight bytes at a time; built once from the configuration, then
/// only read. The names come from the operator's own file, so no keyed hash is needed: a client chooses what is
/// looked up, never what is stored.
package struct NameTable: Sendable {
  private var slots: [Int32]
  /// The names, one behind the other, and where each ends.
  private var bytes: [UInt8] = []
  private var ends: [Int32] = []

  /// Later duplicates of a name are ignored: the first index wins.
  package init(_ list: [String]) {
    var size = 8
    while size < list.count * 2 { size *= 2 }
    slots = Array(repeating: -1, count: size)
    for (index, name) in list.enumerated() {
      let name = Array(name.utf8)
      let (place, isNew) = find(name.span)
      if isNew { slots[place] = Int32(index) }
      bytes += name
      ends.append(Int32(bytes.count))
    }
  }

  /// The index of a name in the list given at the start.
  package func index(of name: Span<UInt8>) -> Int? {
    let (place, isNew) = find(name)
    return isNew ? nil : Int(slots[place])
  }

  /// The slot of a name, or the free one where it would be.
  @inline(__always)
  private func find(_ name: Span<UInt8>) -> (place: Int, isNew: Bool) {
    var at = Int(truncatingIfNeeded: Self.hash(name)) & (slots.count - 1)
    while slots[at] >= 0 {
      let index = Int(slots[at])
      let start = index == 0 ? 0 : Int(ends[index - 1])
      if bytes.span.extracting(start..<Int(ends[index])).equals(name) { return (at, false) }
      at = (at + 1) & (slots.count - 1)
    }
    return (at, true)
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
