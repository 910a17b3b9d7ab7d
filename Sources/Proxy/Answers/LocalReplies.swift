internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
internal import Policy
internal import Upstream
internal import Wire

// What a client is sent besides a provider's bytes: comments while it waits, and errors of ours.
extension Runner {
  // MARK: - While it waits

  /// A comment to every client that waits: it ends nobody's waiting, and shows every proxy on the way that we
  /// live.
  func sendComment(_ run: ExchangeRun, _ now: Moment) {
    guard let flight = run.flight else { return }
    var next = sharing.flights.firstSubscription(of: flight)
    while let subscription = next {
      next = sharing.flights.subscription(after: subscription)
      guard let reply = sharing.reply(at: subscription),
        let connection = downstream.connection(reply.connection)
      else {
        continue
      }
      scratch.removeAll()
      if !reply.hasHead { composeWaitingHead(reply, connection, run, now) }
      page.removeAll()
      page.append(": keep-alive\n\n")
      writePage(reply, connection)
      downstream.settle(connection, now: now.instant)
    }
  }

  private func composeWaitingHead(_ reply: Reply, _ connection: Connection, _ run: ExchangeRun, _ now: Moment)
  {
    reply.status = 200
    reply.chooseFraming(length: nil)
    reply.isStream = true
    reply.hasHead = true
    scratch.appendStatusLine(200)
    scratch.appendField("Content-Type", "text/event-stream; charset=utf-8")
    appendLength(reply, nil)
    appendStreamFields()
    appendOwnFields(reply, run: run, provider: nil, now)
    appendConnectionField(connection, closes: reply.isCloseDelimited)
    scratch.appendHeadEnd()
  }

  /// Sends what is in `scratch`, and `page` behind it, framed as the answer is.
  func writePage(_ reply: Reply, _ connection: Connection) {
    switch reply.framing {
    case .chunked:
      scratch.appendChunkStart(page.count)
      page.withBytes { scratch.append($0) }
      scratch.appendChunkEnd()
    case .identity: page.withBytes { scratch.append($0) }
    }
    scratch.withBytes { connection.output.write($0) }
    scratch.recycle(keeping: Limits.keptBuffer)
    page.recycle(keeping: Limits.keptBuffer)
  }

  // MARK: - Errors

  /// An error instead of an answer.
  func sendError(
    _ error: LocalError, _ reply: Reply, _ connection: Connection, run: ExchangeRun?, _ now: Moment
  ) {
    reply.status = error.row.status
    reply.hasHead = true
    page.removeAll()
    var text = ErrorText(error)
    text.model = reply.model
    text.write(of: run?.record, now: now.instant, into: &page)
    scratch.removeAll()
    scratch.appendStatusLine(error.row.status)
    scratch.appendField("Content-Type", "application/json")
    scratch.appendField("Content-Length", decimal: page.count)
    appendOwnFields(reply, run: run, provider: nil, now)
    appendRetryAfter(error)
    appendConnectionField(connection, closes: error.row.closes)
    scratch.appendHeadEnd()
    reply.framing = .identity
    writePage(reply, connection)
  }

  /// An error inside a stream that has begun, and the stream's end, without `[DONE]`.
  func sendErrorEvent(
    _ error: LocalError, _ reply: Reply, _ connection: Connection, run: ExchangeRun?, isBetweenEvents: Bool,
    _ now: Moment
  ) {
    page.removeAll()
    if !isBetweenEvents { page.append("\n\n") }
    var text = ErrorText(error)
    text.model = reply.model
    text.writeEvent(reply.endpoint.errorDialect, of: run?.record, now: now.instant, into: &page)
    scratch.removeAll()
    writePage(reply, connection)
    if reply.framing == .chunked { connection.output.write("0\r\n\r\n" as StaticString) }
  }

  /// Answers a request that never became an exchange.
  func refuse(_ connection: Connection, _ error: LocalError, model: [UInt8] = [], now: Moment) {
    // What nobody has read of a body would be taken for the next request.
    if connection.feed?.isOver == false, !connection.access.isUpgrade { connection.keepsAlive = false }
    connection.feed = nil
    let isReadable = connection.requestLength > 0
    let id = isReadable ? requestID(of: connection) : newRequestID()
    var text = ErrorText(error)
    text.model = model
    if error == .modelNotFound, !model.isEmpty {
      let account = connection.access.account
      text.nearest = runtime.catalog.nearest(to: model.span) {
        account?.mayUse($0, of: runtime.catalog) ?? true
      }
      text.leftOut = runtime.catalog.leftOut(serving: model.span)
    }
    page.removeAll()
    text.write(of: nil, now: now.instant, into: &page)
    scratch.removeAll()
    scratch.appendStatusLine(error.row.status)
    scratch.appendField("Content-Type", "application/json")
    scratch.appendField("Content-Length", decimal: page.count)
    scratch.appendField("X-Request-ID", id.span)
    if error == .upgradeRequired { scratch.appendField("Upgrade", "websocket") }
    if case .methodNotAllowed(let allow) = error { scratch.appendField("Allow", allow) }
    // What would have been taken (RFC 9110 §12.5.3).
    if error == .unsupportedEncoding { scratch.appendField("Accept-Encoding", "identity") }
    if error.row.status == 401 { scratch.appendField("WWW-Authenticate", "Bearer") }
    appendRetryAfter(error)
    appendConnectionField(connection, closes: error.row.closes)
    scratch.appendHeadEnd()
    if connection.parser.head.method != .head { page.withBytes { scratch.append($0) } }
    scratch.withBytes { connection.output.write($0) }
    metrics.record(refusal: error.row.code)
    connection.inbound.withBytes {
      log.refusal(
        text, id: id, client: isReadable ? clientName(of: connection) : nil,
        path: isReadable ? connection.parser.head.path : nil, host: connection.parser.head.host,
        origin: connection.parser.head.value(of: .origin), in: $0, now: now)
    }
    discardRequest(connection)
    finishAnswer(connection, keepsAlive: !error.row.closes, now: now.instant)
  }

  /// The one place where a client's answer ends: its log line, and the connection's next step. `word`: as for
  /// `record`.
  func finish(
    _ reply: Reply, _ connection: Connection, run: ExchangeRun?, word: StaticString? = nil, keepsAlive: Bool,
    _ now: Moment
  ) {
    reply.source = .over
    tasks[connection.id].reply = nil
    record(reply, run: run, word: word, now)
    tasks.giveBack(reply)
    finishAnswer(connection, keepsAlive: keepsAlive, now: now.instant)
  }

  /// All of an answer is with its connection: the client's task is over, and the connection goes on.
  func finishAnswer(_ connection: Connection, keepsAlive: Bool, now: Instant) {
    _ = tasks.end(connection.id)
    downstream.finishAnswer(connection, keepsAlive: keepsAlive, now: now)
  }

  /// What is kept of a reply that is over. `word`: how it ended, where not as its exchange did.
  func record(_ reply: Reply, run: ExchangeRun?, word: StaticString?, _ now: Moment) {
    let record = reply.record(
      run, word: word, overhead: overhead(of: reply, run: run), now: now.instant)
    let transfer = run?.transfers.last { $0 != nil } ?? nil
    let isLogged: Void? = transfer.flatMap { transfer in
      withResponseHead(transfer) { raw in
        log.exchange(record, upstreamID: raw.extracting(responseHead.requestID(in: raw)), now: now)
      }
    }
    if isLogged == nil { log.exchange(record, upstreamID: Span(), now: now) }
    metrics.record(record)
    activity.record(record, now: now)
  }
}
