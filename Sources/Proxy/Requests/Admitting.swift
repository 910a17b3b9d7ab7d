package import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
internal import Policy
internal import Upstream
internal import Wire

// What gate and admission mean for requests that have come in, and for their answers.
extension Runner {
  /// Nil where the request may become an exchange: 1. its client was not taken out of the file meanwhile and
  /// has not begun too many others since its head came; 2. it may use this model.
  func refusal(of connection: Connection, model: Span<UInt8>) -> LocalError? {
    if let refusal = refusal(of: connection) { return refusal }  // 1
    guard let account = connection.access.account else { return nil }
    return account.mayUse(model, of: runtime.catalog) ? nil : .modelNotAllowed  // 2
  }

  /// As above, where it is about no model.
  func refusal(of connection: Connection) -> LocalError? {
    guard let account = connection.access.account else { return nil }
    if runtime.gate.index(of: account) == nil { return .invalidKey }
    return account.isBusy ? .clientRateLimited(.seconds(1)) : nil
  }

  /// The client's name in the configuration, for log, metrics and the cache's key.
  func clientName(of connection: Connection) -> String? {
    connection.access.account.flatMap { runtime.gate.index(of: $0) }.map {
      runtime.configuration.clients[$0].name
    }
  }

  /// Starts an exchange that has been given its run, or lets it wait for its turn. There is a place in the line:
  /// the caller has looked.
  func admit(_ run: ExchangeRun, for connection: SlotID, now: Moment) {
    run.reservation = downstream.connection(connection)?.reservation.take()
    run.permit = downstream.admission.enter(run.id)
    if run.permit?.isWaiting == true {
      timers.arm(Int(run.id.slot), at: run.exchange.nextDue)
    } else {
      begin(run, now)
    }
  }

  private func begin(_ run: ExchangeRun, _ now: Moment) {
    if !joins(run, now) { tell(run, .started, now) }
  }

  /// Starts the first in line for whom there is room now. False where there is none.
  package func startNext(now: Moment) -> Bool {
    guard let id = downstream.admission.next else { return false }
    guard let run = runs[id] else { preconditionFailure("who leaves gives its place in the line back") }
    run.permit?.begin()
    begin(run, now)
    return true
  }

  /// Now and then looks how many bytes answers, pages and requests that have only begun hold, where that could make a
  /// difference.
  func measureAnswers(now: Instant) {
    let connections = downstream.connections.count
    let exchanges = runs.count + batches.sent.count * (Limits.gatheredAnswer / Limits.held)
    guard downstream.admission.wantsMeasure(exchanges: exchanges, connections: connections, now: now) else {
      return
    }
    var bytes = 0
    for place in runs.places {
      guard let run = runs[place], run.batchInput?.attempt == nil else { continue }
      for case let transfer? in run.transfers { bytes += upstream.kept(transfer) }
    }
    for transfer in batches.sent.keys { bytes += upstream.kept(transfer) }
    for place in downstream.connections.places {
      guard let connection = downstream.connections[place] else { continue }
      bytes += connection.bytesUncounted
    }
    bytes += sharing.flights.bytes
    downstream.admission.measured(answers: bytes, now: now)
  }

  // MARK: - Preflights

  /// Tells a browser that a page of an allowed origin may ask (Fetch standard, CORS-preflight fetch).
  func answerPreflight(_ connection: Connection, now: Moment) {
    let id = requestID(of: connection)
    var draft = takeDraft()
    draft.begin(204)
    draft.head.appendField("X-Request-ID", id.span)
    draft.head.appendField("Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE")
    connection.inbound.withBytes { bytes in
      if let fields = connection.head.value(of: .accessControlRequestHeaders),
        fields.count <= Limits.preflightFields
      {
        draft.head.appendField("Access-Control-Allow-Headers", bytes.extracting(fields))
      }
      // Private Network Access: a page of the public web asks for a server of the local one.
      if connection.head.value(of: "access-control-request-private-network", in: bytes) != nil {
        draft.head.appendField("Access-Control-Allow-Private-Network", "true")
      }
    }
    draft.head.appendField("Access-Control-Max-Age", "600")
    draft.head.appendField("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
    draft.appendFraming(for: connection, length: nil, hasBody: false)
    end(&draft, connection)
    draft.send(to: connection)
    giveBack(draft)
    log.page(status: 204, id: id)
    discardRequest(connection)
    finishAnswer(connection, now: now.instant)
  }
}
