internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Policy
internal import Wire

// How a complete request becomes an exchange, or one of our own pages.
extension Runner {
  func receive(_ connection: Connection, now: Moment) {
    if connection.access.isPreflight {
      answerPreflight(connection, now: now)
      return
    }
    let target = connection.access.target
    let method = connection.parser.head.method
    // An admin listener is no second way to the providers.
    if connection.isAdmin {
      guard case .page = target else {
        refuse(connection, .notFound, now: now)
        return
      }
    }
    switch target {
    case .proxy(let endpoint):
      if connection.access.isUpgrade, let pipe = endpoint.upgraded {
        route(connection, toPipe: pipe, now: now)
        return
      }
      if endpoint.isPipe {
        refuse(connection, .upgradeRequired, now: now)
        return
      }
      guard method == .post else {
        refuse(connection, .methodNotAllowed(allow: "POST"), now: now)
        return
      }
      if downstream.refusesExchanges(now: now.instant) {
        refuse(connection, .draining, now: now)
        return
      }
      route(connection, to: endpoint, now: now)
    case .stored(let name, let wanted, let rest):
      routeStored(connection, name: name, wanted, rest, now: now)
    case .page(let page, let name): answerPage(connection, page, name: name, now: now)
    case .provider(let name, let rest): passOn(connection, to: name, rest, now: now)
    case .none: refuse(connection, .notFound, now: now)
    }
  }

  /// Reads the body and starts the exchange; a large one later, in slices.
  private func route(_ connection: Connection, to endpoint: Endpoint, now: Moment) {
    let body = connection.body
    if body.count > Limits.bodySlice {
      chores.append(.reading(BodyReading(connection.id, endpoint, newReader, now: now.instant)))
      return
    }
    let facts: RequestFacts
    do throws(LocalError) {
      facts = try connection.inbound.withBytes { bytes throws(LocalError) in
        let type = bytes.extracting(connection.parser.head.value(of: .contentType) ?? 0..<0)
        return try reader.read(bytes.extracting(body), contentType: type)
      }
    } catch {
      refuse(connection, error, now: now)
      return
    }
    guard var shape = shape(connection, facts, endpoint, now) else { return }
    note(in: &shape, connection, facts, reader)
    var key: Fingerprint?
    if wantsKey(connection, facts, shape) {
      let unfinished = requestKey(connection, facts, endpoint)
      key = connection.inbound.withBytes(body) { unfinished.finish($0, reader.probe) }
    }
    let input = batchInput(connection, facts, shape)
    begin(connection, facts, shape, key: key, batchInput: input, arrivedAt: now.instant, now)
  }

  /// Where a request goes, or nil: it was refused.
  func shape(_ connection: Connection, _ facts: RequestFacts, _ endpoint: Endpoint, _ now: Moment)
    -> ExchangeShape?
  {
    if let refusal = refusal(of: connection, model: facts.model.span) {
      refuse(connection, refusal, model: facts.model, now: now)
      return nil
    }
    guard case .route(let route) = runtime.catalog.resolve(facts.model.span) else {
      refuse(connection, .modelNotFound, model: facts.model, now: now)
      return nil
    }
    var shape = ExchangeShape(
      endpoint: endpoint, wantsStream: facts.wantsStream, route: route,
      timeouts: runtime.configuration.timeouts)
    shape.estimatedTokens = facts.estimatedTokens
    shape.answerTokens = facts.answerTokens
    runtime.health.note(Day(now))
    shape.hedge = runtime.configuration.hedge
    if let wish = connection.parser.head.value(of: .provider) {
      shape.preference = connection.inbound.withBytes(wish) { runtime.catalog.providerIndex(named: $0) }
    }
    return shape
  }

  /// Notes what a request that `reader` has just read belongs to.
  func note(
    in shape: inout ExchangeShape, _ connection: Connection, _ facts: RequestFacts,
    _ reader: borrowing RequestReader
  ) {
    connection.inbound.withBytes {
      let body = $0.extracting(connection.body)
      shape.response = reader.response(continuedBy: body, at: shape.endpoint)
      shape.conversation = reader.conversation(
        of: facts, body, at: shape.endpoint, connection.parser.head, $0, client: clientName(of: connection))
    }
  }

  private func wish(_ connection: Connection, _ facts: RequestFacts, _ shape: ExchangeShape) -> Sharing.Wish {
    connection.inbound.withBytes {
      sharing.wish(connection.parser.head, $0, endpoint: shape.endpoint, facts: facts, route: shape.route)
    }
  }

  /// The answer may be another request's, or come from the cache.
  func wantsKey(_ connection: Connection, _ facts: RequestFacts, _ shape: ExchangeShape) -> Bool {
    facts.form == .json && !wish(connection, facts, shape).isNone
  }

  /// The request's key, which its body is still to be taken into.
  func requestKey(_ connection: Connection, _ facts: RequestFacts, _ endpoint: Endpoint) -> RequestKey {
    let client = clientName(of: connection)
    return connection.inbound.withBytes {
      sharing.requestKey(
        connection.parser.head, $0, endpoint: endpoint, isStream: facts.wantsStream, client: client)
    }
  }

  /// All is known of the request: it gets its answer.
  ///
  /// 1. From the cache. 2. From the exchange of an identical request. Neither costs its client anything. 3. From an
  /// exchange of its own.
  func begin(
    _ connection: Connection, _ facts: RequestFacts, _ shape: ExchangeShape, key: Fingerprint?,
    stored: StoredRequest? = nil, batchInput: BatchInput? = nil, arrivedAt: Instant, _ now: Moment
  ) {
    let body = connection.body
    if let account = connection.access.account { connection.permit = ClientPermit(account) }
    let reply = tasks.takeReply(for: connection.id)
    reply.begin(
      requestID(of: connection), trace: traceID(of: connection), endpoint: shape.endpoint, facts: facts,
      bytesIn: body.count, version: connection.parser.head.version, client: clientName(of: connection),
      exposesHeaders: runtime.configuration.exposeHeaders, now: arrivedAt)
    let wish =
      key == nil
      ? Sharing.Wish(looksUp: false, stores: false, coalesces: false) : wish(connection, facts, shape)
    if wish.looksUp, let key {
      if let entry = sharing.cache.lookup(key, now: now.instant, maxAge: wish.maxAge) {  // 1
        reply.cacheState = .hit
        reply.worth = runtime.catalog.worth(
          TokenCounts(input: entry.usage.input ?? 0, output: entry.usage.output ?? 0), of: shape.route)
        discardRequest(connection)
        tasks[connection.id].reply = reply
        replay(entry, reply, connection, now)
        return
      }
      reply.cacheState = .miss
    }
    if runs.isFull {
      refuse(connection, .overloaded, model: facts.model, now: now)
      return
    }
    let id = FollowerID(UInt64(connection.id.generation) << 32 | UInt64(UInt32(connection.id.slot)))
    var joining = sharing.flights.join(
      wish.coalesces ? key ?? sharing.uniqueKey() : sharing.uniqueKey(), follower: id)
    if case .refused = joining { joining = sharing.flights.join(sharing.uniqueKey(), follower: id) }
    switch joining {
    case .follow(let subscription):  // 2
      reply.cacheState = .coalesced
      discardRequest(connection)
      tasks[connection.id].reply = reply
      sharing.subscription(reply, at: subscription)
      pumpAll(sharing.flights.flight(of: subscription), now)
    case .lead(let subscription):  // 3
      let account = connection.access.account
      let spent = stored == nil ? spendingRefusal(of: account, shape, now: now) : nil
      if let refusal = downstream.admission.isFull ? .overloaded : spent {
        // Nobody else is in the flight yet, and no exchange.
        _ = sharing.flights.leave(subscription)
        refuse(connection, refusal, model: facts.model, now: now)
        return
      }
      var draft = takeDraft()
      composeLines(connection, into: &draft.head)
      tasks[connection.id].reply = reply
      sharing.subscription(reply, at: subscription)
      let arrival = Arrival(
        request: connection.takeRequest(), body: body, query: connection.parser.head.query,
        isShared: wish.coalesces || wish.stores, storeKey: wish.stores ? key : nil, stored: stored,
        payer: account?.spendPerDay == nil ? nil : account, estimate: estimate(shape, for: account),
        batchInput: batchInput)
      start(arrival, facts: facts, shape: shape, for: subscription, lines: draft.head, now: now)
      giveBack(draft)
    case .refused: refuse(connection, .overloaded, model: facts.model, now: now)
    }
  }

  /// The client's fields that cross, as lines ended by CRLF.
  private func composeLines(_ connection: Connection, into lines: inout ByteBuffer) {
    connection.inbound.withBytes { bytes in
      for field in connection.parser.head.fields where connection.parser.head.crosses(field, in: bytes) {
        lines.append(field, of: bytes)
      }
      if connection.parser.head.value(of: .contentType) == nil {
        lines.append("Content-Type: application/json\r\n")
      }
    }
    appendUserAgent(connection.parser.head, to: &lines)
  }

  /// Who asks, where the client does not say.
  func appendUserAgent(_ head: borrowing RequestHead, to lines: inout ByteBuffer) {
    if head.value(of: .userAgent) == nil { lines.append("User-Agent: synaxis\r\n") }
  }

  /// The client's own name of the request, or a new one.
  func requestID(of connection: Connection) -> RequestID {
    if let value = connection.parser.head.value(of: .requestID) {
      let own = connection.inbound.withBytes(value) { RequestID(client: $0) }
      if let own { return own }
    }
    return newRequestID()
  }

  func traceID(of connection: Connection) -> TraceID? {
    guard let value = connection.parser.head.value(of: .traceparent) else { return nil }
    return connection.inbound.withBytes(value) { TraceID(traceparent: $0) }
  }

  /// Drops the request's bytes, so that a pipelined one comes to the front.
  func discardRequest(_ connection: Connection) {
    connection.inbound.consume(min(connection.requestLength, connection.inbound.count))
    connection.requestLength = 0
    connection.reservation = nil
  }
}
