internal import Base
internal import HTTP2

/// Connections by the host that they lead to: those that idle, those that are shared, those that are being made.
struct ConnectionPool {
  private struct Place {
    /// HTTP/1.1. The latest used comes last, and is the next to be used: the first has idled since all were needed.
    var idle: [Connection] = []
    /// HTTP/2, whether streams are under way or not.
    var shared: [Connection] = []
    /// Not standing yet.
    var awaited: [Connection] = []
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

  /// Takes in a connection that was at work.
  mutating func put(_ connection: Connection) {
    let at = place(connection.host)
    places[at].idle.append(connection)
    idleCount += 1
  }

  /// The connection to that host that was used last, to work again; nil: none.
  mutating func take(host: Int32) -> Connection? {
    guard Int(host) < places.count, let connection = places[Int(host)].idle.popLast() else { return nil }
    idleCount -= 1
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

  /// More idle than are kept.
  var sharesTooMany: Bool {
    if sharedCount <= Limits.pooledConnections { return false }
    var idle = 0
    eachShared { if $0.idles { idle += 1 } }
    return idle > Limits.pooledConnections
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

  /// Gives back the room that a burst needed.
  mutating func rest() {
    for at in places.indices {
      places[at].idle.dropSpareRoom()
      places[at].shared.dropSpareRoom()
      places[at].awaited.dropSpareRoom()
    }
  }

  /// Takes out the connections that have idled for too long to be used, and those that nobody has needed for a while:
  /// of these one HTTP/1.1 connection of a host and the first of HTTP/2 are kept. `due`: when the next will have.
  mutating func tidy(now: Instant) -> (useless: [Connection], due: Instant) {
    var useless: [Connection] = []
    var due = Instant.distantFuture
    for at in places.indices {
      while let first = places[at].idle.first {
        let end = first.end(isSpare: places[at].idle.count <= Limits.spareConnections)
        if end > now {
          due = min(due, end)
          break
        }
        useless.append(places[at].idle.removeFirst())
        idleCount -= 1
      }
      for (index, connection) in places[at].shared.enumerated().reversed() where connection.idles {
        let end = connection.end(isSpare: index == 0)
        if end > now {
          due = min(due, end)
        } else {
          useless.append(places[at].shared.remove(at: index))
          sharedCount -= 1
        }
      }
    }
    return (useless, due)
  }
}

extension Connection {
  /// When it will have idled for long enough. `isSpare`: it is kept although nobody needs it.
  fileprivate func end(isSpare: Bool) -> Instant {
    idleSince + (isSpare ? Limits.idleConnection : Limits.unneededConnection)
  }

  /// HTTP/2: no stream is under way.
  var idles: Bool {
    guard case .http2(let session) = stage else { return false }
    return session.streamCount == 0
  }
}
