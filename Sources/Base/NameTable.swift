/// A fixed set of names, looked up by wire bytes without making a String.
///
/// Open addressing with linear probing over FNV-1a; built once from the configuration, then only read. The
/// names come from the operator's own file, so no keyed hash is needed: a client chooses what is looked up,
/// never what is stored.
package struct NameTable: Sendable {
  private var slots: [Int32]
  private var names: [[UInt8]]

  /// Later duplicates of a name are ignored: the first index wins.
  package init(_ list: [String]) {
    names = list.map { Array($0.utf8) }
    var size = 8
    while size < list.count * 2 { size *= 2 }
    slots = Array(repeating: -1, count: size)
    for (index, name) in names.enumerated() {
      var at = Int(truncatingIfNeeded: Self.hash(name.span)) & (size - 1)
      var isNew = true
      while slots[at] >= 0 {
        if names[Int(slots[at])] == name {
          isNew = false
          break
        }
        at = (at + 1) & (size - 1)
      }
      if isNew { slots[at] = Int32(index) }
    }
  }

  /// The index of a name in the list given at the start.
  package func index(of name: Span<UInt8>) -> Int? {
    var at = Int(truncatingIfNeeded: Self.hash(name)) & (slots.count - 1)
    while slots[at] >= 0 {
      let index = Int(slots[at])
      let stored = names[index]
      if stored.span.equals(name) { return index }
      at = (at + 1) & (slots.count - 1)
    }
    return nil
  }

  private static func hash(_ bytes: Span<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for i in 0..<bytes.count { hash = (hash ^ UInt64(bytes[i])) &* 0x100_0000_01b3 }
    return hash ^ (hash >> 29)
  }
}
