internal import Base
internal import Exchange
internal import HTTP2
internal import Kernel
internal import Observability
internal import Policy

// The end: no new connections, what is under way finishes, and what takes too long is cut and told so.

extension Downstream {
  /// Stops to listen, but for the admin's listeners, which go on telling how far it is.
  ///
  /// Who waits in a backlog of our own has been told that it is connected, and is still served; an inherited
  /// socket's backlog stays for the next process. A connection that idles may have a request on its way: it
  /// gets `Limits.drainGrace`, and its answer says `Connection: close`.
  func drain(now: Instant) {
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
  func takeBacklog(of index: Int, now: Instant) {
    if case .inherited = listeners[index].listen { return }
    for _ in 0...Limits.backlog / Limits.acceptsPerTurn { accept(index, now: now) }
  }

  /// A request that comes now is too late.
  func refusesExchanges(now: Instant) -> Bool { graceEnd.map { $0 <= now } ?? false }

  /// Lets go of who idles still when the grace is over.
  func endGrace(now: Instant) {
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
  var isQuiet: Bool {
    for place in connections.places {
      switch connections[place]?.state {
      case .securing, .carrying, .idle, .readingHead, .readingBody, .answering, .flushing: return false
      case .lingering, .closed, nil: continue
      }
    }
    return true
  }

  /// Bytes wait for a client's socket.
  var hasBacklog: Bool {
    for place in connections.places where connections[place]?.output.isBlocked == true { return true }
    return false
  }
}

extension Runner {
  /// Ends every exchange: each client is told, none sees a clean end.
  func cutOff(now: Moment) {
    for place in runs.places {
      if let run = runs[place] { tell(run, .drainEnded, now) }
    }
    for passing in Array(passings.values) { breakOff(passing, .draining, now) }
  }
}

extension Server {
  /// How far the end has come.
  enum Phase {
    case serving
    /// Until then exchanges may finish.
    case draining(until: Instant)
    /// They were cut; until then the last bytes may go out.
    case flushing(until: Instant)
    case over
  }

  /// The first signal begins the drain, the second ends at once.
  func beginDrain(now: Moment) {
    guard case .serving = phase else {
      log.note(.warning, "a second signal: ending at once")
      phase = .over
      return
    }
    phase = .draining(until: now.instant + runner.runtime.configuration.timeouts.drain)
    runner.isDraining = true
    runner.endWatching(now: now.instant)
    downstream.drain(now: now.instant)
    log.note(.info, "draining: no new connections, exchanges under way finish")
    notifier.stopping("draining: \(runner.runs.count) exchanges under way")
  }

  /// Goes on with the end, once a turn.
  func continueDrain(now: Moment) {
    switch phase {
    case .serving, .over: return
    case .draining(let until):
      downstream.endGrace(now: now.instant)
      if runner.runs.count == 0, downstream.isQuiet {
        phase = .over
      } else if until <= now.instant {
        log.note(.warning, "the drain's time is over: cutting what is under way")
        runner.cutOff(now: now)
        phase = downstream.hasBacklog ? .flushing(until: now.instant + Limits.lastFlush) : .over
      }
    case .flushing(let until):
      if until <= now.instant || !downstream.hasBacklog { phase = .over }
    }
  }

  /// When `continueDrain` has something to do, though nothing happens.
  var drainDue: Instant {
    switch phase {
    case .serving: .distantFuture
    case .draining(let until):
      downstream.isGraceOver ? until : min(until, downstream.graceEnd ?? until)
    case .flushing(let until): until
    case .over: .distantPast
    }
  }
}
