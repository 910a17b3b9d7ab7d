internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Policy
internal import Upstream
internal import Wire

// For whom an exchange runs: every exchange is a flight, with one subscription or with many. Bytes reach the subscriptions
// straight from the relay where there is one, and from the recording where there are more.
extension Runner {
  // MARK: - The answer begins and ends

  /// The answer has begun: head and held bytes go to every subscription, and what comes from now on follows them.
  func commit(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) {
    guard let flight = run.flight, let transfer = run.transfers[attempt] else { return }
    sharing.flights.commit(flight, head: answerHead(run, attempt, transfer))
    if run.pipe != nil {
      commitPipe(attempt, transfer, run, flight, now)
      return
    }
    send(transfer, run, flight, now)
    // From now on there is no other attempt: a prompt need not be kept for as long as its stream lasts.
    let isAlone = run.transfers.indices.allSatisfy { $0 == attempt || run.transfers[$0] == nil }
    if isAlone, upstream.releaseBody(transfer) { run.releaseRequest() }
  }

  /// The whole answer is held: it goes out with its length.
  func relay(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) {
    guard let flight = run.flight, let transfer = run.transfers[attempt] else { return }
    sharing.flights.commit(flight, head: answerHead(run, attempt, transfer))
    if let call = run.batch(at: attempt) {
      recordPart(of: call, transfer, run, flight, now)
    } else {
      run.length = upstream.withHeld(transfer) { Int64($0.count) }
      send(transfer, run, flight, now)
    }
    end(run, .complete, now)
  }

  /// 1. Others share it, or it may be stored: through the recording, and straight again once a lone client has
  /// caught up. 2. It is this client's alone: straight away.
  private func send(_ transfer: TransferID, _ run: ExchangeRun, _ flight: FlightID, _ now: Moment) {
    if run.isShared, let recording = sharing.flights.recording(of: flight) {  // 1
      upstream.record(transfer, into: recording, now: now.instant)
      pumpAll(flight, now)
      return
    }
    guard let (subscription, reply, connection) = firstClient(of: flight),  // 2
      let head = sharing.flights.head(of: flight)
    else { return }
    var draft = takeDraft()
    if !reply.hasHead {
      composeHead(
        head, in: &draft, reply, connection, run: run, length: run.length, stored: nil, now)
    }
    reply.firstByteAt = now.instant
    sharing.flights.headSent(subscription)
    _ = sharing.flights.goDirect(subscription)
    upstream.commit(transfer, head: &draft.head, to: connection.sink, now: now.instant)
    giveBack(draft)
    downstream.settle(connection, now: now.instant)
  }

  /// The upstream exchange is over: each subscription gets what it is still due, and the cache what is complete.
  func end(_ run: ExchangeRun, _ ending: FlightEnding, _ now: Moment) {
    guard let flight = run.flight else { return }
    let isStored = run.isShared && run.storeKey != nil
    let head = isStored ? sharing.flights.head(of: flight) : nil
    if let recording = sharing.flights.end(flight, ending), let key = run.storeKey, let head {
      let usage = AnswerUsage(input: run.usage.input, output: run.usage.output)
      _ = sharing.cache.insert(key, head: head, recording: recording, usage: usage, now: now.instant)
    }
    pumpAll(flight, now)
  }

  /// An error of ours, to every subscription: instead of an answer where the head is not out, else inside it.
  func fail(_ error: LocalError, _ run: ExchangeRun, _ now: Moment) {
    guard let flight = run.flight else { return }
    if sharing.flights.head(of: flight) != nil {
      breakOff(error, run, flight, now)
      return
    }
    _ = sharing.flights.end(flight, .failed(code: Int32(error.row.status)))
    forEachClient(of: flight) { subscription, reply, connection in
      if reply.hasHead {
        sendErrorEvent(error, reply, connection, run: run, isBetweenEvents: true, now)
      } else {
        sendError(error, reply, connection, run: run, now)
      }
      depart(subscription)
      finish(reply, connection, run: run, closes: error.row.closes, now)
    }
  }

  /// The answer cannot be finished: a stream is told so by one event and ends without `[DONE]`; any other
  /// answer's connection is closed, so that its length shows the cut.
  private func breakOff(_ error: LocalError, _ run: ExchangeRun, _ flight: FlightID, _ now: Moment) {
    if run.pipe != nil {
      breakOffPipe(error, run, flight, now)
    } else if sharing.flights.head(of: flight)?.isStream == true {
      var draft = takeDraft()
      // An event that was cut in the middle is ended first, or ours would be a part of it.
      if !endsBetweenEvents(run) { draft.body.append("\n\n") }
      let dialect = run.exchange.shape.endpoint.errorDialect
      ErrorText(error).writeEvent(dialect, of: run.record, now: now.instant, into: &draft.body)
      if run.isShared, let recording = sharing.flights.recording(of: flight), recording.isFollowed {
        draft.body.withBytes { recording.append($0, at: now.instant) }
      } else if let (_, _, connection) = firstClient(of: flight) {
        draft.send(to: connection)
      }
      giveBack(draft)
    }
    end(run, .cut, now)
  }

  private func endsBetweenEvents(_ run: ExchangeRun) -> Bool {
    for case let transfer? in run.transfers {
      if let ends = upstream.withObserver(transfer, { $0.endsBetweenEvents }) { return ends }
    }
    return true
  }

  // MARK: - Subscriptions

  /// The only client of a flight that nobody shares, or the first of several; nil: it is gone.
  func firstClient(of flight: FlightID) -> (Subscription, Reply, Connection)? {
    guard let subscription = sharing.flights.firstSubscription(of: flight),
      let reply = sharing.reply(at: subscription),
      let connection = downstream.connection(reply.connection)
    else { return nil }
    return (subscription, reply, connection)
  }

  /// Each client of a flight that is still there. `body` may end its subscription.
  func forEachClient(of flight: FlightID, _ body: (Subscription, Reply, Connection) -> Void) {
    var next = sharing.flights.firstSubscription(of: flight)
    while let subscription = next {
      next = sharing.flights.subscription(after: subscription)
      if let reply = sharing.reply(at: subscription),
        let connection = downstream.connection(reply.connection)
      {
        body(subscription, reply, connection)
      }
    }
  }

  /// Lets every subscription of a flight go as far as it can, and holds the provider back where all are slow.
  func pumpAll(_ flight: FlightID, _ now: Moment) {
    var next = sharing.flights.firstSubscription(of: flight)
    while let subscription = next {
      next = sharing.flights.subscription(after: subscription)
      pump(subscription, now)
    }
    settlePace(flight, now)
  }

  /// Goes on where the last turn had handed out enough.
  func continueFanOut(_ now: Moment) {
    for flight in sharing.takeOwing() { pumpAll(flight, now) }
  }

  /// Who waits for its turn must not fall behind meanwhile.
  private func settlePace(_ flight: FlightID, _ now: Moment) {
    guard let run = sharing.run(of: flight) else { return }
    switch sharing.flights.settle(flight) {
    case .run where !sharing.owing.contains(flight):
      for case let transfer? in run.transfers { upstream.resume(transfer, now: now.instant) }
    case .run, .pause: for case let transfer? in run.transfers { upstream.holdBack(transfer) }
    }
  }

  /// One subscription: 1. its head; 2. bytes, as long as its socket takes them, and as many as a turn allows; 3. it has had
  /// all and is alone: the relay writes to it from now on; 4. the end; 5. it fell too far behind and is dropped alone.
  func pump(_ subscription: Subscription, _ now: Moment) {
    guard let reply = sharing.reply(at: subscription) else { return }
    guard let connection = downstream.connection(reply.connection), tasks[connection.id].reply === reply
    else {
      seeOff(subscription, reply, now)
      return
    }
    let flight = sharing.flights.flight(of: subscription)
    let run = sharing.run(of: flight)
    var draft = takeDraft()
    while true {
      switch sharing.flights.step(subscription) {
      case .head(let head):  // 1
        reply.firstByteAt = reply.firstByteAt ?? now.instant
        if !reply.hasHead {
          composeHead(
            head, in: &draft, reply, connection, run: run, length: run?.length, stored: nil, now)
        }
        sharing.flights.headSent(subscription)
      case .bytes(let range):  // 2
        if connection.sink.isBlocked || sharing.isSpent {
          if sharing.isSpent { sharing.owe(flight) }
          draft.send(to: connection)
          giveBack(draft)
          return downstream.settle(connection, now: now.instant)
        }
        guard let recording = sharing.flights.recording(of: flight) else { return }
        let count = write(
          recording, from: range.lowerBound, upTo: range.upperBound, behind: &draft, reply, connection)
        sharing.flights.advance(subscription, by: count)
      case .wait:
        draft.send(to: connection)
        giveBack(draft)
        if let run, run.exchange.ending == nil, sharing.flights.goDirect(subscription) {  // 3
          for case let transfer? in run.transfers {
            upstream.goDirect(transfer, to: connection.sink)
          }
        }
        return downstream.settle(connection, now: now.instant)
      case .ended(let ending):  // 4
        draft.send(to: connection)
        giveBack(draft)
        let isWhole = ending == .complete || reply.isStream
        if isWhole { connection.sink.end() } else { connection.sink.cut() }
        depart(subscription)
        finish(reply, connection, run: run, now)
        return
      case .fellBehind:  // 5
        depart(subscription)
        dropFollower(reply, connection, run, isUnsent: !draft.head.isEmpty, now)
        return
      }
    }
  }

  /// Whether a client whose connection is gone has had every byte that there is.
  func isServed(_ subscription: Subscription, _ connection: Connection) -> Bool {
    guard case .wait = sharing.flights.step(subscription) else { return false }
    return !connection.sink.hasDropped
  }

  /// A client that left when it had had all keeps its subscription until the last bytes have come: 1. they are nothing to
  /// it; 2. it is written down.
  private func seeOff(_ subscription: Subscription, _ reply: Reply, _ now: Moment) {
    while true {
      switch sharing.flights.step(subscription) {
      case .head, .wait: return
      case .bytes(let range): sharing.flights.advance(subscription, by: range.count)  // 1
      case .ended, .fellBehind:  // 2
        let run = sharing.run(of: sharing.flights.flight(of: subscription))
        depart(subscription)
        record(reply, run: run, word: Ending.complete.word, now)
        tasks.giveBack(reply)
        return
      }
    }
  }

  /// The bytes that a client is due next are gone: it is told so, as an error where its head is not out.
  ///
  /// - Parameter isUnsent: the head was composed, and is not out.
  private func dropFollower(
    _ reply: Reply, _ connection: Connection, _ run: ExchangeRun?, isUnsent: Bool, _ now: Moment
  ) {
    let error = LocalError.followerTooSlow
    if isUnsent {
      sendError(error, reply, connection, run: run, now)
    } else if reply.isStream {
      sendErrorEvent(error, reply, connection, run: run, isBetweenEvents: false, now)
    } else {
      connection.sink.cut()
    }
    finish(reply, connection, run: run, word: error.row.code, closes: !isUnsent, now)
  }

  /// Sends a draft's head and a piece of a recording; how many bytes of it.
  private func write(
    _ recording: Recording, from offset: Int, upTo end: Int, behind draft: inout AnswerDraft, _ reply: Reply,
    _ connection: Connection
  ) -> Int {
    recording.withBytes(from: offset) { whole in
      let piece = whole.extracting(0..<min(whole.count, min(end - offset, Limits.readPerTurn)))
      connection.sink.send(&draft.head, piece)
      reply.bytesOut &+= UInt64(piece.count)
      sharing.handedOut += piece.count
      return piece.count
    }
  }

  /// Takes a subscription out of its flight. The last one out of a running flight ends its exchange.
  func depart(_ subscription: Subscription) {
    let flight = sharing.flights.flight(of: subscription)
    if let reply = sharing.reply(at: subscription), let run = sharing.run(of: flight) {
      reply.bytesOut = bytesOut(run, subscription)
    }
    sharing.clearSubscription(subscription)
    switch sharing.flights.leave(subscription) {
    case .othersRemain: break
    case .cancelUpstream(let flight):
      // The flight's place may be another's before the exchange is told.
      guard let run = sharing.run(of: flight) else { return }
      sharing.unbind(flight)
      run.flight = nil
      abandoned.append(run)
    case .flightOver: sharing.unbind(flight)
    }
  }

  /// Body bytes that a client has been handed.
  private func bytesOut(_ run: ExchangeRun, _ subscription: Subscription) -> UInt64 {
    if run.isShared { return UInt64(sharing.flights.handed(to: subscription)) }
    var sum: UInt64 = 0
    for case let transfer? in run.transfers { sum += upstream.progress(transfer)?.forwarded ?? 0 }
    return sum
  }

  /// Ends the exchanges that nobody waits for any more.
  func cancelAbandoned(_ now: Moment) {
    while let run = abandoned.popLast() { tell(run, .clientLeft, now) }
  }

  // MARK: - Stored answers

  /// Answers from the cache, as fast as the client reads.
  func replay(_ entry: CachedAnswer, _ reply: Reply, _ connection: Connection, _ now: Moment) {
    let start = sharing.settings.replay == .paced ? now.instant : nil
    reply.source = .replay(entry, offset: 0, pacedSince: start)
    reply.firstByteAt = now.instant
    reply.storedUsage = entry.usage
    var draft = takeDraft()
    composeHead(
      entry.head, in: &draft, reply, connection, run: nil, length: Int64(entry.recording.end), stored: entry,
      now)
    pumpReplay(&draft, reply, connection, now)
    giveBack(draft)
  }

  /// Goes on with a stored answer whose head is out.
  func pumpReplay(_ reply: Reply, _ connection: Connection, _ now: Moment) {
    var draft = takeDraft()
    pumpReplay(&draft, reply, connection, now)
    giveBack(draft)
  }

  /// 1. The client's socket is full: when it has drained. 2. Paced: when the recorded time has come. 3. Done. 4. Enough
  /// was handed out in this turn: in the next one.
  private func pumpReplay(
    _ draft: inout AnswerDraft, _ reply: Reply, _ connection: Connection, _ now: Moment
  ) {
    guard case .replay(let entry, var offset, let start) = reply.source else { return }
    let reach = start.map { entry.recording.reach(after: now.instant - $0) } ?? entry.recording.end
    while offset < reach, !connection.sink.isBlocked, !sharing.isSpent {
      offset += write(
        entry.recording, from: offset, upTo: reach, behind: &draft, reply, connection)
    }
    draft.send(to: connection)
    reply.source = .replay(entry, offset: offset, pacedSince: start)
    if offset == entry.recording.end {  // 3
      reply.source = .over
      finish(reply, connection, run: nil, now)
    } else if connection.sink.isBlocked {  // 1
      downstream.settle(connection, now: now.instant)
    } else if offset < reach {  // 4
      replayTimers.arm(Int(connection.id.slot), at: now.instant + .microseconds(1))
    } else if let start {  // 2
      replayTimers.arm(Int(connection.id.slot), at: start + entry.recording.arrival(of: offset))
    }
  }

  func replayDue(_ place: Int, _ now: Moment) {
    guard let connection = downstream.connections[place], let reply = tasks[connection.id].reply else {
      return
    }
    pumpReplay(reply, connection, now)
  }
}
