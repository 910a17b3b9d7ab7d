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
  private let address: SocketAddress
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
    do throws(KernelFault) {
      switch options.instance.address {
      case .tcp(let host, let port): address = try SocketAddress(resolving: host, port: port)
      case .unix(let path): address = try SocketAddress(unix: path)
      }
      poller = try Poller()
    } catch {
      throw .kernel(error)
    }
    for slot in 0..<options.connections {
      connections.append(BatchConnection(kind: Kind.connection, slot: slot, peer: peer))
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
      while let slot = timers.popDue(after) { retry(connections[slot], isTransport: true, after) }
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
    for connection in connections where connection.state != .idle { return false }
    return plan.totals.wasInterrupted || hasReadAll && queue.count == 0
  }

  private var hasIdle: Bool {
    for connection in connections where connection.state == .idle { return true }
    return false
  }

  private func interruptAll() {
    for connection in connections where connection.state != .idle {
      connection.socket.close()
      connection.clear()
    }
  }

  // MARK: - Which line next

  /// Gives lines to idle connections.
  private func pump(_ now: Instant) {
    for connection in connections where connection.state == .idle {
      if fault != nil || plan.totals.wasInterrupted { return }
      do throws(BatchFault) {
        guard let ask = try next(now) else { return }
        try prepare(connection, ask)
        timers.arm(connection.slot, at: now + Limits.batchTime)
        start(connection, now)
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
    request.append(" HTTP/1.1\r\nHost: \(options.instance.host)\r\nUser-Agent: synaxis-batch\r\n")
    request.append("Content-Type: application/json\r\nAccept: application/json\r\n")
    if let key = options.key { request.append("Authorization: Bearer \(key)\r\n") }
    request.append("Content-Length: ")
    request.append(decimal: item.body.count)
    request.append("\r\n\r\n")
    line.withBytes(item.body) { request.append($0) }
    connection.request = request
    line.recycle(keeping: Limits.keptBuffer)
  }

  // MARK: - One request

  private func start(_ connection: BatchConnection, _ now: Instant) {
    if connection.socket.raw != nil {
      connection.state = .sending
      write(connection, now)
    } else {
      connect(connection, now)
    }
  }

  private func connect(_ connection: BatchConnection, _ now: Instant) {
    do throws(KernelFault) {
      try connection.socket.connect(to: address, poller)
      connection.state = .connecting
    } catch {
      unreachable(connection, .kernel(error), now)
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

  private func take(_ event: PolledEvent, _ now: Instant) {
    guard event.token.kind == Kind.connection else { return }
    let connection = connections[event.token.slot]
    if connection.socket.generation != event.token.generation { return }
    if event.writable || event.failed || event.hungUp || connection.state == .connecting {
      write(connection, now)
    }
    if connection.socket.generation == event.token.generation,
      event.readable || event.hungUp || event.failed
    {
      receive(connection, now)
    }
  }

  private func write(_ connection: BatchConnection, _ now: Instant) {
    if connection.state == .connecting {
      switch connection.socket.open(to: address, poller) {
      case .done: connection.state = .sending
      case .underWay: return
      case .failed(let reason): return unreachable(connection, reason, now)
      }
    }
    guard connection.state == .sending else { return }
    switch connection.socket.send(connection.request) {
    case .complete:
      connection.state = .receiving
      watch(connection, .read, now)
    case .blocked: watch(connection, [.read, .write], now)
    case .broken: lost(connection, now)
    }
  }

  private func watch(_ connection: BatchConnection, _ wanted: Interest, _ now: Instant) {
    do { try connection.socket.watch(wanted, poller) } catch { lost(connection, now) }
  }

  private func receive(_ connection: BatchConnection, _ now: Instant) {
    guard connection.socket.raw != nil, connection.state != .connecting else { return }
    received.removeAll()
    switch connection.socket.receive(into: &received) {
    case .received:
      guard connection.state == .receiving || connection.state == .sending else {
        return connection.socket.close()
      }
      switch received.withBytes({ connection.reader.read($0) }) {
      case .needMore: break
      case .complete: complete(connection, now)
      case .malformed: retry(connection, isTransport: true, now)
      }
    case .wouldBlock: break
    case .endOfStream, .reset: lost(connection, now)
    }
  }

  /// The connection has ended.
  private func lost(_ connection: BatchConnection, _ now: Instant) {
    switch connection.state {
    case .idle: connection.socket.close()
    case .connecting, .sending, .receiving:
      if connection.reader.readEnd() { return complete(connection, now) }
      // A server may close an idle connection just when it is used again: that says nothing about the answer.
      if connection.socket.answers > 0, connection.reader.isUntouched {
        connection.rewind()
        return connect(connection, now)
      }
      retry(connection, isTransport: true, now)
    }
  }

  // MARK: - What an answer leads to

  /// By status: 1. good; 2. a wait that is told; 3. the key is not taken; 4. what may be otherwise the next time;
  /// 5. what the line itself is at fault for.
  private func complete(_ connection: BatchConnection, _ now: Instant) {
    hasAnswered = true
    connection.socket.answers += 1
    let isUsable = !connection.reader.closes && connection.state == .receiving
    switch connection.reader.status {
    case 200..<300: write(connection)  // 1
    case 429, 503: wait(connection, now)  // 2
    case 401: fault = .keyRejected  // 3
    case 408, 500...: retry(connection, isTransport: false, now)  // 4
    default: write(connection)  // 5
    }
    if !isUsable { connection.socket.close() }
  }

  /// The model's provider said when to come back: its lines wait, and the connection goes on with others'.
  private func wait(_ connection: BatchConnection, _ now: Instant) {
    var head = ResponseHead()
    let told = connection.reader.head.withBytes { raw -> Interval? in
      head.parse(raw)
      return connection.reader.body.withBytes {
        RetryHints.interval(head, in: raw, body: $0, now: Clock.now().wall)
      }
    }
    let due = now + max(.milliseconds(100), told ?? Limits.batchPause)
    if let ask = connection.ask { queue.holdBack(ask.model, until: due, now: now) }
    plan.totals.waits += 1
    putBack(connection, due: due)
  }

  /// The line is tried again a little later, unless it has had its tries.
  private func retry(_ connection: BatchConnection, isTransport: Bool, _ now: Instant) {
    if isTransport { connection.socket.close() }
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
    if connection.state == .connecting { connection.socket.close() }
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
    line.append(decimal: connection.reader.status)
    line.append(",\"request_id\":")
    var head = ResponseHead()
    connection.reader.head.withBytes { raw in
      head.parse(raw)
      let id = head.value(of: .requestID) ?? 0..<0
      line.append(jsonString: raw.extracting(id))
    }
    line.append(",\"body\":")
    connection.reader.body.withBytes { body in
      answer.read(body)
      // What is no JSON is told as a text; what is has its line ends folded, which can only stand between values.
      if answer.isJSON { line.append(onOneLine: body) } else { line.append(jsonString: body) }
    }
    line.append("},\"error\":null}\n")
    do throws(BatchFault) { try output.append(line) } catch { return fault = error }
    plan.count(connection.key, status: connection.reader.status, usage: answer.usage)
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
