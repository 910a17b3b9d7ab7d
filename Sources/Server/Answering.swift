internal import Base
internal import Exchange
internal import Kernel
internal import Policy
internal import Upstream
internal import Wire

// What a client is sent: a provider's answer, a comment while it waits, or an error of ours.
extension Runner {
  // MARK: - A provider's answer

  /// The answer has begun: head and held bytes go out in one write, and from then on the relay writes.
  func commit(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) {
    guard let connection = client(of: run), let transfer = run.transfers[attempt] else { return }
    run.status = run.exchange.attempts[attempt].status
    run.firstByteAt = now.instant
    scratch.removeAll()
    if !run.exchange.hasSentHead {
      let length = upstream.withHead(transfer) { raw in
        responseHead.parse(raw)
        return responseHead.contentLength(in: raw)
      }.flatMap { $0 }
      chooseFraming(run, length: length)
      composeHead(run, attempt, transfer, connection, length: length, now)
    }
    scratch.withBytes { head in
      _ = upstream.commit(transfer, head: head, to: connection.outlet, framing: run.framing, now: now.instant)
    }
    scratch.recycle(keeping: Limits.keptBuffer)
    front.settle(connection, now: now.instant)
  }

  /// A length that is known is told; else chunks where the client knows them, else the connection's end.
  private func chooseFraming(_ run: ExchangeRun, length: Int?) {
    run.framing = length == nil && !run.isHTTP10 ? .chunked : .identity
    run.isCloseDelimited = length == nil && run.isHTTP10
  }

  /// The whole answer is held: it goes out with its length.
  func relay(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) {
    guard let connection = client(of: run), let transfer = run.transfers[attempt] else { return }
    run.status = run.exchange.attempts[attempt].status
    run.firstByteAt = now.instant
    scratch.removeAll()
    let count = upstream.withHeld(transfer) { $0.count } ?? 0
    composeHead(run, attempt, transfer, connection, length: count, now)
    scratch.withBytes { head in
      _ = upstream.commit(transfer, head: head, to: connection.outlet, framing: .identity, now: now.instant)
    }
    scratch.recycle(keeping: Limits.keptBuffer)
    finishAnswer(run, connection, keepsAlive: true, now)
  }

  /// The forwarded answer is complete.
  func finish(_ run: ExchangeRun, _ now: Moment) {
    guard let connection = client(of: run) else { return }
    if run.framing == .chunked { connection.outlet.write("0\r\n\r\n" as StaticString) }
    finishAnswer(run, connection, keepsAlive: !run.isCloseDelimited, now)
  }

  private func finishAnswer(_ run: ExchangeRun, _ connection: Connection, keepsAlive: Bool, _ now: Moment) {
    run.connection = nil
    front.finishAnswer(connection, keepsAlive: keepsAlive, now: now.instant)
  }

  private func composeHead(
    _ run: ExchangeRun, _ attempt: Int, _ transfer: TransferID, _ connection: Connection, length: Int?,
    _ now: Moment
  ) {
    _ = upstream.withHead(transfer) { raw in
      responseHead.parse(raw)
      scratch.appendStatusLine(responseHead.status)
      for field in responseHead.fields where responseHead.crosses(field, in: raw) {
        scratch.appendField(raw.extracting(field.name), raw.extracting(field.value))
      }
    }
    if let length {
      scratch.appendField("Content-Length", decimal: length)
    } else if run.framing == .chunked {
      scratch.appendField("Transfer-Encoding", "chunked")
    }
    if upstream.progress(transfer)?.isEventStream == true { appendStreamFields() }
    appendOwnFields(run, provider: run.exchange.attempts[attempt].choice.provider, now)
    appendConnectionField(connection, closes: run.isCloseDelimited)
    scratch.appendHeadEnd()
  }

  /// No proxy on the way may keep or hold back an event stream (nginx heeds the second).
  private func appendStreamFields() {
    scratch.appendField("Cache-Control", "no-cache, no-transform")
    scratch.appendField("X-Accel-Buffering", "no")
  }

  /// What every answer of an exchange carries. `provider`: whose answer it is, if any's.
  private func appendOwnFields(_ run: ExchangeRun, provider: Int?, _ now: Moment) {
    scratch.appendField("X-Request-ID", run.requestID.span)
    guard run.setup.configuration.exposeHeaders else { return }
    let providers = run.setup.catalog.providers
    if let provider {
      scratch.append("X-Synaxis-Provider: ")
      scratch.append(providers[provider].name)
      scratch.append("\r\n")
    }
    if !run.exchange.attempts.isEmpty {
      scratch.append("X-Synaxis-Attempts: ")
      AttemptList.write(run.exchange, providers, now: now.instant, into: &scratch)
      scratch.append("\r\n")
    }
    let own = (run.openedAt ?? now.instant) - run.acceptedAt
    scratch.append("Server-Timing: synaxis;dur=")
    scratch.append(milliseconds: own)
    scratch.append(", upstream;dur=")
    scratch.append(milliseconds: now.instant - run.acceptedAt - own)
    scratch.append("\r\n")
  }

  // MARK: - While it waits

  /// A comment, which ends no client's waiting and shows every proxy on the way that we live.
  func sendComment(_ isFirst: Bool, _ run: ExchangeRun, _ now: Moment) {
    guard let connection = client(of: run) else { return }
    scratch.removeAll()
    if isFirst {
      run.status = 200
      chooseFraming(run, length: nil)
      scratch.appendStatusLine(200)
      scratch.appendField("Content-Type", "text/event-stream; charset=utf-8")
      if run.framing == .chunked { scratch.appendField("Transfer-Encoding", "chunked") }
      appendStreamFields()
      appendOwnFields(run, provider: nil, now)
      appendConnectionField(connection, closes: run.isCloseDelimited)
      scratch.appendHeadEnd()
    }
    page.removeAll()
    page.append(": keep-alive\n\n")
    appendPage(to: run)
    scratch.withBytes { connection.outlet.write($0) }
    front.settle(connection, now: now.instant)
  }

  /// Puts what is in `page` behind what is in `scratch`, framed as the answer is.
  private func appendPage(to run: ExchangeRun) {
    switch run.framing {
    case .chunked:
      scratch.appendChunkStart(page.count)
      page.withBytes { scratch.append($0) }
      scratch.appendChunkEnd()
    case .identity: page.withBytes { scratch.append($0) }
    }
  }

  // MARK: - Errors

  /// An error instead of an answer.
  func answerError(_ error: LocalError, _ run: ExchangeRun, _ now: Moment) {
    guard let connection = client(of: run) else { return }
    run.status = error.row.status
    page.removeAll()
    var text = ErrorText(error)
    text.model = run.facts.model
    text.write(run: run, now: now.instant, into: &page)
    scratch.removeAll()
    scratch.appendStatusLine(error.row.status)
    scratch.appendField("Content-Type", "application/json")
    scratch.appendField("Content-Length", decimal: page.count)
    appendOwnFields(run, provider: nil, now)
    appendRetryAfter(error)
    appendConnectionField(connection, closes: error.row.closes)
    scratch.appendHeadEnd()
    page.withBytes { scratch.append($0) }
    scratch.withBytes { connection.outlet.write($0) }
    scratch.recycle(keeping: Limits.keptBuffer)
    finishAnswer(run, connection, keepsAlive: !error.row.closes, now)
  }

  /// The answer cannot be finished: a stream is told so by one event and ends without `[DONE]`; any other
  /// answer's connection is closed, so that its length shows the cut.
  func breakOff(_ error: LocalError, _ run: ExchangeRun, _ now: Moment) {
    guard let connection = client(of: run) else { return }
    guard isStreaming(run) else {
      finishAnswer(run, connection, keepsAlive: false, now)
      return
    }
    page.removeAll()
    // An event that was cut in the middle is ended first, or ours would be a part of it.
    if !endsBetweenEvents(run) { page.append("\n\n") }
    var text = ErrorText(error)
    text.model = run.facts.model
    text.writeEvent(run: run, now: now.instant, into: &page)
    scratch.removeAll()
    appendPage(to: run)
    if run.framing == .chunked { scratch.appendLastChunk() }
    scratch.withBytes { connection.outlet.write($0) }
    finishAnswer(run, connection, keepsAlive: !run.isCloseDelimited, now)
  }

  private func isStreaming(_ run: ExchangeRun) -> Bool {
    if run.exchange.hasSentHead { return true }
    for case let transfer? in run.transfers {
      if upstream.progress(transfer)?.isEventStream == true { return true }
    }
    return false
  }

  private func endsBetweenEvents(_ run: ExchangeRun) -> Bool {
    for case let transfer? in run.transfers {
      if let ends = upstream.withObserver(transfer, { $0.endsBetweenEvents }) { return ends }
    }
    return true
  }

  /// Answers a request that never became an exchange.
  func refuse(_ connection: Connection, _ error: LocalError, model: [UInt8] = [], now: Moment) {
    let isReadable = connection.requestLength > 0
    let id = isReadable ? requestID(of: connection) : newRequestID()
    var text = ErrorText(error)
    text.model = model
    text.nearest = model.isEmpty ? [] : setup.catalog.nearest(to: model.span)
    page.removeAll()
    text.write(run: nil, now: now.instant, into: &page)
    scratch.removeAll()
    scratch.appendStatusLine(error.row.status)
    scratch.appendField("Content-Type", "application/json")
    scratch.appendField("Content-Length", decimal: page.count)
    scratch.appendField("X-Request-ID", id.span)
    if case .methodNotAllowed(let allow) = error { scratch.appendField("Allow", allow) }
    if error.row.status == 401 { scratch.appendField("WWW-Authenticate", "Bearer") }
    appendRetryAfter(error)
    appendConnectionField(connection, closes: error.row.closes)
    scratch.appendHeadEnd()
    if connection.parser.head.method != .head { page.withBytes { scratch.append($0) } }
    scratch.withBytes { connection.outlet.write($0) }
    metrics.record(refusal: error.row.code)
    log.refusal(connection, error, id: id, now: now)
    discardRequest(connection)
    front.finishAnswer(connection, keepsAlive: !error.row.closes, now: now.instant)
  }

  private func appendRetryAfter(_ error: LocalError) {
    if let time = error.retryAfter {
      scratch.appendField("Retry-After", decimal: Int(max(1, time.wholeSecondsUp)))
    }
  }

  func client(of run: ExchangeRun) -> Connection? { run.connection.flatMap { front.connection($0) } }
}

extension ResponseHead {
  /// The length that the provider announced, where it is one number.
  func contentLength(in raw: Span<UInt8>) -> Int? {
    guard let value = value(of: "content-length", in: raw) else { return nil }
    return raw.extracting(value).decimal.map { Int($0) }
  }
}

extension ByteBuffer {
  /// Milliseconds with two digits behind the point.
  mutating func append(milliseconds interval: Interval) {
    let hundredths = max(0, interval.nanoseconds) / 10_000
    append(decimal: hundredths / 100)
    append(UInt8(ascii: "."))
    append(UInt8(48 + hundredths / 10 % 10))
    append(UInt8(48 + hundredths % 10))
  }
}
