internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
internal import Policy
internal import Upstream
internal import Wire

// `/providers/NAME/…`: bytes go through in both directions, each as fast as the other side takes them. What waits is
// bounded: `Limits.passing` from the client, `Limits.outgoing` for the provider, and an answer's by its output.
extension Runner {
  // MARK: - The request

  /// Passes a request on to a provider, or refuses it: 1. it comes too late; 2. nobody has that name; 3. the client is
  /// known no more, or has not finished others; 4. it may use some models only, and the provider's API knows no such
  /// bound; 5. the provider is not open to this; 6. the path could lead out of the provider's own; 7. there are as many
  /// exchanges as may be, and what is not read cannot wait in line.
  func passOn(_ connection: Connection, to name: Range<Int>, _ rest: Range<Int>, now: Moment) {
    let start = connection.parser.head.path.lowerBound
    let rest = start + rest.lowerBound..<start + rest.upperBound
    var provider: Int?
    var decoded = ByteBuffer()
    connection.inbound.withBytes(start + name.lowerBound..<start + name.upperBound) {
      PercentEncoding.decode($0, into: &decoded)
    }
    decoded.withBytes { provider = runtime.catalog.providerIndex(named: $0) }
    let account = connection.access.account
    var refusal: LocalError?
    if downstream.refusesExchanges(now: now.instant) {  // 1
      refusal = .draining
    } else if provider == nil {  // 2
      refusal = .providerNotFound
    } else if let account, runtime.gate.index(of: account) == nil {  // 3
      refusal = .invalidKey
    } else if let account, account.isBusy {
      refusal = .clientRateLimited(.seconds(1))
    } else if let account, !account.models.isEmpty {  // 4
      refusal = .rawNotAllowed
    } else if let provider, !runtime.catalog.providers[provider].isRaw {  // 5
      refusal = .rawOff
    } else if let fault = connection.inbound.withBytes(rest, { RawPath.fault(in: $0) }) {  // 6
      refusal = .invalidField("path", reason: fault)
    } else if connection.parser.head.framing == .length(Int.max) {
      refusal = .requestTooLarge(limit: Int.max)
    }
    var permit = refusal == nil ? downstream.admission.enterAtOnce() : nil
    if refusal == nil, permit == nil { refusal = .overloaded }  // 7
    if let refusal {
      connection.feed = nil
      downstream.refuseUnread(connection, refusal)
      return
    }
    guard let provider else { return }
    if let account { connection.permit = ClientPermit(account) }
    var draft = takeDraft()
    composePassedLines(connection, into: &draft.head)
    let passing = draft.head.withBytes { lines in
      Passing(
        connection, runtime: runtime, provider: provider, rest: rest, lines: lines,
        requestID: requestID(of: connection), trace: traceID(of: connection),
        client: clientName(of: connection),
        now: now.instant)
    }
    giveBack(draft)
    passing.permit = permit.take()
    discardRequest(connection)
    tasks[connection.id].passing = passing
    open(passing, now)
    fed(passing, now)
    passingTimers.arm(Int(connection.id.slot), at: now.instant + idleTime(of: passing))
  }

  /// The client's fields that cross. How the body is encoded is between the client and the provider.
  private func composePassedLines(_ connection: Connection, into lines: inout ByteBuffer) {
    connection.inbound.withBytes { bytes in
      for field in connection.parser.head.fields
      where connection.parser.head.crosses(field, in: bytes) || field.known == .contentEncoding {
        lines.append(field, of: bytes)
      }
    }
    appendUserAgent(connection.parser.head, to: &lines)
  }

  /// Asks the provider. A request that must not be repeated takes a connection that is known to stand.
  private func open(_ passing: Passing, _ now: Moment) {
    var request = TransferRequest(
      target: passing.runtime.target(provider: passing.provider, key: 0, path: .raw))
    request.needsFreshConnection = !passing.isSafe || passing.isSecondTry
    request.isOpaque = true
    let (method, rest, query, lines) = (passing.method, passing.rest, passing.query, passing.lines)
    let transfer = upstream.open(
      request, method: method.span, behind: rest.span, query: query.span, headerLines: lines.span,
      body: passing.body, now: now.instant)
    passing.transfer = transfer
    passings[transfer] = passing
  }

  /// Passes on what the client has sent, as far as there is room for it.
  ///
  /// 1. It is no body. 2. All is passed on: what comes now is another request. 3. The client is gone before its end.
  func fed(_ passing: Passing, _ now: Moment) {
    guard let connection = downstream.connection(passing.connection), connection.feed != nil else { return }
    var isOver = connection.feed?.isOver ?? true
    while !isOver, !connection.inbound.isEmpty || connection.feed?.isWhole == true {
      let room = passing.transfer.map { upstream.room($0) } ?? 0
      if room == 0 { break }
      let isPassed = connection.inbound.withBytes { bytes -> Int? in
        guard let (piece, taken) = connection.feed?.next(bytes, most: room) else { return nil }
        isOver = connection.feed?.isOver ?? true
        if let transfer = passing.transfer, isOver || !piece.isEmpty {
          upstream.feed(transfer, bytes.extracting(piece), isLast: isOver, now: now.instant)
          passing.fedAt = now.instant
        }
        return taken
      }
      guard let taken = isPassed else {
        breakOff(passing, .malformed("the chunks of the body are malformed"), now)  // 1
        return
      }
      connection.inbound.consume(taken)
    }
    passing.bytesIn = connection.feed?.bytes ?? passing.bytesIn
    if isOver {  // 2
      connection.feed = nil
      if connection.isHalfClosed { connection.askWhetherPeerReads() }
    } else if connection.feed?.hasEnded == true, connection.inbound.isEmpty {  // 3
      downstream.close(connection)
      return
    }
    downstream.watchFeed(connection)
  }

  /// The client's socket has taken all that waited for it.
  func drained(_ passing: Passing, _ now: Moment) {
    if let transfer = passing.transfer { upstream.resume(transfer, now: now.instant) }
  }

  /// Its connection is closed.
  func clientLeft(_ passing: Passing, _ now: Moment) { conclude(passing, Ending.clientLeft.word, now) }

  // MARK: - The answer

  /// What happened to a request that was passed on.
  func follow(_ passing: Passing, _ event: TransferEvent, now: Moment) {
    guard let connection = downstream.connection(passing.connection), tasks[connection.id].passing === passing
    else {
      return
    }
    // Who has just been closed is told of in the same turn.
    if case .closed = connection.state { return }
    switch event.fact {
    case .connected:
      if passing.expectsContinue, connection.feed != nil, connection.inbound.isEmpty {
        connection.output.write("HTTP/1.1 100 Continue\r\n\r\n" as StaticString)
      }
      passing.expectsContinue = false
      fed(passing, now)
    case .roomy: fed(passing, now)
    case .head(let status): commit(passing, status, event.transfer, connection, now)
    case .blocked: downstream.settle(connection, now: now.instant)
    case .ended(let outcome): ended(passing, outcome, event.transfer, connection, now)
    case .content, .heldFull, .recorded: break
    }
  }

  /// The head goes out, and from now on what comes follows it by itself.
  private func commit(
    _ passing: Passing, _ status: Int, _ transfer: TransferID, _ connection: Connection, _ now: Moment
  ) {
    passing.status = status
    passing.hasHead = true
    var draft = takeDraft()
    draft.begin(status)
    upstream.withHead(transfer) { response, raw in
      for field in response.fields where response.crosses(field, in: raw) {
        draft.head.append(field, of: raw)
      }
      if let id = response.value(of: .requestID) {
        draft.head.appendField("X-Upstream-Request-ID", raw.extracting(id))
      }
      let length = response.contentLength(in: raw)
      let hasBody = status != 204 && status != 304 && !passing.isHead
      if hasBody, length == nil {
        passing.isCloseDelimited = passing.version == .http10
        if passing.version == .http11 { passing.framing = .chunked }
      }
      // The length of what HEAD would bring is told too.
      draft.appendLength(status == 204 ? nil : length, passing.framing)
    }
    appendPassedFields(of: passing, to: &draft)
    end(&draft, connection, closes: passing.isCloseDelimited)
    draft.head.withBytes { head in
      _ = upstream.commit(
        transfer, head: head, to: connection.output, framing: passing.framing, now: now.instant)
    }
    giveBack(draft)
    downstream.settle(connection, now: now.instant)
  }

  private func appendPassedFields(of passing: Passing, to draft: inout AnswerDraft) {
    draft.head.appendField("X-Request-ID", passing.requestID.span)
    if passing.runtime.configuration.exposeHeaders { draft.appendText("X-Synaxis-Provider", passing.name) }
  }

  /// 1. The answer is complete. 2. A pooled connection was dead, and nobody minds a second try. 3. It cannot be finished.
  private func ended(
    _ passing: Passing, _ outcome: TransferOutcome, _ transfer: TransferID, _ connection: Connection,
    _ now: Moment
  ) {
    guard let fault = outcome.fault else {  // 1
      if passing.framing == .chunked { connection.output.write("0\r\n\r\n" as StaticString) }
      let isRead = connection.feed == nil
      conclude(passing, Ending.complete.word, now)
      finishAnswer(connection, keepsAlive: isRead && !passing.isCloseDelimited, now: now.instant)
      return
    }
    let isStale = fault == .reusedConnectionDied || fault == .refusedStream
    if isStale, passing.isSafe, !passing.isSecondTry, !passing.hasHead {  // 2
      passing.isSecondTry = true
      letGo(passing)
      open(passing, now)
      return
    }
    breakOff(passing, passing.hasHead ? .upstreamCut : .providerFailed, now)  // 3
  }

  /// It cannot be finished: an error where the head is not out, else the connection's end shows it.
  func breakOff(_ passing: Passing, _ error: LocalError, _ now: Moment) {
    guard let connection = downstream.connection(passing.connection) else { return }
    let words = passing.transfer.map { upstream.message($0) } ?? ""
    let hasHead = passing.hasHead
    if hasHead { connection.lane?.isCut = true } else { sendError(error, words, passing, connection) }
    let isRead = connection.feed == nil
    conclude(passing, error.row.code, words: error == .providerFailed ? words : "", now)
    finishAnswer(
      connection, keepsAlive: isRead && !hasHead && !error.row.closes, now: now.instant)
  }

  private func sendError(
    _ error: LocalError, _ words: String, _ passing: Passing, _ connection: Connection
  ) {
    passing.status = error.row.status
    var text = ErrorText(error)
    text.provider = passing.name
    text.words = words
    var draft = takeDraft()
    text.write(of: nil, now: passing.startedAt, into: &draft.body)
    draft.begin(error.row.status, type: "application/json")
    draft.appendLength(Int64(draft.body.count), .identity)
    appendPassedFields(of: passing, to: &draft)
    draft.appendErrorFields(error)
    end(&draft, connection, closes: error.row.closes || connection.feed != nil)
    if passing.isHead { draft.body.removeAll() }
    draft.write(to: connection.output, .identity)
    giveBack(draft)
  }

  // MARK: - The end

  private func idleTime(of passing: Passing) -> Interval {
    passing.runtime.catalog.providers[passing.provider].streamIdle(passing.runtime.configuration.timeouts)
  }

  /// Looks how long nothing has gone through. A client that does not read is looked after by its own connection.
  func passingDue(_ place: Int, _ now: Moment) {
    guard let connection = downstream.connections[place], let passing = tasks[connection.id].passing,
      let transfer = passing.transfer, let progress = upstream.progress(transfer)
    else { return }
    var last = max(passing.fedAt, progress.connectedAt ?? now.instant, progress.lastContentAt ?? .distantPast)
    if progress.isPaused { last = now.instant }
    let due = last + idleTime(of: passing)
    if due > now.instant {
      passingTimers.arm(place, at: due)
    } else if connection.feed != nil, connection.inbound.isEmpty {
      breakOff(passing, .requestTimeout, now)
    } else {
      breakOff(passing, passing.hasHead ? .upstreamStalled : .providerStalled, now)
    }
  }

  /// Gives the transfer up, or back.
  private func letGo(_ passing: Passing) {
    guard let transfer = passing.transfer else { return }
    passing.transfer = nil
    passings[transfer] = nil
    upstream.cancel(transfer)
  }

  /// The one place where it ends: its log line.
  private func conclude(_ passing: Passing, _ end: StaticString, words: String = "", _ now: Moment) {
    let connection = downstream.connection(passing.connection)
    tasks[passing.connection].passing = nil
    connection?.feed = nil
    passingTimers.disarm(Int(passing.connection.slot))
    let bytesOut = passing.transfer.flatMap { upstream.progress($0)?.forwarded } ?? 0
    let record = passing.record(end: end, reason: words, bytesOut: bytesOut, now: now.instant)
    let isLogged: Void? = passing.transfer.flatMap { transfer in
      upstream.withHead(transfer) { response, raw in
        log.passed(record, upstreamID: raw.extracting(response.requestID(in: raw)))
      }
    }
    if isLogged == nil { log.passed(record, upstreamID: Span()) }
    letGo(passing)
    passing.permit = nil
    metrics.record(passedTo: passing.name, end: end)
  }
}
