internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Policy
internal import Upstream
internal import Wire

/// What is asked of a response that a provider keeps.
final class StoredRequest {
  let method: TransferMethod
  /// Behind `responses/`.
  let path: String
  /// What its attempts ask, which nobody else does.
  var targets: [TargetID] = []

  init(method: TransferMethod, path: String) {
    self.method = method
    self.path = path
  }
}

// Responses that providers keep: who made one is asked for it, and goes on with it.
extension Runner {
  /// `GET` and `DELETE /v1/responses/{id}`, `POST …/cancel`, `GET …/input_items`.
  func routeStored(
    _ connection: Connection, name: Range<Int>, _ wanted: StoredResponse, _ rest: Range<Int>, now: Moment
  ) {
    let method: TransferMethod
    switch (wanted, connection.head.method) {
    case (.itself, .get), (.inputItems, .get): method = .get
    case (.itself, .delete): method = .delete
    case (.cancellation, .post): method = .post
    case (.itself, _):
      return refuse(connection, .methodNotAllowed(allow: "GET, DELETE", isAPI: true), now: now)
    case (.inputItems, _): return refuse(connection, .methodNotAllowed(allow: "GET", isAPI: true), now: now)
    case (.cancellation, _):
      return refuse(connection, .methodNotAllowed(allow: "POST", isAPI: true), now: now)
    }
    if downstream.refusesExchanges(now: now.instant) { return refuse(connection, .draining, now: now) }
    if let refusal = refusal(of: connection) { return refuse(connection, refusal, now: now) }
    var shape = ExchangeShape(
      endpoint: .storedResponse, wantsStream: false, route: runtime.catalog.everyone,
      timeouts: runtime.configuration.timeouts)
    if let wish = connection.head.value(of: .provider) {
      shape.preference = connection.inbound.withBytes(wish) { runtime.catalog.providerIndex(named: $0) }
    }
    let path = connection.head.path
    func text(_ range: Range<Int>) -> String {
      connection.inbound.withBytes(path) { $0.extracting(range).text }
    }
    shape.response = connection.inbound.withBytes(path) {
      reader.fingerprint(ofResponse: $0.extracting(name))
    }
    begin(
      connection, .none, shape, key: nil, stored: StoredRequest(method: method, path: text(rest)),
      arrivedAt: now.instant, now)
  }

  /// A good answer of the Responses API has begun: its name leads to who made it. That of a plain answer which is too
  /// large to be held whole is not known; each provider is asked then.
  func noteMaker(
    _ run: ExchangeRun, _ attempt: Int, _ transfer: TransferID, _ verdict: Verdict, _ now: Moment
  ) {
    guard verdict == .good, run.exchange.shape.endpoint == .responses else { return }
    var name = upstream.withObserver(transfer) { $0.responseName } ?? []
    if name.isEmpty, run.exchange.state != .committed(attempt) {
      name =
        upstream.withHeld(transfer) { body -> [UInt8] in
          guard let range = answerProbe.responseName(in: body), range.upperBound <= body.count else {
            return []
          }
          return body.extracting(range).array
        } ?? []
    }
    guard !name.isEmpty, let response = reader.fingerprint(ofResponse: name.span) else { return }
    run.runtime.health.remember(
      response, madeBy: run.exchange.attempts[attempt].choice, now: now.instant)
  }
}
