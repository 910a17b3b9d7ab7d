internal import Base
internal import Downstream
internal import Exchange
internal import HTTP2
internal import Kernel
internal import Observability
internal import Policy

// The end: no new connections, what is under way finishes, and what takes too long is cut and told so.

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
