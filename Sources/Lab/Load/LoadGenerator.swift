package import Base
package import Kernel
package import Transport
internal import Wire

/// Sends requests and measures their answers, as a part of somebody's loop or with its own (`run`).
///
/// The host watches `pollDescriptor` for reading and calls `turn` when it is readable, when `nextDeadline`
/// has come, and once to begin. In an open loop a request is due at its time whether a connection is free or
/// not, and its latency counts from then: a stall shows in full in every request that it delayed.
package final class LoadGenerator {
  private enum Phase { case created, warming, measuring, finished }
  private enum Kind {
    static let connection: UInt8 = 1
    static let signals: UInt8 = 2
  }

  private var options: LoadOptions
  private let poller: Poller
  private let events = PolledEvents()
  private var timers: Timers
  private var connections: [LoadConnection] = []
  private var idle: [Int] = []
  private var request: LoadRequest
  private var input = ByteBuffer(capacity: Limits.loadRead)
  private var phase = Phase.created
  private var isSignalled = false
  private var started = 0
  private var inFlight = 0
  private var warmUpLeft: Int
  private var begin = Instant.distantPast
  private var end = Instant.distantFuture
  private var lastFinish = Instant.distantPast
  package private(set) var report = LoadReport()
  /// Why a connection could not be made, where one could not: the first.
  package private(set) var connectFault: ConnectFault?

  /// - Parameter peer: whom TLS is spoken to, where the options say so.
  package init(_ options: LoadOptions, peer: TLSPeer? = nil) throws(LoadFault) {
    self.options = options
    let address: SocketAddress
    do throws(KernelFault) {
      address = try options.instance.address.resolved()
      poller = try Poller()
    } catch {
      throw .kernel(error)
    }
    if !address.isLoopback, !options.allowRemote { throw .remote(address.text) }
    request = LoadRequest(options)
    timers = Timers(count: options.connections + 1)
    warmUpLeft = options.warmUp * options.connections
    for slot in 0..<options.connections {
      let client = HTTPClient(to: address, in: poller, kind: Kind.connection, slot: slot, peer: peer)
      connections.append(LoadConnection(client, slot: slot))
      idle.append(slot)
    }
    report.isStream = options.stream
    report.connections = options.connections
    report.rate = options.rate
  }

  package var pollDescriptor: Int32 { poller.descriptor }
  package var nextDeadline: Instant? { timers.next }
  package var isFinished: Bool { phase == .finished }

  /// The model that is asked for, where the options name none. Before the first turn.
  package func ask(for model: String) {
    options.model = model
    request = LoadRequest(options)
  }

  /// Does what is to be done now, without waiting.
  package func turn(now: Instant) throws(KernelFault) {
    try poller.wait(timeout: .zero, into: events)
    step(now)
  }

  /// Goes on to the end, or until SIGINT or SIGTERM; the report then holds what there was. With
  /// `showsProgress` a line on stderr tells how far it is, where that is a terminal.
  package func run(showsProgress: Bool = true) throws(KernelFault) -> LoadReport {
    let signals = try Signals([.interrupt, .terminate])
    try poller.add(signals.descriptor, .read, token: Token(kind: Kind.signals, slot: 0))
    var progress = LoadProgress(isShown: showsProgress)
    step(Clock.instant())
    while phase != .finished {
      let now = Clock.instant()
      var next = timers.next ?? .distantFuture
      if let due = progress.next { next = min(next, due) }
      try poller.wait(timeout: next == .distantFuture ? nil : next - now, into: events)
      let after = Clock.instant()
      step(after)
      progress.show(report, since: begin, isWarmingUp: phase == .warming, now: after)
      if isSignalled { interrupt(after) }
    }
    progress.clear()
    // Left pending, it would be delivered when the mask is restored.
    while signals.read() != nil {}
    poller.remove(signals.descriptor)
    return report
  }

  /// Ends the run at once. What is under way is not counted.
  package func interrupt(_ now: Instant) {
    if phase == .finished { return }
    report.wasInterrupted = true
    finish(now)
  }

  // MARK: - The run

  private func step(_ now: Instant) {
    if phase == .created {
      phase = .warming
      if warmUpLeft == 0 { startMeasuring(now) }
    }
    for index in 0..<events.count {
      let event = events[index]
      if event.token.kind == Kind.signals {
        isSignalled = true
        continue
      }
      take(event, connections[event.token.slot])
    }
    while let id = timers.popDue(now) {
      if id < connections.count { timerFired(connections[id], now) }
    }
    if phase == .warming, warmUpLeft == 0, inFlight == 0 { startMeasuring(now) }
    pump(now)
    finishIfDone(now)
  }

  private func startMeasuring(_ now: Instant) {
    phase = .measuring
    begin = now
    lastFinish = now
    switch options.amount {
    case .requests: break
    case .time(let length): end = now + length
    }
  }

  /// Gives requests to idle connections.
  private func pump(_ now: Instant) {
    while let slot = idle.last, let intended = nextDue(now) {
      idle.removeLast()
      inFlight += 1
      if phase == .warming { warmUpLeft -= 1 } else { started += 1 }
      let connection = connections[slot]
      connection.prepare(intended: intended, isMeasured: phase == .measuring)
      timers.arm(slot, at: now + options.timeout)
      request.advance()
      follow(connection.client.start(request.bytes), connection, now)
    }
    if phase == .measuring { armWakeUp(now) }
  }

  /// Sets the timer behind the connections': the next arrival of an open loop for which a connection is free,
  /// the end of the run, or the end of waiting for a connection.
  private func armWakeUp(_ now: Instant) {
    var at = now < end ? end : end + options.timeout
    if options.rate != nil, !idle.isEmpty, hasMore(now) { at = min(at, arrival(started)) }
    if at > now, at < .distantFuture {
      timers.arm(connections.count, at: at)
    } else {
      timers.disarm(connections.count)
    }
  }

  /// When the k-th request of an open loop is due.
  private func arrival(_ k: Int) -> Instant {
    begin + Interval(nanoseconds: Int64(Double(k) * 1e9 / Double(options.rate ?? 1)))
  }

  /// The run is not over by its own measure.
  private func hasMore(_ now: Instant) -> Bool {
    switch options.amount {
    case .requests(let n): started < n
    case .time: (options.rate == nil ? now : arrival(started)) < end
    }
  }

  /// The moment that the next request counts from, if it is due.
  private func nextDue(_ now: Instant) -> Instant? {
    switch phase {
    case .created, .finished: return nil
    case .warming: return warmUpLeft > 0 ? now : nil
    case .measuring:
      guard hasMore(now) else { return nil }
      if options.rate == nil { return now }
      let due = arrival(started)
      return due <= now ? due : nil
    }
  }

  private func finishIfDone(_ now: Instant) {
    guard phase == .measuring else { return }
    if !hasMore(now) {
      if inFlight == 0 { finish(now) }
    } else if end < .distantFuture, now >= end + options.timeout {
      // An open loop that fell behind: what no connection became free for.
      while hasMore(now) {
        started += 1
        report.errors.unsent += 1
      }
    }
  }

  private func finish(_ now: Instant) {
    if phase == .measuring { report.elapsed = (report.wasInterrupted ? now : lastFinish) - begin }
    phase = .finished
    for connection in connections { connection.client.close() }
  }

  // MARK: - One request

  private func take(_ event: PolledEvent, _ connection: LoadConnection) {
    var step = connection.client.take(event, request.bytes, into: &input)
    var reads = 1
    while true {
      // Read here and not once per turn: in a long turn the last answers would look late.
      let now = Clock.instant()
      note(connection, now)
      guard case .more = step, reads < Limits.loadReadsPerTurn else { return follow(step, connection, now) }
      step = connection.client.receive(into: &input)
      reads += 1
    }
  }

  private func follow(_ step: HTTPClient.Step, _ connection: LoadConnection, _ now: Instant) {
    switch step {
    case .waiting, .more: break
    case .complete: complete(connection, now)
    case .unreachable(let fault):
      if connectFault == nil { connectFault = fault }
      conclude(connection, .connect, now)
    case .cut: conclude(connection, .cut, now)
    }
  }

  /// Records what the last read brought.
  private func note(_ connection: LoadConnection, _ now: Instant) {
    let isStream = connection.client.answer.isEventStream
    let seen =
      isStream ? connection.client.answer.observer.contentEvents : min(1, connection.client.answer.bodyCount)
    var new = seen - connection.seenEvents
    guard new > 0 else { return }
    connection.seenEvents = seen
    if connection.firstAt == nil {
      connection.firstAt = now
    } else if isStream, connection.isMeasured {
      report.gap.record(now - connection.lastEventAt)
    }
    new -= 1
    connection.lastEventAt = now
    // Further events of the same read came without a gap.
    if isStream, connection.isMeasured { for _ in 0..<new { report.gap.record(.zero) } }
  }

  private func complete(_ connection: LoadConnection, _ now: Instant) {
    let failure = connection.verdict(wantsStream: options.stream)
    if let failure { return conclude(connection, failure, now) }
    if connection.isMeasured {
      report.completed += 1
      report.bytes += connection.client.answer.bodyCount
      if connection.client.answer.isEventStream { report.events += connection.seenEvents }
      report.total.record(now - connection.intended)
      if let first = connection.firstAt { report.firstToken.record(first - connection.intended) }
    }
    conclude(connection, nil, now)
  }

  private func timerFired(_ connection: LoadConnection, _ now: Instant) {
    if connection.isPausing {
      connection.isPausing = false
      idle.append(connection.slot)
    } else if connection.client.isBusy {
      connection.client.close()
      conclude(connection, .timeout, now)
    }
  }

  /// Ends a request, good (nil) or bad, and frees its connection for the next.
  private func conclude(_ connection: LoadConnection, _ failure: LoadConnection.Failure?, _ now: Instant) {
    inFlight -= 1
    if connection.isMeasured {
      lastFinish = now
      switch failure {
      case nil: break
      case .connect: report.errors.connect += 1
      case .cut: report.errors.cut += 1
      case .status(let code): report.errors.note(status: code)
      case .stream: report.errors.stream += 1
      case .timeout: report.errors.timeout += 1
      }
    }
    if case .connect = failure {
      connection.isPausing = true
      timers.arm(connection.slot, at: now + Limits.loadPause)
    } else {
      timers.disarm(connection.slot)
      idle.append(connection.slot)
    }
  }
}
