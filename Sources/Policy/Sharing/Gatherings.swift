package import Base

/// Names requests that wait to be sent together. No two have the same.
package struct GatheringID: Hashable, Sendable {
  let number: UInt64
}

/// Requests that wait for others like them: which may join which, and when they have waited long enough.
///
/// Pure: the caller keeps who they are and what they ask. A gathering closes when its window is over, when it is full, or
/// when the caller closes it; whoever comes later begins another. There are few at a time: as many kinds of requests as
/// come within a window.
package struct Gatherings: Sendable {
  private struct Gathering: Sendable {
    let id: GatheringID
    let key: Fingerprint
    let closesAt: Instant
    /// Inputs and bytes that there is room for.
    var inputs: Int
    var bytes: Int
  }

  private var open: [Gathering] = []
  private var lastNumber: UInt64 = 0

  package init() {}

  package var isEmpty: Bool { open.isEmpty }

  /// When the first window is over; `distantFuture` where nobody waits.
  package var nextDue: Instant {
    var due = Instant.distantFuture
    for gathering in open { due = min(due, gathering.closesAt) }
    return due
  }

  /// A request that finds no others waits for them. `bytes`: of its input.
  package mutating func begin(_ key: Fingerprint, _ settings: BatchSettings, bytes: Int, now: Instant)
    -> GatheringID
  {
    lastNumber += 1
    let id = GatheringID(number: lastNumber)
    open.append(
      Gathering(
        id: id, key: key, closesAt: now + settings.window, inputs: settings.size - 1,
        bytes: Limits.gatheredBody - bytes))
    return id
  }

  /// Those that a request may join: equal ones that have room for its input.
  package func find(_ key: Fingerprint, bytes: Int) -> GatheringID? {
    open.first { $0.key == key && $0.inputs > 0 && $0.bytes >= bytes }?.id
  }

  /// A request has joined. True: they have their full number, and are to be closed.
  package mutating func join(_ id: GatheringID, bytes: Int) -> Bool {
    guard let place = place(of: id) else { return false }
    open[place].inputs -= 1
    open[place].bytes -= bytes
    return open[place].inputs == 0
  }

  /// One that waited has left.
  package mutating func leave(_ id: GatheringID, bytes: Int) {
    guard let place = place(of: id) else { return }
    open[place].inputs += 1
    open[place].bytes += bytes
  }

  /// Takes one out whose window is over, the oldest first.
  package mutating func popDue(_ now: Instant) -> GatheringID? {
    guard let place = open.firstIndex(where: { $0.closesAt <= now }) else { return nil }
    return open.remove(at: place).id
  }

  package mutating func close(_ id: GatheringID) { open.removeAll { $0.id == id } }

  private func place(of id: GatheringID) -> Int? { open.firstIndex { $0.id == id } }
}
