package import Base
internal import HTTP2
internal import Kernel
internal import Policy

// The end of the clients' side: nobody new comes in, and who idles goes.
extension Downstream {
  /// Stops to listen, but for the admin's listeners, which go on telling how far it is.
  ///
  /// Who waits in a backlog of our own has been told that it is connected, and is still served; an inherited
  /// socket's backlog stays for the next process. A connection that idles may have a request on its way: it
  /// gets `Limits.drainGrace`, and its answer says `Connection: close`.
  package func drain(now: Instant) {
    isDraining = true
    graceEnd = now + Limits.drainGrace
    for index in listeners.indices where !listeners[index].isAdmin { takeBacklog(of: index, now: now) }
    for place in listeners where !isPaused { poller.remove(place.listener.descriptor) }
    listeners.removeAll { !$0.isAdmin }
    for index in listeners.indices { watch(listener: index) }
    for place in connections.places {
      guard let connection = connections[place] else { continue }
      connection.keepsAlive = false
      connection.carriage?.session.announceEnd()
      soil(connection)
    }
  }

  /// Accepts who waits for a listener that is about to be closed.
  package func takeBacklog(of index: Int, now: Instant) {
    if case .inherited = listeners[index].listen { return }
    for _ in 0...Limits.backlog / Limits.acceptsPerTurn { accept(index, now: now) }
  }

  /// A request that comes now is too late.
  package func refusesExchanges(now: Instant) -> Bool { graceEnd.map { $0 <= now } ?? false }

  /// Lets go of who idles still when the grace is over.
  package func endGrace(now: Instant) {
    guard let end = graceEnd, end <= now else { return }
    isGraceOver = true
    for place in connections.places {
      guard let connection = connections[place] else { continue }
      switch connection.state {
      case .securing, .idle: close(connection)
      case .carrying: retire(connection)
      case .readingHead, .readingBody, .answering, .flushing, .lingering, .closed: continue
      }
    }
  }

  /// No request is being read or answered, and none is to be expected.
  package var isQuiet: Bool {
    for place in connections.places {
      switch connections[place]?.state {
      case .securing, .carrying, .idle, .readingHead, .readingBody, .answering, .flushing: return false
      case .lingering, .closed, nil: continue
      }
    }
    return true
  }

  /// Bytes wait for a client's socket.
  package var hasBacklog: Bool {
    for place in connections.places where connections[place]?.output.isBlocked == true { return true }
    return false
  }
}
