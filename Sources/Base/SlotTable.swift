/// Which entry of a `SlotTable`: its place and how often the place had been used before.
package struct SlotID: Hashable, Sendable {
  package var slot: Int32
  package var generation: UInt32
  package init(slot: Int32, generation: UInt32) {
    self.slot = slot
    self.generation = generation
  }
}

/// A bounded table of objects with stable places. A stale ID finds nothing.
///
/// Freed places are reused last-in first-out, so that a quiet server keeps touching the same memory.
package struct SlotTable<Element: AnyObject> {
  private var elements: [Element?] = []
  private var generations: [UInt32] = []
  private var free: [Int32] = []
  /// What a place begins with that was never used, or was given back: no ID of before names it.
  private var firstGeneration: UInt32 = 0
  /// May shrink below `count`: then nothing comes in until enough have gone.
  package var capacity: Int

  package init(capacity: Int) { self.capacity = capacity }

  /// Live entries.
  package var count: Int { elements.count - free.count }
  package var isFull: Bool { count >= capacity }

  /// Places that were ever used: what a walk over all entries has to look at.
  package var places: Range<Int> { 0..<elements.count }

  package subscript(id: SlotID) -> Element? {
    let slot = Int(id.slot)
    guard slot < elements.count, generations[slot] == id.generation else { return nil }
    return elements[slot]
  }

  /// The entry at a place, whatever its generation.
  package subscript(place: Int) -> Element? { place < elements.count ? elements[place] : nil }

  /// Nil when the table is full.
  package mutating func insert(_ make: (SlotID) -> Element) -> Element? {
    if isFull { return nil }
    let slot: Int32
    if let reused = free.popLast() {
      slot = reused
    } else {
      slot = Int32(elements.count)
      elements.append(nil)
      generations.append(firstGeneration)
    }
    let element = make(SlotID(slot: slot, generation: generations[Int(slot)]))
    elements[Int(slot)] = element
    return element
  }

  package mutating func remove(_ id: SlotID) {
    let slot = Int(id.slot)
    guard slot < elements.count, generations[slot] == id.generation, elements[slot] != nil else { return }
    elements[slot] = nil
    generations[slot] &+= 1
    free.append(id.slot)
  }

  /// Gives all places back where none is taken.
  package mutating func rest() {
    if count > 0 || elements.isEmpty { return }
    firstGeneration = generations.reduce(firstGeneration, max) &+ 1
    elements = []
    generations = []
    free = []
  }
}
