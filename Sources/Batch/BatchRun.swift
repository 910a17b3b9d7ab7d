package import Base
internal import CLinux
internal import Kernel
internal import Lab
package import Transport
internal import Wire

/// Runs a batch: the lines that have no answer go to the instance, the answers to the output as they come.
package final class BatchRun {
  private enum Kind {
    static let connection: UInt8 = 1
    static let signals: UInt8 = 2
  }

  private let options: BatchOptions
  private let input: Descriptor
  private var output: AnswerFile
  private var plan: BatchPlan
  private var lines: LineReader
  /// Every line has been read.
  private var hasReadAll = false
  private let poller: Poller
  private let events = PolledEvents()
  private var timers: Timers
  private var connections: [BatchConnection] = []
  private var queue = BatchQueue()
  private var probe = JSONProbe()
  private var answer = AnswerProbe()
  private var received = ByteBuffer()
  private var line = ByteBuffer()
  private var begin = Instant.distantPast
  /// The instance has answered: from now on it is waited for where it is gone.
  private var hasAnswered = false
  private var fault: BatchFault?

  /// Opens and checks both files.
  /// - Parameters:
  ///   - peer: whom TLS is spoken to, where the options say so.
  ///   - report: gets what is wrong with them.
  package init(_ options: BatchOptions, peer: TLSPeer? = nil, report: (borrowing ByteBuffer) -> Void)
    throws(BatchFault)
  {
    self.options = options
    let raw = linux_open(options.input, O_RDONLY | O_CLOEXEC)
    if raw < 0 { throw .openInput(linux_errno()) }
    input = Descriptor(owning: raw)
    var plan = BatchPlan()
    try plan.readInput(raw, name: options.input)
    if plan.mistakes == 0 {
      output = try AnswerFile(options.output)
      try plan.readOutput(output.raw, name: options.output)
    } else {
      report(plan.report)
      throw .mistakes
    }
    if plan.mistakes > 0 {
      report(plan.report)
      throw .mistakes
    }
    try output.mend(to: plan.outputEnd)
    self.plan = plan
    lines = LineReader(raw)
    timers = Timers(count: options.connections)
    let address: SocketAddress
    do throws(KernelFault) {
      address = try options.instance.address.resolved()
      poller = try Poller()
    } catch {
      throw .kernel(error)
    }
    for slot in 0..<options.connections {
      let client = HTTPClient(
        to: address, in: poller, kind: Kind.connection, slot: slot, peer: peer, keeps: true)
      connections.append(BatchConnection(client, slot: slot))
    }
  }

  /// Goes on until every line has an answer or was given up, or until it is ended by a signal.
  package func run() throws(BatchFault) -> BatchTotals {
    do throws(KernelFault) {
      try loop()
    } catch {
      throw .kernel(error)
    }
    if let fault { throw fault }
    plan.totals.elapsed = Clock.instant() - begin
    return plan.totals
  }

  private func loop() throws(KernelFault) {
    let signals = try Signals([.interrupt, .terminate])
    try poller.add(signals.descriptor, .read, token: Token(kind: Kind.signals, slot: 0))
    var progress = BatchProgress()
    begin = Clock.instant()
    pump(begin)
    while fault == nil, !isOver {
      let now = Clock.instant()
      var next = min(progress.next, timers.next ?? .distantFuture)
      if let due = queue.next, hasIdle { next = min(next, due) }
      try poller.wait(timeout: max(.zero, next - now), into: events)
      let after = Clock.instant()
      for index in 0..<events.count { take(events[index], after) }
      while let slot = timers.popDue(after) {
        connections[slot].client.close()
        retry(connections[slot], after)
      }
      pump(after)
      progress.show(plan.totals, waiting: queue.count, due: queue.next, since: begin, now: after)
      while let signal = signals.read() {
        if plan.totals.wasInterrupted || signal == .terminate {
          interruptAll()
        } else {
          progress.say("finishing what is under way; Ctrl-C again ends at once")
        }
        plan.totals.wasInterrupted = true
      }
    }
    progress.clear()
    poller.remove(signals.descriptor)
  }

  /// Nothing is under way, and nothing is left to be begun.
  private var isOver: Bool {
    for connection in connections where !connection.isIdle { return false }
    return plan.totals.wasInterrupted || hasReadAll && queue.count == 0
  }

  private var hasIdle: Bool {
    for connection in connections where connection.isIdle { return true }
    return false
  }

  private func interruptAll() {
    for connection in connections where !connection.isIdle {
      connection.client.close()
      connection.clear()
    }
  }

  // MARK: - Which line next

  /// Gives lines to idle connections.
  private func pump(_ now: Instant) {
    for connection in connections where connection.isIdle {
      if fault != nil || plan.totals.wasInterrupted { return }
      do throws(BatchFault) {
        guard let ask = try next(now) else { return }
        try prepare(connection, ask)
        timers.arm(connection.slot, at: now + Limits.batchTime)
        follow(connection.client.start(connection.request), connection, now)
      } catch {
        fault = error
      }
    }
  }

  /// 1. A line that has waited long enough. 2. The next of the file that has no answer and whose model is not held
  /// back.
  private func next(_ now: Instant) throws(BatchFault) -> BatchAsk? {
    while var ask = queue.takeDue(now) {  // 1
      guard let until = queue.heldBackUntil(ask.model, now: now) else { return ask }
      ask.due = until
      queue.add(ask)
    }
    while !hasReadAll, !queue.isFull {  // 2
      guard let place = try lines.next() else {
        hasReadAll = true
        return nil
      }
      let item = try lines.withLine(place) { line throws(BatchFault) in try read(line, place) }
      if plan.index.isAnswered(item.key) { continue }
      var ask = BatchAsk(place: place, model: item.model)
      guard let until = queue.heldBackUntil(item.model, now: now) else { return ask }
      ask.due = until
      queue.add(ask)
    }
    return nil
  }

  private func read(_ line: Span<UInt8>, _ place: LinePlace) throws(BatchFault) -> BatchItem {
    do throws(BatchItem.Mistake) { return try BatchItem(line, &probe) } catch { throw .changed(place.number) }
  }

  /// Composes the request.
  private func prepare(_ connection: BatchConnection, _ ask: BatchAsk) throws(BatchFault) {
    line.removeAll()
    try FileBytes.read(ask.place, of: input.raw, into: &line)
    let item = try line.withBytes { bytes throws(BatchFault) in try read(bytes, ask.place) }
    connection.clear()
    connection.ask = ask
    connection.key = item.key
    line.withBytes(item.name) { connection.name.append($0) }
    var request = ByteBuffer()
    request.append("POST \(options.instance.prefix)")
    line.withBytes(item.path) { request.append($0) }
    request.append(
      headTo: options.instance, agent: "synaxis-batch", accept: "application/json", key: options.key,
      length: item.body.count)
    line.withBytes(item.body) { request.append($0) }
    connection.request = request
    line.recycle(keeping: Limits.keptBuffer)
  }

  // MARK: - One request

  private func take(_ event: PolledEvent, _ now: Instant) {
    guard event.token.kind == Kind.connection else { return }
    let connection = connections[event.token.slot]
    follow(connection.client.take(event, connection.request, into: &received), connection, now)
  }

  private func follow(_ step: HTTPClient.Step, _ connection: BatchConnection, _ now: Instant) {
    switch step {
    case .waiting, .more: break
    case .complete: complete(connection, now)
    case .unreachable(let fault): unreachable(connection, fault, now)
    case .cut: retry(connection, now)
    }
  }

  /// At the start that ends the run; later the instance is waited for, since it may be being restarted.
  private func unreachable(_ connection: BatchConnection, _ reason: ConnectFault, _ now: Instant) {
    if !hasAnswered {
      fault = .unreachable(reason)
      return
    }
    putBack(connection, due: now + Limits.batchReconnect)
  }

  // MARK: - What an answer leads to

  /// By status: 1. good; 2. a wait that is told; 3. the key is not taken; 4. what may be otherwise the next time;
  /// 5. what the line itself is at fault for.
  private func complete(_ connection: BatchConnection, _ now: Instant) {
    hasAnswered = true
    switch connection.client.answer.status {
    case 200..<300: write(connection)  // 1
    case 429, 503: wait(connection, now)  // 2
    case 401: fault = .keyRejected  // 3
    case 408, 500...: retry(connection, now)  // 4
    default: write(connection)  // 5
    }
  }

  /// The model's provider said when to come back: its lines wait, and the connection goes on with others'.
  private func wait(_ connection: BatchConnection, _ now: Instant) {
    var head = ResponseHead()
    let told = connection.client.answer.head.withBytes { raw -> Interval? in
      head.parse(raw)
      return connection.client.answer.body.withBytes {
        RetryHints.interval(head, in: raw, body: $0, now: Clock.now().wall)
      }
    }
    let due = now + max(.milliseconds(100), told ?? Limits.batchPause)
    if let ask = connection.ask { queue.holdBack(ask.model, until: due, now: now) }
    plan.totals.waits += 1
    putBack(connection, due: due)
  }

  /// The line is tried again a little later, unless it has had its tries.
  private func retry(_ connection: BatchConnection, _ now: Instant) {
    connection.ask?.tries += 1
    guard let ask = connection.ask, ask.tries < Limits.batchTries else {
      plan.totals.failed += 1
      timers.disarm(connection.slot)
      connection.clear()
      return
    }
    putBack(connection, due: now + .seconds(1 << Int64(ask.tries)))
  }

  private func putBack(_ connection: BatchConnection, due: Instant) {
    if var ask = connection.ask {
      ask.due = due
      queue.add(ask)
    }
    timers.disarm(connection.slot)
    connection.clear()
  }

  /// Appends the answer to the output, in the Batch output format.
  private func write(_ connection: BatchConnection) {
    var line = ByteBuffer()
    line.append("{\"id\":\"batch_req_")
    line.append(hex: connection.key.high, digits: 16)
    line.append("\",\"custom_id\":")
    connection.name.withBytes { line.append($0) }
    line.append(",\"response\":{\"status_code\":")
    line.append(decimal: connection.client.answer.status)
    line.append(",\"request_id\":")
    var head = ResponseHead()
    connection.client.answer.head.withBytes { raw in
      head.parse(raw)
      let id = head.value(of: .requestID) ?? 0..<0
      line.append(jsonString: raw.extracting(id))
    }
    line.append(",\"body\":")
    connection.client.answer.body.withBytes { body in
      answer.read(body)
      // What is no JSON is told as a text; what is has its line ends folded, which can only stand between values.
      if answer.isJSON { line.append(onOneLine: body) } else { line.append(jsonString: body) }
    }
    line.append("},\"error\":null}\n")
    do throws(BatchFault) { try output.append(line) } catch { return fault = error }
    plan.count(connection.key, status: connection.client.answer.status, usage: answer.usage)
    timers.disarm(connection.slot)
    connection.clear()
  }
}

extension ByteBuffer {
  /// A JSON text with blanks for its line ends.
  fileprivate mutating func append(onOneLine text: Span<UInt8>) {
    let start = count
    append(text)
    withMutableBytes { bytes in
      for at in start..<bytes.count where bytes[at] == 10 || bytes[at] == 13 { bytes[at] = 32 }
    }
  }
}
