internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
internal import Policy
internal import Upstream
internal import Wire

// Requests for embeddings that are sent as one (`batch` of a provider): who waits for whom, the one call, and what each
// gets of its answer. Which may go together: `Sharing.batchKey`.
extension Runner {
  /// What makes a request one of those that go together; nil where it goes alone. `reader` has just read it.
  func batchInput(_ connection: Connection, _ facts: RequestFacts, _ shape: ExchangeShape) -> BatchInput? {
    guard shape.endpoint == .embeddings, facts.form == .json, !facts.wantsStream,
      connection.body.count <= Limits.gatheredInput,
      runtime.catalog.providers.contains(where: { $0.batch != nil })
    else { return nil }
    return connection.inbound.withBytes { bytes in
      let body = bytes.extracting(connection.body)
      guard let input = EmbeddingInput(reader.probe, in: body),
        let key = sharing.batchKey(connection.head, bytes, endpoint: shape.endpoint, input.form),
        let print = key.finish(body, reader.probe)
      else { return nil }
      return BatchInput(key: print, input: input)
    }
  }

  // MARK: - Waiting for others

  /// An exchange begins, or has waited for a candidate: it joins those that wait for requests like it, where there are
  /// any. A provider that takes one call at a time so gets all that have waited for it with the next.
  func joins(_ run: ExchangeRun, _ now: Moment) -> Bool {
    guard let own = run.batchInput, run.batch == nil,
      let id = batches.gatherings.find(own.key, bytes: own.bytes),
      let call = batches.waiting[id], call.runtime === run.runtime, let first = call.members.first,
      let ticket = runs[first.run]?.exchange.attempts[first.attempt].ticket,
      let joined = run.runtime.health.join(ticket, run.exchange.routeRequest, now: now.instant)
    else { return false }
    let attempt = run.exchange.attempts.count
    while run.transfers.count <= attempt { run.transfers.append(nil) }
    enter(call, run, attempt: attempt)
    let isFull = batches.gatherings.join(id, bytes: own.bytes)
    tell(run, .joined(call.choice, joined), now)
    if isFull { sendTogether(id, now) }
    return true
  }

  private func enter(_ call: BatchCall, _ run: ExchangeRun, attempt: Int) {
    run.batchInput?.call = call
    run.batchInput?.attempt = attempt
    // Its part of the answer comes by the recording.
    run.isShared = true
    call.add(run.id, attempt: attempt, weight: run.batchInput?.input.weight ?? 1)
  }

  /// Whether an attempt that has begun waits for others, as its provider has it. Who was asked together with others
  /// before goes alone.
  func waits(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) -> Bool {
    let choice = run.exchange.attempts[attempt].choice
    guard let own = run.batchInput, run.batch == nil,
      let settings = run.runtime.catalog.providers[choice.provider].batch
    else { return false }
    let id = batches.gatherings.begin(own.key, settings, bytes: run.body.count, now: now.instant)
    let call = BatchCall(run.runtime, choice, in: id)
    batches.waiting[id] = call
    enter(call, run, attempt: attempt)
    return true
  }

  /// Sends those whose window is over.
  func sendDueBatches(_ now: Moment) {
    while let id = batches.gatherings.popDue(now.instant) { sendTogether(id, now) }
  }

  /// 1. Nobody else has come: it goes as it is. 2. There is no room for a list: each goes as it is.
  private func sendTogether(_ id: GatheringID, _ now: Moment) {
    batches.gatherings.close(id)
    guard let call = batches.waiting.removeValue(forKey: id), let first = call.members.first,
      let lead = runs[first.run]
    else { return }
    call.gathering = nil
    if call.members.count > 1 { writeList(of: call, lead) }
    var reservation = downstream.admission.reserve()
    guard call.members.count > 1, reservation.grow(to: call.body.count) else {
      call.release()
      for member in call.members {  // 1, 2
        guard let run = runs[member.run] else { continue }
        leave(call, run, member.attempt)
        if let answer = makeBody(member.attempt, run, now) { tell(run, answer, now) }
      }
      return
    }
    call.fix(reservation)
    send(call, lead, first.attempt, now)
  }

  private func send(_ call: BatchCall, _ lead: ExchangeRun, _ attempt: Int, _ now: Moment) {
    var request = TransferRequest(target: target(attempt, lead))
    request.needsFreshConnection = call.choice.needsFreshConnection
    request.holds = Limits.gatheredAnswer
    let whole: InlineArray<1, UnsafeRawBufferPointer> = [call.body.unsafeBytes]
    let transfer = lead.withQueryAndLines { query, lines in
      upstream.open(request, query: query, headerLines: lines, body: whole.span, now: now.instant)
    }
    call.transfer = transfer
    batches.sent[transfer] = call
    metrics.record(inputs: call.size, at: call.runtime.catalog.providers[call.choice.provider].name)
    let opened = Clock.instant()
    eachMember(of: call) { run, attempt in
      run.transfers[attempt] = transfer
      run.openedAt = run.openedAt ?? opened
    }
  }

  /// The first one's body with all their inputs, and the model's name as the provider has it.
  private func writeList(of call: BatchCall, _ lead: ExchangeRun) {
    guard let place = lead.batchInput?.input.member else { return }
    let model = modelSplice(for: call.choice, lead)
    lead.request.withBytes(lead.body) { body in
      func copy(_ range: Range<Int>) {
        guard let model, range.contains(model.range.lowerBound) else {
          call.body.append(body.extracting(range))
          return
        }
        call.body.append(body.extracting(range.lowerBound..<model.range.lowerBound))
        call.body.append(model.replacement.span)
        call.body.append(body.extracting(model.range.upperBound..<range.upperBound))
      }
      copy(0..<place.lowerBound)
      call.body.append(UInt8(ascii: "["))
      for (index, member) in call.members.enumerated() {
        guard let run = runs[member.run], let value = run.batchInput?.input.value else { continue }
        if index > 0 { call.body.append(UInt8(ascii: ",")) }
        run.request.withBytes(run.body) { call.body.append($0.extracting(value)) }
      }
      call.body.append(UInt8(ascii: "]"))
      copy(place.upperBound..<body.count)
    }
  }

  // MARK: - What its provider does

  /// Passes on what happened to the one transfer. Telling one member may end it.
  func follow(_ call: BatchCall, _ event: TransferEvent, now: Moment) {
    switch event.fact {
    case .connected(let isReused):
      eachMember(of: call) { tell($0, .connected($1, isReused: isReused), now) }
    case .head(let status):
      // The last to join has reserved after all others.
      if let last = call.members.last, let run = runs[last.run] {
        learn(run, last.attempt, event.transfer, now: now)
      }
      eachMember(of: call) { tell($0, .answered($1, status: status), now) }
    case .content:
      eachMember(of: call) { tell($0, .ended($1, .fault(.foreign), tokens: nil), now) }
    case .heldFull: eachMember(of: call) { tell($0, .ended($1, .fault(.takenApart), tokens: nil), now) }
    case .ended(let outcome): ended(call, event.transfer, outcome, now)
    case .blocked, .roomy, .recorded: break
    }
  }

  /// 1. Each gets its part. 2. A good answer that is not one to the list is its provider's fault. 3. What one of them
  /// asks may be to blame, or the answer is too large to be taken apart: each is asked alone. 4. All else is as it would
  /// be for one.
  private func ended(_ call: BatchCall, _ transfer: TransferID, _ outcome: TransferOutcome, _ now: Moment) {
    guard let first = call.members.first, let lead = runs[first.run] else { return }
    noteRoundTrip(outcome, provider: call.choice.provider, health: call.runtime.health)
    let verdict = verdict(lead, first.attempt, transfer, outcome, now)
    var misfit: EmbeddingAnswer.Fault?
    if verdict == .good {
      call.answer =
        upstream.withHeld(transfer) { body -> EmbeddingAnswer? in
          do throws(EmbeddingAnswer.Fault) {
            return try answerProbe.embeddings(in: body, weights: call.weights)
          } catch {
            misfit = error
            return nil
          }
        }.flatMap { $0 }
    }
    let usage = answerProbe.usage
    eachMember(of: call) { run, attempt in
      if let answer = call.answer, let place = call.place(of: run.id) {  // 1
        run.usage = answer.share(of: usage, at: place)
        noteCost(run, attempt)
        tell(run, .ended(attempt, .good, tokens: run.usage.sum), now)
        return
      }
      if let misfit { run.exchange.note(misfit.said, of: attempt) }
      noteDetail(run, attempt, transfer, verdict)
      switch verdict {
      case .good where misfit == .tooMuchBeside:
        tell(run, .ended(attempt, .fault(.takenApart), tokens: nil), now)  // 3
      case .good: tell(run, .ended(attempt, .fault(.foreign), tokens: nil), now)  // 2
      case .fault(let fault) where fault.blame != .client && fault != .unsuited:
        tell(run, .ended(attempt, .fault(fault), tokens: nil), now)  // 4
      case .relay, .fault: tell(run, .ended(attempt, .fault(.takenApart), tokens: nil), now)  // 3
      }
    }
  }

  /// Puts what a member gets of the held answer into its flight's recording, and its length into the run: its part, or
  /// all of an error.
  func recordPart(
    of call: BatchCall, _ transfer: TransferID, _ run: ExchangeRun, _ flight: FlightID, _ now: Moment
  ) {
    var draft = takeDraft()
    upstream.withHeld(transfer) { body in
      if let answer = call.answer, let place = call.place(of: run.id) {
        answer.write(place, of: body, into: &draft.body)
      } else {
        draft.body.append(body)
      }
    }
    run.length = Int64(draft.body.count)
    guard let recording = sharing.flights.recording(of: flight) else { return }
    recording.widenWindow(by: draft.body.count)
    draft.body.withBytes { recording.append($0, at: now.instant) }
    giveBack(draft)
    pumpAll(flight, now)
  }

  // MARK: - Leaving

  /// A member needs the attempt no more. The last one out ends it.
  func leave(_ call: BatchCall, _ run: ExchangeRun, _ attempt: Int) {
    run.batchInput?.attempt = nil
    run.transfers[attempt] = nil
    call.remove(run.id)
    if let id = call.gathering {
      batches.gatherings.leave(id, bytes: run.batchInput?.bytes ?? 0)
      if call.members.isEmpty {
        batches.gatherings.close(id)
        batches.waiting[id] = nil
      }
    } else if call.members.isEmpty, let transfer = call.transfer {
      end(call, transfer) { upstream.cancel(transfer) }
    }
  }

  private func end(_ call: BatchCall, _ transfer: TransferID, _ cancel: () -> Void) {
    batches.sent[transfer] = nil
    cancel()
    call.release()
  }

  /// A member has found that nothing arrives at the provider any more: so it is for all.
  func dropPath(of call: BatchCall, _ run: ExchangeRun, _ attempt: Int, _ now: Moment) {
    let isFirst = call.transfer != nil
    if let transfer = call.transfer { end(call, transfer) { upstream.cancel(transfer, pathIsDead: true) } }
    leave(call, run, attempt)
    if isFirst { eachMember(of: call) { tell($0, .path($1, .undeliverable), now) } }
  }

  /// Another connection of a member was ready first. The last one out lets theirs go on by itself; true: it does, and
  /// the ticket goes with it.
  func letGo(_ call: BatchCall, _ run: ExchangeRun, _ attempt: Int) -> Bool {
    let made = run.exchange.attempts[attempt]
    guard call.members.count == 1, let transfer = call.transfer, stragglers.count < Limits.stragglers,
      upstream.abandon(transfer)
    else {
      leave(call, run, attempt)
      return false
    }
    stragglers[transfer] = Straggler(
      health: run.runtime.health, ticket: made.ticket, provider: made.choice.provider)
    end(call, transfer) {}
    leave(call, run, attempt)
    return true
  }

  /// Those that are in it now and have not left when their turn comes.
  private func eachMember(of call: BatchCall, _ body: (ExchangeRun, Int) -> Void) {
    for member in call.members {
      guard let run = runs[member.run], run.batch(at: member.attempt) === call else { continue }
      body(run, member.attempt)
    }
  }
}

extension EmbeddingAnswer.Fault {
  /// As what is kept of a fault.
  fileprivate var said: [UInt8] {
    // Lifetime: a StaticString's bytes are always there.
    Array(UnsafeBufferPointer(start: words.utf8Start, count: words.utf8CodeUnitCount))
  }
}
