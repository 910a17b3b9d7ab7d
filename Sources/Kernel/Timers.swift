package import Base

/// Deadlines by dense timer number, the nearest first: an indexed binary heap.
///
/// Arming and disarming take O(log n) and allocate only when a number is used that is higher than any before:
/// the owner bounds its numbers, and so this table. Equal deadlines come out in the order of their numbers,
/// so that a run repeats exactly.
package struct Timers: ~Copyable {
  private struct Entry {
    var at: Instant
    var id: Int32
    func isBefore(_ other: Entry) -> Bool { at == other.at ? id < other.id : at < other.at }
  }

  private var heap: [Entry] = []
  /// Where a timer stands in the heap; -1 where it is not armed.
  private var places: [Int32] = []

  /// Makes room for timers 0 to `count` - 1 at once.
  package init(count: Int = 0) {
    heap.reserveCapacity(count)
    places = Array(repeating: -1, count: count)
  }

  /// The nearest deadline.
  package var next: Instant? { heap.first?.at }

  package func deadline(of id: Int) -> Instant? {
    guard id < places.count, places[id] >= 0 else { return nil }
    return heap[Int(places[id])].at
  }

  /// Sets a timer, or moves one that is set.
  package mutating func arm(_ id: Int, at: Instant) {
    precondition(id >= 0 && id < 1 << 24)
    if id >= places.count {
      places.append(contentsOf: repeatElement(-1, count: id + 1 - places.count))
    }
    let place = Int(places[id])
    if place >= 0 {
      heap[place].at = at
      settle(place)
    } else {
      heap.append(Entry(at: at, id: Int32(id)))
      places[id] = Int32(heap.count - 1)
      rise(heap.count - 1)
    }
  }

  /// Clears a timer. One that is not set is no error.
  package mutating func disarm(_ id: Int) {
    guard id >= 0, id < places.count, places[id] >= 0 else { return }
    let place = Int(places[id])
    places[id] = -1
    let last = heap.removeLast()
    if place < heap.count {
      heap[place] = last
      places[Int(last.id)] = Int32(place)
      settle(place)
    }
  }

  /// Takes out one timer whose deadline has come.
  package mutating func popDue(_ now: Instant) -> Int? {
    guard let first = heap.first, first.at <= now else { return nil }
    let id = Int(first.id)
    disarm(id)
    return id
  }

  /// Gives back the room of timers that are not set, where none is.
  package mutating func rest() {
    if !heap.isEmpty { return }
    heap = []
    places = []
  }

  /// Moves an entry whose deadline changed, up or down.
  private mutating func settle(_ place: Int) {
    if place > 0, heap[place].isBefore(heap[(place - 1) / 2]) { rise(place) } else { sink(place) }
  }

  private mutating func rise(_ start: Int) {
    var place = start
    let entry = heap[place]
    while place > 0 {
      let parent = (place - 1) / 2
      if !entry.isBefore(heap[parent]) { break }
      put(heap[parent], at: place)
      place = parent
    }
    put(entry, at: place)
  }

  private mutating func sink(_ start: Int) {
    var place = start
    let entry = heap[place]
    while true {
      var child = place * 2 + 1
      if child >= heap.count { break }
      if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
      if !heap[child].isBefore(entry) { break }
      put(heap[child], at: place)
      place = child
    }
    put(entry, at: place)
  }

  private mutating func put(_ entry: Entry, at place: Int) {
    heap[place] = entry
    places[Int(entry.id)] = Int32(place)
  }
}
