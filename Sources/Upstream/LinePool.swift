internal import Base

/// Idle lines, by the host that they lead to, and how many of them are of use.
struct LinePool {
  private struct Place {
    /// The latest used comes last, and is the next to be used.
    var idle: [Line] = []
    /// Lines at work, and the most of them since the last tidying and in the time before it.
    var busy = 0
    var peak = 0
    var earlierPeak = 0
  }

  private var places: [Place] = []
  private(set) var count = 0

  func has(host: Int32) -> Bool { Int(host) < places.count && !places[Int(host)].idle.isEmpty }

  /// A new line begins to work.
  mutating func enter(host: Int32) {
    while places.count <= Int(host) { places.append(Place()) }
    places[Int(host)].busy += 1
    places[Int(host)].peak = max(places[Int(host)].peak, places[Int(host)].busy)
  }

  /// A line at work is closed.
  mutating func leave(host: Int32) { places[Int(host)].busy -= 1 }

  /// Takes in a line that was at work.
  mutating func put(_ line: Line) {
    places[Int(line.host)].busy -= 1
    places[Int(line.host)].idle.append(line)
    count += 1
  }

  /// The line to that host that was used last, to work again; nil: none.
  mutating func take(host: Int32) -> Line? {
    guard Int(host) < places.count, let line = places[Int(host)].idle.popLast() else { return nil }
    count -= 1
    enter(host: host)
    return line
  }

  /// Takes out the line that has idled longest.
  mutating func takeOldest() -> Line? {
    var oldest: (place: Int, since: Instant)?
    for (at, place) in places.enumerated() {
      guard let first = place.idle.first, first.idleSince < oldest?.since ?? .distantFuture else { continue }
      oldest = (at, first.idleSince)
    }
    guard let oldest else { return nil }
    count -= 1
    return places[oldest.place].idle.removeFirst()
  }

  /// Forgets an idle line that has been found dead.
  mutating func remove(_ line: Line) {
    guard let at = places[Int(line.host)].idle.lastIndex(where: { $0 === line }) else { return }
    places[Int(line.host)].idle.remove(at: at)
    count -= 1
  }

  /// Takes out the lines that idle since before `limit`, and those beyond what was at work at once since the tidying
  /// before the last: some are kept in any case.
  mutating func tidy(before limit: Instant, _ close: (Line) -> Void) {
    for at in places.indices {
      let needed = max(places[at].peak, places[at].earlierPeak) - places[at].busy
      let kept = max(needed, Limits.spareLines)
      places[at].earlierPeak = places[at].peak
      places[at].peak = places[at].busy
      while let first = places[at].idle.first, first.idleSince < limit || places[at].idle.count > kept {
        places[at].idle.removeFirst()
        count -= 1
        close(first)
      }
    }
  }
}
