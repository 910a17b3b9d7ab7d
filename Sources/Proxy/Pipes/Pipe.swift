internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Policy
internal import Upstream
internal import Wire

/// What the exchange of a WebSocket has besides those of other requests.
final class Pipe {
  let connection: SlotID
  /// Where the query names the model.
  let model: QueryModel
  /// What a provider has to answer to the client's key.
  let accept: [UInt8]
  /// The client's frames, and when it last sent something.
  var frames = FrameWalk()
  var fedAt: Instant?

  init(connection: SlotID, model: QueryModel, accept: [UInt8]) {
    self.connection = connection
    self.model = model
    self.accept = accept
  }

  /// When something last went through, if the provider was last heard then.
  func last(_ heardAt: Instant?) -> Instant? {
    guard let fedAt else { return heardAt }
    return heardAt.map { max($0, fedAt) } ?? fedAt
  }
}

// WebSockets: an exchange like others until a provider has agreed (101), from then on a pipe. Each side is read only as
// far as the other has room. What goes through is not changed; frames are followed, so that one of ours, which says why
// it ends, never stands within another.
extension Runner {
  // MARK: - The request

  /// Starts the exchange of an upgrade: its model is in its query.
  func route(_ connection: Connection, toPipe endpoint: Endpoint, now: Moment) {
    if downstream.refusesExchanges(now: now.instant) {
      refuse(connection, .draining, now: now)
      return
    }
    let pipe: Pipe
    do throws(LocalError) {
      pipe = try readUpgrade(connection)
    } catch {
      refuse(connection, error, now: now)
      return
    }
    let facts = RequestFacts(model: pipe.model.name)
    guard var shape = shape(connection, facts, endpoint, now) else { return }
    if let refusal = spendingRefusal(of: connection.access.account, shape, now: now) {
      refuse(connection, refusal, model: facts.model, now: now)
      return
    }
    // A second session beside the first would be nobody's.
    shape.hedge = nil
    if runs.isFull || downstream.admission.isFull {
      refuse(connection, .overloaded, model: facts.model, now: now)
      return
    }
    begin(connection, pipe, facts, shape, now)
  }

  /// What the head of an upgrade says (RFC 6455 §4.1).
  private func readUpgrade(_ connection: Connection) throws(LocalError) -> Pipe {
    try connection.inbound.withBytes { bytes throws(LocalError) in
      guard let key = connection.head.value(of: "sec-websocket-key", in: bytes),
        WebSocket.isKey(bytes.extracting(key))
      else { throw .invalidField("Sec-WebSocket-Key", reason: "it is no key of 16 bytes in base 64") }
      guard let version = connection.head.value(of: "sec-websocket-version", in: bytes),
        bytes.extracting(version).equals("13")
      else { throw .invalidField("Sec-WebSocket-Version", reason: "it is not 13") }
      guard let model = QueryModel(bytes.extracting(connection.head.query)) else {
        throw .missingField("model")
      }
      if model.isRepeated { throw .invalidField("model", reason: "it stands twice in the query") }
      return Pipe(
        connection: connection.id, model: model,
        accept: Array(WebSocket.accept(of: bytes.extracting(key)).utf8))
    }
  }

  private func begin(
    _ connection: Connection, _ pipe: Pipe, _ facts: RequestFacts, _ shape: ExchangeShape, _ now: Moment
  ) {
    if let account = connection.access.account { connection.permit = ClientPermit(account) }
    let reply = tasks.takeReply(for: connection.id)
    reply.begin(
      requestID(of: connection), trace: traceID(of: connection), endpoint: shape.endpoint, facts: facts,
      bytesIn: 0, version: .http11, client: clientName(of: connection),
      exposesHeaders: runtime.configuration.exposeHeaders, now: now.instant)
    let id = FollowerID(UInt64(connection.id.generation) << 32 | UInt64(UInt32(connection.id.slot)))
    guard case .lead(let subscription) = sharing.flights.join(sharing.uniqueKey(), follower: id) else {
      refuse(connection, .overloaded, model: facts.model, now: now)
      return
    }
    var draft = takeDraft()
    composeUpgradeLines(connection, in: &draft)
    tasks[connection.id].reply = reply
    sharing.subscription(reply, at: subscription)
    let end = connection.head.headLength
    let arrival = Arrival(
      request: connection.takeRequest(), body: end..<end, query: connection.head.query,
      isShared: false, storeKey: nil)
    start(arrival, facts: facts, shape: shape, for: subscription, lines: draft.head, pipe: pipe, now: now)
    giveBack(draft)
  }

  /// The client's fields that cross, and its handshake's but for its key among the protocols. `draft.body` is used
  /// for those.
  private func composeUpgradeLines(_ connection: Connection, in draft: inout AnswerDraft) {
    connection.inbound.withBytes { bytes in
      for field in connection.head.fields {
        let name = bytes.extracting(field.name)
        if name.equalsIgnoringCase("sec-websocket-protocol") {
          bytes.forEachListElement(field.value) { element in
            let offered = bytes.extracting(element)
            if offered.isEmpty || offered.hasPrefix(WebSocket.keyProtocol) { return }
            if !draft.body.isEmpty { draft.body.append(", ") }
            draft.body.append(offered)
          }
        } else if connection.head.crosses(field, in: bytes)
          || name.hasPrefixIgnoringCase("sec-websocket-")
        {
          draft.head.append(field, of: bytes)
        }
      }
    }
    appendUserAgent(connection.head, to: &draft.head)
    let protocols = draft.body.withBytes { $0.array }
    if !protocols.isEmpty { draft.head.appendField("Sec-WebSocket-Protocol", protocols.span) }
  }

  // MARK: - Attempts

  /// Asks a provider for the upgrade.
  func openPipe(_ attempt: Int, _ run: ExchangeRun, _ now: Moment) {
    guard let pipe = run.pipe else { return }
    let made = run.exchange.attempts[attempt]
    var request = TransferRequest(target: target(attempt, run))
    request.race = run.race(made.round)
    request.needsFreshConnection = made.choice.needsFreshConnection
    request.isOpaque = true
    request.tag = run.tag(attempt)
    var named = ByteBuffer()
    run.withQueryAndLines { query, _ in writeQuery(query, pipe, made.choice, run, into: &named) }
    let method = Array("GET".utf8)
    run.transfers[attempt] = run.withQueryAndLines { _, lines in
      named.withBytes { query in
        upstream.open(
          request, method: method.span, behind: Span(), query: query, headerLines: lines, body: .upgrade,
          now: now.instant)
      }
    }
    run.openedAt = run.openedAt ?? Clock.instant()
  }

  /// The client's query with the model's name in the provider's spelling.
  private func writeQuery(
    _ query: Span<UInt8>, _ pipe: Pipe, _ choice: Choice, _ run: ExchangeRun,
    into out: inout ByteBuffer
  ) {
    let catalog = run.runtime.catalog
    let route = run.exchange.shape.route
    let requested = pipe.model.name
    guard catalog.needsModelSplice(choice.candidate, route: route, requested: requested.span) else {
      out.append(query)
      return
    }
    let candidate = catalog[choice.candidate]
    if candidate.isWildcard {
      pipe.model.write(query, naming: requested.span.extracting(route.passedName), into: &out)
    } else {
      let name = candidate.upstreamName
      pipe.model.write(query, naming: name.span, into: &out)
    }
  }

  /// What a 101 is worth: the provider has understood what was asked for (RFC 6455 §4.2.2).
  func handshakeVerdict(_ run: ExchangeRun, _ transfer: TransferID) -> Verdict {
    guard let wanted = run.pipe?.accept else { return .fault(.foreign) }
    let isAccepted = upstream.withHead(transfer) { response, raw -> Bool in
      guard let accept = response.value(of: "sec-websocket-accept", in: raw) else { return false }
      return raw.extracting(accept).equals(wanted.span)
    }
    return isAccepted == true ? .good : .fault(.foreign)
  }

  /// What another answer than 101 is worth: 1. whoever takes the request for one without an upgrade does not know it;
  /// 2. neither does who wants another protocol (426).
  func refusedUpgrade(_ status: Int, _ verdict: Verdict) -> Verdict {
    if verdict == .good { return .fault(.foreign) }  // 1
    return status == 426 ? .fault(.endpointMissing) : verdict  // 2
  }

  // MARK: - The pipe

  /// A provider has agreed: so do we, and from now on bytes go through.
  func commitPipe(
    _ attempt: Int, _ transfer: TransferID, _ run: ExchangeRun, _ flight: FlightID, _ now: Moment
  ) {
    guard let (subscription, reply, connection) = firstClient(of: flight) else { return }
    reply.status = 101
    reply.hasHead = true
    reply.firstByteAt = now.instant
    var draft = takeDraft()
    draft.head.append("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
    upstream.withHead(transfer) { response, raw in
      for field in response.fields where response.crosses(field, in: raw) {
        if field.known != .contentType { draft.head.append(field, of: raw) }
      }
    }
    let provider = run.exchange.attempts[attempt].choice.provider
    appendOwnFields(
      to: &draft, reply, run: run, provider: run.runtime.catalog.providers[provider].name, now)
    draft.appendAccessFields(of: connection)
    draft.head.appendHeadEnd()
    sharing.flights.headSent(subscription)
    _ = sharing.flights.goDirect(subscription)
    connection.sink.switchProtocols()
    upstream.commit(transfer, head: &draft.head, to: connection.sink, now: now.instant)
    giveBack(draft)
    run.releaseRequest()
    downstream.settle(connection, now: now.instant)
    downstream.events.append(.fed(connection.id))
  }

  /// Passes on what the client has sent, as far as there is room for it; before a provider has agreed it waits.
  ///
  /// The client's end: 1. it is gone; 2. one of the two has said that it ends (RFC 6455 §7.1.1).
  func pump(_ run: ExchangeRun, _ connection: Connection, _ now: Moment) {
    guard let reply = tasks[connection.id].reply, connection.feed != nil else { return }
    let hasEnded = connection.feed?.hasEnded == true
    guard case .committed(let attempt) = run.exchange.state, let transfer = run.transfers[attempt] else {
      if hasEnded { downstream.close(connection) }
      return
    }
    while !connection.inbound.isEmpty {
      let count = min(upstream.room(transfer), connection.inbound.count)
      if count == 0 { break }
      connection.inbound.withBytes(0..<count) { bytes in
        run.pipe?.frames.observe(bytes)
        upstream.feed(transfer, bytes, isLast: false, now: now.instant)
      }
      connection.inbound.consume(count)
      reply.bytesIn += count
      run.pipe?.fedAt = now.instant
    }
    guard hasEnded, connection.inbound.isEmpty else {
      downstream.watchFeed(connection)
      return
    }
    if hasSaidClose(run, transfer) {
      tell(run, .ended(attempt, .good, tokens: nil), now)  // 2
    } else {
      downstream.close(connection)  // 1
    }
  }

  /// One of the two has sent a frame that ends the connection: nothing is missing when it goes.
  func hasSaidClose(_ run: ExchangeRun, _ transfer: TransferID) -> Bool {
    run.pipe?.frames.sawClose == true || upstream.frames(transfer)?.sawClose == true
  }

  /// It ends before its time: both sides are told why, each where a frame may stand. Where none may, the connection's
  /// end within a frame shows it.
  func breakOffPipe(_ error: LocalError, _ run: ExchangeRun, _ flight: FlightID, _ now: Moment) {
    let isDraining = error == .draining
    guard case let transfer?? = run.transfers.last(where: { $0 != nil }) else { return }
    if let frames = upstream.frames(transfer), frames.isBetweenFrames, !frames.sawClose,
      let (_, _, connection) = firstClient(of: flight)
    {
      let frame =
        isDraining
        ? WebSocket.closeFrame(.goingAway, "This instance is shutting down", isMasked: false)
        : WebSocket.closeFrame(.internalError, "The provider is gone", isMasked: false)
      var nothing = ByteBuffer()
      connection.sink.send(&nothing, frame.span)
    }
    if isDraining, let frames = run.pipe?.frames, frames.isBetweenFrames, !frames.sawClose {
      let frame = WebSocket.closeFrame(.goingAway, "", isMasked: true)
      upstream.feed(transfer, frame.span, isLast: false, now: now.instant)
    }
  }
}
