internal import Admin
package import Base
package import Downstream
internal import Exchange
internal import Kernel
package import Observability
package import Policy
internal import Transport
package import Upstream
internal import Wire

/// The exchanges: takes requests in, tells each exchange what happened, and does what it wants done.
package final class Runner {
  let downstream: Downstream
  let upstream: Upstream
  let log: Log
  private(set) var runtime: RuntimeConfiguration
  private(set) var checks: Checks
  /// The tier file's own configuration, without what was discovered since.
  private(set) var configuration: Configuration
  let metrics: Metrics
  let activity: Activity
  /// Made when somebody first wants it.
  lazy var home = HomePage()
  /// Who has the page open.
  var watching = Watching()
  var runs: SlotTable<ExchangeRun>
  /// What is done for each client.
  var tasks = ClientTasks()
  var timers = Timers()
  var reader: RequestReader
  /// What conversations are known by is hashed with.
  private let conversationKey: KeyedHash.Key
  /// Connections of races that others won: their ends still tell about their providers.
  var stragglers: [TransferID: Straggler] = [:]
  /// Requests that are passed on, and when each is to be looked at, by connection.
  var passings: [TransferID: Passing] = [:]
  var passingTimers = Timers()
  /// Effects that wait to be performed; kept for its memory.
  private var effects: [ExchangeEffect] = []
  /// Where answers are written, one at a time.
  var draft = AnswerDraft()
  /// The plain answer that was judged last, if it was good.
  var answerProbe = AnswerProbe()
  private var serial: UInt64
  var isDraining = false
  let sharing: Sharing
  /// Paced replays, by connection.
  var replayTimers = Timers()
  /// What goes through large bodies, the first one first.
  var chores: [Chore] = []
  /// Connections whose pages go on, in the order in which their clients took the last piece.
  var openPages: [SlotID] = []
  /// Requests that are sent as one.
  var batches = Batches()
  /// Exchanges whose last client has left, until they are told.
  var abandoned: [ExchangeRun] = []

  struct Straggler {
    var health: HealthStore
    var ticket: AttemptTicket
    var provider: Int
  }

  package init(
    _ configuration: Configuration, downstream: Downstream, upstream: Upstream, log: Log, seed: UInt64,
    secondSeed: UInt64, now: Moment
  ) {
    self.downstream = downstream
    self.upstream = upstream
    self.log = log
    self.configuration = configuration
    runtime = RuntimeConfiguration(
      configuration, upstream: upstream, seed: seed, gate: downstream.gate, keeping: nil)
    sharing = Sharing(configuration.cache, limits: configuration.limits, seed: seed, secondSeed: secondSeed)
    conversationKey = KeyedHash.Key(first: secondSeed, second: seed)
    reader = RequestReader(key: conversationKey, hearsOpenings: runtime.hearsOpenings)
    checks = Checks(runtime, upstream: upstream, keeping: nil, now: now.instant)
    metrics = Metrics(runtime.catalog, clients: configuration.clients, now: now)
    activity = Activity(startedAt: metrics.startedAt)
    serial = seed
    runs = SlotTable(capacity: configuration.limits.connections)
  }

  /// Runs with a configuration from now on, and with what was discovered; what was learned is kept. Exchanges
  /// in flight keep the one that they began with.
  func adopt(_ configuration: Configuration, now: Instant) {
    self.configuration = configuration
    let merged = checks.merged(into: configuration)
    runtime = RuntimeConfiguration(
      merged, upstream: upstream, seed: serial, gate: Gate(merged, keeping: runtime.gate), keeping: runtime)
    reader = newReader
    downstream.gate = runtime.gate
    checks = Checks(runtime, upstream: upstream, keeping: checks, now: now)
    metrics.adopt(runtime.catalog, clients: configuration.clients)
    // The token may have changed, and the providers: who may still look comes again.
    endWatching(now: now)
  }

  var newReader: RequestReader {
    RequestReader(key: conversationKey, hearsOpenings: runtime.hearsOpenings)
  }

  func newRequestID() -> RequestID {
    serial &+= 1
    return RequestID(number: serial)
  }

  // MARK: - The clients' side

  package func take(_ event: ConnectionEvent, now: Moment) {
    switch event {
    case .request(let id):
      if let connection = downstream.connection(id) { receive(connection, now: now) }
    case .refused(let id, let error):
      if let connection = downstream.connection(id) { refuse(connection, error, now: now) }
    case .left(let id): left(id, now)
    case .drained(let id): drained(id, now)
    case .fed(let id):
      guard let connection = downstream.connection(id) else { return }
      if let passing = tasks[id].passing { fed(passing, now) }
      if let run = tasks[id].pipe { pump(run, connection, now) }
    case .unsecured(let fault): log.note(.info, "TLS handshake failed", fault.words(for: "the client"))
    }
    cancelAbandoned(now)
  }

  /// The client is gone; the exchange goes on if others wait for it.
  private func left(_ id: SlotID, _ now: Moment) {
    watching.remove(id)
    guard let connection = downstream.connection(id) else { return }
    let task = tasks.end(id)
    if let passing = task.passing { clientLeft(passing, now) }
    guard let reply = task.reply else { return }
    switch reply.source {
    case .subscription(let subscription):
      let flight = sharing.flights.flight(of: subscription)
      let run = sharing.run(of: flight)
      let hasHadAll = run.map { hasSaidEnd($0) } == true && isServed(subscription, connection)
      if hasHadAll, let run, sharing.flights.subscriptionCount(of: flight) == 1 {
        // Its subscription stays, so that the answer is stored and the provider's connection kept.
        tell(run, .served, now)
        return
      }
      depart(subscription)
      cancelAbandoned(now)
      record(reply, run: run, word: (hasHadAll ? Ending.complete : .clientLeft).word, now)
      pumpAll(flight, now)
    case .replay:
      replayTimers.disarm(Int(id.slot))
      record(reply, run: nil, word: Ending.clientLeft.word, now)
    case .over: break
    }
    tasks.giveBack(reply)
  }

  private func drained(_ id: SlotID, _ now: Moment) {
    guard let connection = downstream.connection(id) else { return }
    let task = tasks[id]
    if task.page != nil { pageDrained(connection) }
    if let passing = task.passing { drained(passing, now) }
    guard let reply = task.reply else { return }
    switch reply.source {
    case .subscription(let subscription): pumpAll(sharing.flights.flight(of: subscription), now)
    case .replay: pumpReplay(reply, connection, now)
    case .over: break
    }
  }

  /// Gives a request its exchange. There is room for it: the caller has looked. `lines`: the
  /// client's fields that cross.
  func start(
    _ arrival: consuming Arrival, facts: RequestFacts, shape: ExchangeShape, for subscription: Subscription,
    lines: borrowing ByteBuffer, pipe: Pipe? = nil, now: Moment
  ) {
    var handed = Optional(arrival)
    let run = runs.insert { id in
      lines.withBytes { lines in
        ExchangeRun(
          id: id, runtime: runtime, exchange: Exchange(shape, now: now.instant), facts: facts,
          arrival: handed.take()!, lines: lines)
      }
    }
    guard let run else { return }
    run.pipe = pipe
    if let pipe { tasks[pipe.connection].pipe = run }
    sharing.bind(run, to: sharing.flights.flight(of: subscription))
    run.requestID = sharing.reply(at: subscription)?.requestID
    if let reply = sharing.reply(at: subscription) { admit(run, for: reply.connection, now: now) }
  }

  // MARK: - Exchanges

  func timeDue(_ place: Int, now: Moment) {
    if let run = runs[place], !(run.exchange.isWaiting && joins(run, now)) { tell(run, .timePassed, now) }
    cancelAbandoned(now)
  }

  /// Tells an exchange what happened, and performs what it wants, and what comes of that, until it wants no more.
  func tell(_ run: ExchangeRun, _ event: ExchangeEvent, _ now: Moment) {
    // Performing may tell again: each call works on effects of its own, behind those of its caller.
    let first = effects.count
    run.exchange.handle(event, health: run.runtime.health, now: now.instant, effects: &effects)
    var at = first
    while at < effects.count {
      let effect = effects[at]
      at += 1
      if let answer = perform(effect, run, now) {
        run.exchange.handle(answer, health: run.runtime.health, now: now.instant, effects: &effects)
      }
    }
    if effects.count > first { effects.removeSubrange(first...) }
    if run.exchange.ending == nil { timers.arm(Int(run.id.slot), at: run.exchange.nextDue) }
  }

  /// Performs one effect. What it brings about at once is returned as the next event.
  private func perform(_ effect: ExchangeEffect, _ run: ExchangeRun, _ now: Moment) -> ExchangeEvent? {
    switch effect {
    case .open(let attempt): return open(attempt, run, now)
    case .cancel(let attempt): cancel(attempt, run)
    case .letGo(let attempt): letGo(attempt, run, now)
    case .checkPath(let attempt): return checkPath(attempt, run, now)
    case .dropPath(let attempt): dropPath(attempt, run, now)
    case .checkProgress(let attempt): return checkProgress(attempt, run, now)
    case .commit(let attempt): commit(attempt, run, now)
    case .relay(let attempt): relay(attempt, run, now)
    case .finish: end(run, run.exchange.isComplete ? .complete : .cut, now)
    case .sendComment: sendComment(run, now)
    case .answerError(let error), .breakOff(let error): fail(error, run, now)
    case .concluded: conclude(run, now)
    }
    return nil
  }

  /// Begins an attempt; where others like it may come, it waits for them.
  private func open(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) -> ExchangeEvent? {
    // A server that is starting is asked again in the place of the last time.
    if attempt < run.transfers.count { run.transfers[attempt] = nil } else { run.transfers.append(nil) }
    if run.pipe != nil {
      openPipe(attempt, run, now)
      return nil
    }
    return waits(attempt, run, now) ? nil : makeBody(attempt, run, now)
  }

  /// Sends an attempt; where its body takes long to make, that is done in slices first.
  func makeBody(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) -> ExchangeEvent? {
    let choice = run.exchange.attempts[attempt].choice
    let model = modelSplice(for: choice, run)
    let edits = run.runtime.edits[choice.provider]
    guard run.exchange.shape.endpoint.takesEdits, run.facts.form == .json, !edits.isEmpty else {
      let patch = model.map { Patch([$0], over: run.wholeBody) }
      send(attempt, run, patch.map { run.keep($0, for: attempt) }, now)
      return nil
    }
    let object = run.request.withBytes(run.body) { BodyEdits.object(of: $0) }
    var walk = EditWalk(edits, of: object, adding: model, mostPlaces: Limits.patchedPlaces)
    if run.request.withBytes(run.body, { walk.goOn($0, budget: Limits.bodySlice) }) {
      return send(attempt, run, &walk, now)
    }
    chores.append(
      .editing(BodyEditing(run.id, attempt: attempt, openedAt: run.exchange.attempts[attempt].openedAt, walk))
    )
    return nil
  }

  /// Sends an attempt's body as its provider's edits make it.
  func send(_ attempt: Int, _ run: ExchangeRun, _ walk: inout EditWalk, _ now: Moment) -> ExchangeEvent? {
    guard run.charge(walk.bytesHeld, for: attempt) else { return .couldNotOpen(attempt, .memoryFull) }
    if let body = walk.takeBody() {
      send(attempt, run, run.keep(Patch(whole: body), for: attempt), now)
      return nil
    }
    let splices = walk.splices
    let patch = splices.isEmpty ? nil : Patch(splices, over: run.wholeBody)
    send(attempt, run, patch.map { run.keep($0, for: attempt) }, now)
    return nil
  }

  /// - Parameter pieces: the body; nil: as the client sent it.
  private func send(
    _ attempt: Int, _ run: ExchangeRun, _ pieces: [UnsafeRawBufferPointer]?, _ now: Moment
  ) {
    var request = TransferRequest(target: target(attempt, run))
    request.race = run.race(run.exchange.attempts[attempt].round)
    request.method = run.stored?.method ?? .post
    request.expectsEventStream = run.exchange.shape.wantsStream
    request.needsFreshConnection = run.exchange.attempts[attempt].choice.needsFreshConnection
    request.tag = run.tag(attempt)
    let transfer = run.withQueryAndLines { query, lines in
      guard let pieces else {
        let whole: InlineArray<1, UnsafeRawBufferPointer> = [run.wholeBody]
        return upstream.open(
          request, query: query, headerLines: lines, body: whole.span, now: now.instant)
      }
      return upstream.open(request, query: query, headerLines: lines, body: pieces.span, now: now.instant)
    }
    run.transfers[attempt] = transfer
    // The turn's own clock stands still: what we took ourselves is read from the real one.
    run.openedAt = run.openedAt ?? Clock.instant()
  }

  private func cancel(_ attempt: Int, _ run: ExchangeRun) {
    if let call = run.batch(at: attempt) { return leave(call, run, attempt) }
    guard let transfer = run.transfers[attempt] else { return }
    upstream.cancel(transfer)
    run.transfers[attempt] = nil
    run.dropPatch(of: attempt)
  }

  private func dropPath(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) {
    if let call = run.batch(at: attempt) { return dropPath(of: call, run, attempt, now) }
    guard let transfer = run.transfers[attempt] else { return }
    run.transfers[attempt] = nil
    upstream.cancel(transfer, pathIsDead: true)
    run.dropPatch(of: attempt)
  }

  /// Lets a lost connection go on by itself; where too many do, it is cancelled and says nothing.
  private func letGo(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) {
    let made = run.exchange.attempts[attempt]
    if let call = run.batch(at: attempt), letGo(call, run, attempt) { return }
    guard let transfer = run.transfers[attempt] else {
      // Its body is still being made, or others go on with it.
      run.runtime.health.end(made.ticket, AttemptOutcome(fault: .raceLost), now: now.instant)
      return
    }
    run.transfers[attempt] = nil
    if stragglers.count < Limits.stragglers, upstream.abandon(transfer) {
      stragglers[transfer] = Straggler(
        health: run.runtime.health, ticket: made.ticket, provider: made.choice.provider)
    } else {
      upstream.cancel(transfer)
      run.runtime.health.end(made.ticket, AttemptOutcome(fault: .raceLost), now: now.instant)
    }
  }

  private func checkPath(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) -> ExchangeEvent {
    guard let transfer = run.transfers[attempt] else { return .path(attempt, .unknown) }
    if hasSaidEnd(run) { return .path(attempt, .acknowledged) }
    if hasFinished(run, transfer, now.instant) { return saidEnd(run, attempt, transfer) }
    switch upstream.pathState(transfer, now: now.instant) {
    case .connecting: return .path(attempt, .connecting)
    case .handshaking(let roundTrip): return .path(attempt, .handshaking(roundTrip: roundTrip))
    case .sent(.unacknowledged(let time, let roundTrip)):
      return .path(attempt, .unacknowledged(for: time, roundTrip: roundTrip))
    case .sent(.failed): return .path(attempt, .undeliverable)
    case .sent(.heldUp): return .path(attempt, .heldUp)
    case .sent(.acknowledged(let roundTrip)):
      run.runtime.health.noteRoundTrip(roundTrip, provider: run.exchange.attempts[attempt].choice.provider)
      return .path(attempt, .acknowledged)
    case .sent(.unknown), .unknown: return .path(attempt, .unknown)
    }
  }

  private func checkProgress(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) -> ExchangeEvent {
    if let transfer = run.transfers[attempt], hasSaidEnd(run) || hasFinished(run, transfer, now.instant) {
      return saidEnd(run, attempt, transfer)
    }
    let progress = run.transfers[attempt].flatMap { upstream.progress($0) }
    return .progress(
      attempt,
      AttemptProgress(
        lastContentAt: run.pipe?.last(progress?.lastContentAt) ?? progress?.lastContentAt,
        isPaused: progress?.isPaused ?? false))
  }

  /// The one place where an exchange ends.
  private func conclude(_ run: ExchangeRun, _ now: Moment) {
    timers.disarm(Int(run.id.slot))
    for attempt in run.transfers.indices { cancel(attempt, run) }
    if let stored = run.stored { for target in stored.targets { upstream.forget(target) } }
    let record = run.record
    log.attempts(of: record, now: now)
    metrics.record(record)
    settleCost(run)
    if run.runtime === runtime {
      for index in run.exchange.attempts.indices {
        let consequence = run.exchange.attempts[index].consequence
        guard let consequence, consequence.scope == .provider else { continue }
        checks.cooled(run.exchange.attempts[index].choice.provider, until: consequence.until)
      }
    }
    run.release()
    runs.remove(run.id)
  }
}
