internal import Base
internal import CLinux
internal import Downstream
package import Kernel
package import Observability
package import Policy
internal import Proxy
package import Transport
package import Upstream

/// The loop: it waits once, reads the clocks once, and gives everybody their turn.
package final class Server {
  let poller: Poller
  private let events = PolledEvents()
  private let signals: Signals
  let downstream: Downstream
  let runner: Runner
  let upstream: Upstream
  let log: Log
  private var upstreamDue: Instant?
  private var guests: [Guest] = []
  var identities: [Listen: TLSIdentity]
  let notifier: ServiceNotifier
  var phase = Phase.serving
  private var wantsReload = false
  private var isAnnounced = false
  /// Memory was used since it was last given back.
  private var trimAt: Instant?
  private var restAt: Instant?

  package init(
    _ configuration: Configuration, upstream settings: UpstreamSettings, log: Log, seed: UInt64,
    secondSeed: UInt64, notifier: ServiceNotifier = ServiceNotifier()
  ) throws(StartFault) {
    self.log = log
    self.notifier = notifier
    do throws(KernelFault) {
      poller = try Poller()
      signals = try Signals()
      try poller.add(signals.descriptor, .read, token: Token(kind: TokenKind.signals, slot: 0))
    } catch {
      throw .kernel(error)
    }
    do throws(UpstreamError) {
      upstream = try Upstream(settings)
    } catch {
      throw .upstream(error)
    }
    identities = try Self.identities(of: configuration)
    downstream = Downstream(
      poller: poller, limits: configuration.limits, gate: Gate(configuration, keeping: nil))
    runner = Runner(
      configuration, downstream: downstream, upstream: upstream, log: log, seed: seed, secondSeed: secondSeed,
      now: Clock.now())
  }

  /// Why the server could not start.
  package enum StartFault: Error {
    case kernel(KernelFault)
    case upstream(UpstreamError)
    /// A listener cannot speak TLS.
    case identity(TLSIdentity.Fault)
  }

  /// What the listeners of a configuration show that speak TLS.
  static func identities(of configuration: Configuration) throws(StartFault) -> [Listen: TLSIdentity] {
    var identities: [Listen: TLSIdentity] = [:]
    for (listen, tls) in configuration.secured {
      do throws(TLSIdentity.Fault) {
        identities[listen] = try TLSIdentity(
          certificate: tls.certificate, key: tls.key, clientAuthorities: tls.clientAuthorities)
      } catch {
        throw .identity(error)
      }
    }
    return identities
  }

  /// Starts to listen; throws where an address cannot be had.
  package func listen(on listen: Listen, isAdmin: Bool = false) throws(KernelFault) {
    downstream.listeners.append(
      Downstream.ListenerPlace(
        listener: try open(listen), listen: listen, isAdmin: isAdmin, identity: identities[listen]))
    downstream.watch(listener: downstream.listeners.count - 1)
  }

  func open(_ listen: Listen) throws(KernelFault) -> Listener {
    switch listen {
    case .tcp(let host, let port): return try Listener(host: host, port: port)
    case .unix(let path): return try Listener(unix: path)
    case .inherited(let index):
      guard let descriptor = notifier.takeInherited(index) else {
        throw KernelFault(.inherit, "fd://\(index)", code: EBADF)
      }
      return try Listener(inherited: descriptor)
    }
  }

  /// The addresses as they were given, port 0 filled in.
  package var addresses: [String] { downstream.listeners.map { $0.listener.text } }

  /// What `/metrics` and `/admin/health` say that runs.
  package var version: String {
    get { runner.version }
    set { runner.version = newValue }
  }

  package func host(_ guest: Guest) throws(KernelFault) {
    guests.append(guest)
    try poller.add(
      guest.descriptor, .read, token: Token(kind: TokenKind.guest, slot: guests.count - 1))
  }

  /// Why `run` came back.
  package enum Halt {
    /// A signal ended it, and the last exchange is over, or the drain's time is.
    case ended
    /// SIGHUP: the caller reads the tier file, then calls `reload` or `keepConfiguration`, then `run` again.
    case reloadWanted
  }

  /// Serves until there is something that only the caller can do.
  package func run() throws(KernelFault) -> Halt {
    if !isAnnounced {
      isAnnounced = true
      ProcessFacts.dropFilePages()
      announce()
      restAt = Clock.instant() + Limits.restAfter
    }
    while true {
      if case .over = phase { break }
      if wantsReload {
        wantsReload = false
        notifier.reloading(monotonic: Clock.monotonicMicroseconds())
        return .reloadWanted
      }
      try tick()
    }
    log.flush()
    return .ended
  }

  private func tick() throws(KernelFault) {
    let before = Clock.instant()
    try poller.wait(timeout: timeout(now: before), into: events)
    let now = Clock.now()
    log.wall = now.wall
    for index in 0..<events.count { take(events[index], now) }
    for index in guests.indices {
      if let due = guests[index].nextDue(), due <= now.instant { guests[index].turn(now.instant) }
    }
    if let due = upstreamDue, due <= now.instant {
      upstreamDue = nil
      upstream.timerFired(now: now.instant)
    }
    settle(now)
    while let place = downstream.timers.popDue(now.instant) {
      downstream.timeDue(place, now: now.instant)
      settle(now)
    }
    while runner.doDue(now) { settle(now) }
    downstream.retryAccepting(now: now.instant)
    downstream.relieveMemory(now: now.instant)
    continueDrain(now: now)
    runner.doTurn(now)
    settle(now)
    if downstream.uploads.isSomebodyWaiting {
      downstream.resumeUploads(now: now.instant)
      settle(now)
    }
    finishTurn(now)
  }

  private func take(_ event: PolledEvent, _ now: Moment) {
    switch event.token.kind {
    case TokenKind.upstream:
      upstream.socketReady(
        Int32(event.token.slot), readable: event.readable || event.peerClosed, writable: event.writable,
        failed: event.failed || event.hungUp, now: now.instant)
      applyWatches()
    case TokenKind.connection:
      let id = SlotID(slot: Int32(event.token.slot), generation: event.token.generation)
      downstream.ready(id, event, now: now.instant)
    case TokenKind.listener: downstream.accept(event.token.slot, now: now.instant)
    case TokenKind.guest: guests[event.token.slot].turn(now.instant)
    default:
      while let signal = signals.read() { take(signal, now) }
    }
  }

  /// Lets everything that has happened run its course: clients' requests, then providers' answers, until
  /// neither has anything new. What one client pipelines is bounded by the connection's buffer.
  ///
  /// A timer of ours or of libcurl's may have opened and closed sockets before without any event.
  private func settle(_ now: Moment) {
    applyWatches()
    var isQuiet = false
    while !isQuiet {
      isQuiet = true
      var at = 0
      while at < downstream.events.count {
        runner.take(downstream.events[at], now: now)
        applyWatches()
        at += 1
        isQuiet = false
      }
      if at > 0 { downstream.events.removeAll(keepingCapacity: true) }
      while let event = upstream.nextEvent() {
        runner.take(event, now: now)
        applyWatches()
        isQuiet = false
      }
      while runner.startNext(now: now) {
        applyWatches()
        isQuiet = false
      }
    }
  }

  /// Watches what libcurl wants watched, before a descriptor's number can mean another socket.
  private func applyWatches() {
    while let change = upstream.nextWatchChange() {
      do throws(KernelFault) {
        switch change {
        case .add(let descriptor, let interest):
          try poller.add(descriptor, Interest(interest), token: Self.token(descriptor))
        case .modify(let descriptor, let interest):
          try poller.modify(descriptor, Interest(interest), token: Self.token(descriptor))
        case .remove(let descriptor): poller.remove(descriptor)
        case .forget: break
        }
      } catch {
        log.note(.error, "a provider's socket cannot be watched", error.text)
      }
    }
  }

  private static func token(_ descriptor: Int32) -> Token {
    Token(kind: TokenKind.upstream, slot: Int(descriptor))
  }

  private func finishTurn(_ now: Moment) {
    while downstream.passGathered(now: now.instant) { settle(now) }
    downstream.destroyClosed()
    log.flush()
    let isClearing = runner.tidyCache(now.instant)
    giveBackMemory(now.instant, isWorking: isClearing || runner.exchangeCount > 0)
    notifier.turn(now: now.instant)
    if let change = upstream.takeTimerChange() {
      switch change {
      case .disarm: upstreamDue = nil
      case .arm(let at): upstreamDue = at
      }
    }
  }

  /// glibc keeps what was freed, and Linux what was read of the program's file; a sidecar gives both back: the heap
  /// now and then, since connections that come at once leave more garbage behind than they hold, and after a quiet time
  /// the program's pages, and the room of tables that are kept for the next burst. Whatever wakes it later is followed
  /// by another rest: closing an idle TLS connection alone reads megabytes of OpenSSL. Only exchanges put the rest off.
  private func giveBackMemory(_ now: Instant, isWorking: Bool) {
    restAt = isWorking ? now + Limits.restAfter : restAt ?? now + Limits.restAfter
    if isWorking { trimAt = trimAt ?? now + Limits.trimEvery }
    if let due = trimAt, due <= now {
      trimAt = nil
      ProcessFacts.trimHeap()
    }
    if let due = restAt, due <= now {
      restAt = nil
      trimAt = nil
      runner.rest()
      downstream.rest()
      upstream.rest()
      ProcessFacts.emptyHeap()
      ProcessFacts.dropFilePages()
    }
  }

  private func timeout(now: Instant) -> Interval? {
    var due = runner.nextDue
    if let at = downstream.timers.next { due = min(due, at) }
    if let at = upstreamDue { due = min(due, at) }
    if let at = downstream.retryAt { due = min(due, at) }
    due = min(due, downstream.uploads.lookAt)
    if let at = notifier.nextDue { due = min(due, at) }
    due = min(due, drainDue)
    if let at = trimAt { due = min(due, at) }
    if let at = restAt { due = min(due, at) }
    if log.hasLines { due = min(due, now + Limits.logRetry) }
    for guest in guests {
      if let at = guest.nextDue() { due = min(due, at) }
    }
    if due <= now { return .zero }
    return due == .distantFuture ? nil : due - now
  }

  private func take(_ signal: Signal, _ now: Moment) {
    switch signal {
    case .terminate, .interrupt: beginDrain(now: now)
    case .hangUp:
      // Who drains has no use for another configuration.
      if case .serving = phase { wantsReload = true }
    case .user1:
      log.isSwitched.toggle()
      log.note(.info, "SIGUSR1: the log's level has changed", log.level.name)
    }
  }
}

extension Interest {
  fileprivate init(_ interest: WatchInterest) {
    self = []
    if interest.contains(.read) { insert(.read) }
    if interest.contains(.write) { insert(.write) }
  }
}
