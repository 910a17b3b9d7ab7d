internal import Base

/// Idle lines, by the host that they lead to.
struct LinePool {
  private struct Idle {
    let descriptor: Int32
    let since: Instant
  }

  /// By host; within a host the latest used comes last, and is the next to be used.
  private var idle: [[Idle]] = []
  private(set) var count = 0

  func has(host: Int32) -> Bool { Int(host) < idle.count && !idle[Int(host)].isEmpty }

  /// Takes a line in.
  mutating func put(_ descriptor: Int32, host: Int32, now: Instant) {
    while idle.count <= Int(host) { idle.append([]) }
    idle[Int(host)].append(Idle(descriptor: descriptor, since: now))
    count += 1
  }

  /// The line to that host that was used last; nil: none.
  mutating func take(host: Int32) -> (descriptor: Int32, since: Instant)? {
    guard Int(host) < idle.count, let line = idle[Int(host)].popLast() else { return nil }
    count -= 1
    return (line.descriptor, line.since)
  }

  /// The line to that host that has idled longest.
  mutating func takeOldest(host: Int32) -> Int32? {
    guard Int(host) < idle.count, !idle[Int(host)].isEmpty else { return nil }
    count -= 1
    return idle[Int(host)].removeFirst().descriptor
  }

  /// The line that has idled longest.
  mutating func takeOldest() -> Int32? {
    var oldest: (host: Int, since: Instant)?
    for (host, lines) in idle.enumerated() {
      guard let first = lines.first, first.since < oldest?.since ?? .distantFuture else { continue }
      oldest = (host, first.since)
    }
    return oldest.flatMap { takeOldest(host: Int32($0.host)) }
  }

  /// Forgets a line that has been found dead.
  mutating func remove(_ descriptor: Int32, host: Int32) {
    guard Int(host) < idle.count,
      let at = idle[Int(host)].lastIndex(where: { $0.descriptor == descriptor })
    else { return }
    idle[Int(host)].remove(at: at)
    count -= 1
  }
}
