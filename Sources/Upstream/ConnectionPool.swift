internal import Base
internal import HTTP2

/// Connections by the host that they lead to: those that idle, those that are shared, those that are being made.
struct ConnectionPool {
  private struct Place {
    /// HTTP/1.1. The latest used comes last, and is the next to be used.
    var idle: [Connection] = []
    /// HTTP/2, whether streams are under way or not.
    var shared: [Connection] = []
    /// Not standing yet.
    var awaited: [Connection] = []
    /// HTTP/1.1 connections at work, and the most of them since the last tidying and in the time before it.
    var busy = 0
    var peak = 0
    var earlierPeak = 0
  }

  private var places: [Place] = []
  /// Idle HTTP/1.1 connections.
  private(set) var idleCount = 0
  /// All HTTP/2 connections.
  private(set) var sharedCount = 0

  private mutating func place(_ host: Int32) -> Int {
    while places.count <= Int(host) { places.append(Place()) }
    return Int(host)
  }

  // MARK: - Connections that are being made

  mutating func startAwaiting(_ connection: Connection) {
    let at = place(connection.host)
    places[at].awaited.append(connection)
  }

  /// It stands, or never will.
  mutating func stopAwaiting(_ connection: Connection) {
    places[Int(connection.host)].awaited.removeAll { $0 === connection }
  }

  /// One that others wait for, and that may take as many again.
  func awaited(host: Int32) -> Connection? {
    guard Int(host) < places.count else { return nil }
    return places[Int(host)].awaited.first { $0.waiting.count < Limits.assumedStreams }
  }

  var allAwaited: some Sequence<Connection> { places.lazy.flatMap { $0.awaited } }

  // MARK: - HTTP/1.1

  /// A new connection begins to work.
  mutating func enter(host: Int32) {
    let at = place(host)
    places[at].busy += 1
    places[at].peak = max(places[at].peak, places[at].busy)
  }

  /// A connection at work is closed.
  mutating func leave(host: Int32) { places[Int(host)].busy -= 1 }

  /// Takes in a connection that was at work.
  mutating func put(_ connection: Connection) {
    places[Int(connection.host)].busy -= 1
    places[Int(connection.host)].idle.append(connection)
    idleCount += 1
  }

  /// The connection to that host that was used last, to work again; nil: none.
  mutating func take(host: Int32) -> Connection? {
    guard Int(host) < places.count, let connection = places[Int(host)].idle.popLast() else { return nil }
    idleCount -= 1
    enter(host: host)
    return connection
  }

  /// Takes out the connection that has idled longest.
  mutating func takeOldest() -> Connection? {
    var oldest: (place: Int, since: Instant)?
    for (at, place) in places.enumerated() {
      guard let first = place.idle.first, first.idleSince < oldest?.since ?? .distantFuture else { continue }
      oldest = (at, first.idleSince)
    }
    guard let oldest else { return nil }
    idleCount -= 1
    return places[oldest.place].idle.removeFirst()
  }

  // MARK: - HTTP/2

  mutating func share(_ connection: Connection) {
    let at = place(connection.host)
    places[at].shared.append(connection)
    sharedCount += 1
  }

  /// A connection that has room for a further stream; nil: none.
  func shared(host: Int32) -> Connection? {
    guard Int(host) < places.count else { return nil }
    return places[Int(host)].shared.first { $0.hasRoom }
  }

  /// Lends each. None is taken in or out meanwhile.
  func eachShared(_ body: (Connection) -> Void) {
    if sharedCount == 0 { return }
    for place in places { for connection in place.shared { body(connection) } }
  }

  // MARK: - Both

  /// Forgets a connection that idles or is shared.
  mutating func remove(_ connection: Connection) {
    let at = Int(connection.host)
    if let index = places[at].idle.lastIndex(where: { $0 === connection }) {
      places[at].idle.remove(at: index)
      idleCount -= 1
    } else if let index = places[at].shared.firstIndex(where: { $0 === connection }) {
      places[at].shared.remove(at: index)
      sharedCount -= 1
    }
  }

  /// Takes out the connections that idle since before `limit`, and what is beyond need. Of HTTP/1.1 that is what was at
  /// work at once since the tidying before the last, of HTTP/2 the first; some are kept in any case.
  mutating func tidy(before limit: Instant, now: Instant) -> [Connection] {
    var useless: [Connection] = []
    for at in places.indices {
      let needed = max(places[at].peak, places[at].earlierPeak) - places[at].busy
      let kept = max(needed, Limits.spareConnections)
      places[at].earlierPeak = places[at].peak
      places[at].peak = places[at].busy
      while let first = places[at].idle.first, first.idleSince < limit || places[at].idle.count > kept {
        useless.append(places[at].idle.removeFirst())
        idleCount -= 1
      }
      let before = places[at].shared.count
      for (index, connection) in places[at].shared.enumerated().reversed() where connection.idles {
        if connection.idleSince < limit || index > 0 && now - connection.idleSince >= Limits.poolTidy * 2 {
          useless.append(places[at].shared.remove(at: index))
        }
      }
      sharedCount -= before - places[at].shared.count
    }
    return useless
  }
}

extension Connection {
  /// HTTP/2: no stream is under way.
  var idles: Bool {
    guard case .http2(let session) = stage else { return false }
    return session.streamCount == 0
  }
}
