package import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
package import Policy
internal import Upstream

// What the loop asks of the runner, and nothing else does.
extension Runner {
  // MARK: - When

  /// When something of it is due.
  package var nextDue: Instant {
    if hasWork { return .distantPast }
    var due = min(batches.gatherings.nextDue, checks.nextDue, watching.nextDue)
    if let at = timers.next { due = min(due, at) }
    if let at = replayTimers.next { due = min(due, at) }
    if let at = passingTimers.next { due = min(due, at) }
    return due
  }

  /// It goes on in the next turn, whatever happens.
  private var hasWork: Bool {
    hasPagesToWrite || !chores.isEmpty || !sharing.cache.isSettled || !sharing.owing.isEmpty
  }

  /// Does one of the things whose time has come; false: none has. What comes of it is to be settled before the next.
  package func doDue(_ now: Moment) -> Bool {
    if let place = timers.popDue(now.instant) {
      timeDue(place, now: now)
    } else if batches.gatherings.nextDue <= now.instant {
      sendDueBatches(now)
    } else if let place = passingTimers.popDue(now.instant) {
      passingDue(place, now)
    } else if let place = replayTimers.popDue(now.instant) {
      replayDue(place, now)
    } else {
      return false
    }
    return true
  }

  /// What is done once a turn: questions to providers, the page for people, a piece of each long page and body, what
  /// clients are owed of shared answers.
  package func doTurn(_ now: Moment) {
    if checks.nextDue <= now.instant { checks.turn(now.instant) }
    tellWatchers(now: now)
    if hasPagesToWrite { continuePages(now) }
    if !chores.isEmpty { continueChore(now) }
    continueFanOut(now)
    measureAnswers(now: now.instant)
  }

  /// Drops a few of the stored answers whose time is over or that have no room any more; true: there are more.
  package func tidyCache(_ now: Instant) -> Bool {
    sharing.cache.sweep(now: now, steps: Limits.sweepsPerTurn)
    if sharing.cache.isSettled { return false }
    sharing.cache.settle(steps: Limits.evictionsPerTurn)
    return true
  }

  /// Gives back what only bursts need. No exchange is under way.
  package func rest() {
    runs.rest()
    tasks.rest()
    timers.rest()
    replayTimers.rest()
    passingTimers.rest()
    stragglers.dropSpareRoom()
    passings.dropSpareRoom()
    chores.dropSpareRoom()
    openPages.dropSpareRoom()
    abandoned.dropSpareRoom()
    draft = AnswerDraft()
    sharing.rest()
    runtime.health.rest()
  }

  // MARK: - The process

  /// Exchanges under way.
  package var exchangeCount: Int { runs.count }

  /// What `/metrics` and `/admin/health` say that runs.
  package var version: String {
    get { metrics.version }
    set { metrics.version = newValue }
  }

  /// Goes on with the configuration of another file.
  package func reload(_ new: Configuration, now: Instant) {
    let forgets = new.providers != configuration.providers || new.aliases != configuration.aliases
    adopt(new, now: now)
    runs.capacity = new.limits.connections
    sharing.adopt(new.cache, limits: new.limits, forgets: forgets)
  }

  /// How long exchanges may go on once the end has begun.
  package var drainTime: Interval { runtime.configuration.timeouts.drain }

  /// The end begins: who has the page for people open is sent away, and it comes again.
  package func beginDrain(now: Instant) {
    isDraining = true
    endWatching(now: now)
  }

  /// Ends every exchange: each client is told, none sees a clean end.
  package func cutOff(now: Moment) {
    for place in runs.places {
      if let run = runs[place] { tell(run, .drainEnded, now) }
    }
    for passing in Array(passings.values) { breakOff(passing, .draining, now) }
  }
}
