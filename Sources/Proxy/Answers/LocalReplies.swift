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
    var draft = takeDraft()
    draft.body.append(": keep-alive\n\n")
    var next = sharing.flights.firstSubscription(of: flight)
    while let subscription = next {
      next = sharing.flights.subscription(after: subscription)
      guard let reply = sharing.reply(at: subscription),
        let connection = downstream.connection(reply.connection)
      else {
        continue
      }
      if !reply.hasHead { composeWaitingHead(&draft, reply, connection, run, now) }
      draft.write(to: connection.output, reply.framing)
      downstream.settle(connection, now: now.instant)
    }
    giveBack(draft)
  }

  private func composeWaitingHead(
    _ draft: inout AnswerDraft, _ reply: Reply, _ connection: Connection, _ run: ExchangeRun, _ now: Moment
  ) {
    reply.status = 200
    reply.chooseFraming(length: nil)
    reply.isStream = true
    reply.hasHead = true
    draft.begin(200, type: "text/event-stream; charset=utf-8")
    draft.appendLength(nil, reply.framing)
    draft.appendStreamFields()
    appendOwnFields(to: &draft, reply, run: run, provider: nil, now)
    end(&draft, connection, closes: reply.isCloseDelimited)
  }

  // MARK: - Errors

  /// An error instead of an answer.
  func sendError(
    _ error: LocalError, _ reply: Reply, _ connection: Connection, run: ExchangeRun?, _ now: Moment
  ) {
    reply.status = error.row.status
    reply.hasHead = true
    reply.framing = .identity
    var text = ErrorText(error)
    text.model = reply.model
    var draft = takeDraft()
    text.write(of: run?.record, now: now.instant, into: &draft.body)
    draft.begin(error.row.status, type: "application/json")
    draft.appendLength(Int64(draft.body.count), .identity)
    appendOwnFields(to: &draft, reply, run: run, provider: nil, now)
    draft.appendErrorFields(error)
    end(&draft, connection, closes: error.row.closes)
    draft.write(to: connection.output, .identity)
    giveBack(draft)
  }

  /// An error inside a stream that has begun, and the stream's end, without `[DONE]`.
  func sendErrorEvent(
    _ error: LocalError, _ reply: Reply, _ connection: Connection, run: ExchangeRun?, isBetweenEvents: Bool,
    _ now: Moment
  ) {
    var draft = takeDraft()
    if !isBetweenEvents { draft.body.append("\n\n") }
    var text = ErrorText(error)
    text.model = reply.model
    text.writeEvent(
      reply.endpoint.errorDialect, of: run?.record, now: now.instant, into: &draft.body)
    draft.write(to: connection.output, reply.framing)
    giveBack(draft)
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
    var draft = takeDraft()
    text.write(of: nil, now: now.instant, into: &draft.body)
    draft.begin(error.row.status, type: "application/json")
    draft.appendLength(Int64(draft.body.count), .identity)
    draft.head.appendField("X-Request-ID", id.span)
    draft.appendErrorFields(error)
    end(&draft, connection, closes: error.row.closes)
    if connection.parser.head.method == .head { draft.body.removeAll() }
    draft.write(to: connection.output, .identity)
    giveBack(draft)
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
      upstream.withHead(transfer) { response, raw in
        log.exchange(record, upstreamID: raw.extracting(response.requestID(in: raw)), now: now)
      }
    }
    if isLogged == nil { log.exchange(record, upstreamID: Span(), now: now) }
    metrics.record(record)
    activity.record(record, now: now)
  }
}
