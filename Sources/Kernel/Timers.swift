package import Base

/// Deadlines by dense timer number, the nearest first: an indexed binary heap.
///
/// Most deadlines are put off or cleared before they come, by every request again. That moves nothing: an entry stays where
/// it is, and is looked at when its first deadline has come. Setting one takes O(log n) and allocates only when a number is
/// used that is higher than any before: the owner bounds its numbers, and so this table. Equal deadlines come out in the
/// order of their numbers, so that a run repeats exactly.
package struct Timers: ~Copyable {
  private struct Entry {
    var at: Instant
    var id: Int32
    func isBefore(_ other: Entry) -> Bool { at == other.at ? id < other.id : at < other.at }
  }

  /// Entries are never later than what their timers are set to.
  private var heap: [Entry] = []
  /// What each timer is set to; `distantFuture`: it is not set.
  private var deadlines: [Instant] = []
  /// Where it stands in the heap; -1: nowhere.
  private var places: [Int32] = []

  /// Makes room for timers 0 to `count` - 1 at once.
  package init(count: Int = 0) {
    heap.reserveCapacity(count)
    places = Array(repeating: -1, count: count)
    deadlines = Array(repeating: .distantFuture, count: count)
  }

  /// When to look for what is due: at the nearest deadline, or at one that was nearer and has been put off or cleared.
  package var next: Instant? { heap.first?.at }

  package func deadline(of id: Int) -> Instant? {
    id < deadlines.count && deadlines[id] < .distantFuture ? deadlines[id] : nil
  }

  /// Sets a timer, or moves one that is set.
  package mutating func arm(_ id: Int, at: Instant) {
    precondition(id >= 0 && id < 1 << 24)
    if id >= places.count {
      places.append(contentsOf: repeatElement(-1, count: id + 1 - places.count))
      deadlines.append(contentsOf: repeatElement(.distantFuture, count: id + 1 - deadlines.count))
    }
    deadlines[id] = at
    let place = Int(places[id])
    if place < 0 {
      if at == .distantFuture { return }
      heap.append(Entry(at: at, id: Int32(id)))
      rise(heap.count - 1)
    } else if at < heap[place].at {
      heap[place].at = at
      rise(place)
    }
  }

  /// Clears a timer. One that is not set is no error.
  package mutating func disarm(_ id: Int) {
    if id >= 0, id < deadlines.count { deadlines[id] = .distantFuture }
  }

  /// Takes out one timer whose deadline has come.
  package mutating func popDue(_ now: Instant) -> Int? {
    while let first = heap.first, first.at <= now {
      let id = Int(first.id)
      let deadline = deadlines[id]
      if deadline > first.at, deadline < .distantFuture {
        heap[0].at = deadline
        sink(0)
        continue
      }
      places[id] = -1
      let last = heap.removeLast()
      if !heap.isEmpty {
        heap[0] = last
        sink(0)
      }
      if deadline == .distantFuture { continue }
      deadlines[id] = .distantFuture
      return id
    }
    return nil
  }

  /// Gives back the room of timers that are not set, where none is.
  package mutating func rest() {
    for deadline in deadlines where deadline < .distantFuture { return }
    heap = []
    places = []
    deadlines = []
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
