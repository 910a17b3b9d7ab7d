/// WriteBuffers whose bytes wait for the end of the turn, by the places of their connections.
package final class WriteQueue {
  private var waiting: [Int32] = []

  package init() {}

  package var isEmpty: Bool { waiting.isEmpty }

  func add(_ place: Int32) { waiting.append(place) }

  package func rest() { waiting.dropSpareRoom() }

  package func next() -> Int32? { waiting.popLast() }
}
