internal import Base
internal import Downstream
internal import Exchange
internal import Observability
internal import Policy
internal import Upstream
internal import Wire

/// One request for a provider's own API, which is passed on as it is while it comes: no exchange, no second provider.
///
/// It lives from the end of the request's head to the end of the answer, or until either side is gone.
final class Passing {
  let connection: SlotID
  let runtime: RuntimeConfiguration
  /// Its place among the providers.
  let provider: Int
  let requestID: RequestID
  let trace: TraceID?
  let client: String?
  let startedAt: Instant
  let method: [UInt8]
  /// Behind the provider's own path, and behind the `?`.
  let rest: [UInt8]
  let query: [UInt8]
  /// The client's fields that cross, each ended by CRLF.
  let lines: [UInt8]
  let body: FedBody
  let isHead: Bool
  /// Nobody minds if it is asked twice: a pooled connection that turns out to be dead is tried first.
  let isSafe: Bool
  var expectsContinue: Bool

  /// Its turn among the exchanges.
  var permit: AdmissionPermit?
  var transfer: TransferID?
  var isSecondTry = false
  /// The answer's head is out.
  var hasHead = false
  var status = 0
  /// When the provider was last given something of the body.
  var fedAt: Instant
  var bytesIn: UInt64 = 0

  /// What is kept of it when it is over. `reason`: in words why it did not end well.
  func record(end: StaticString, reason: String, bytesOut: UInt64, now: Instant) -> PassedRecord {
    var record = PassedRecord(
      id: requestID, trace: trace, client: client, provider: name, method: method, path: rest)
    record.status = status
    record.end = end
    record.reason = reason
    record.total = now - startedAt
    record.bytesIn = bytesIn
    record.bytesOut = bytesOut
    return record
  }

  var name: String { runtime.catalog.providers[provider].name }

  init(
    _ connection: Connection, runtime: RuntimeConfiguration, provider: Int, rest: Range<Int>,
    lines: Span<UInt8>,
    requestID: RequestID, trace: TraceID?, client: String?, now: Instant
  ) {
    func copy(_ range: Range<Int>) -> [UInt8] {
      connection.inbound.withBytes(range) { $0.array }
    }
    self.connection = connection.id
    self.runtime = runtime
    self.provider = provider
    self.requestID = requestID
    self.trace = trace
    self.client = client
    startedAt = now
    fedAt = now
    method = copy(connection.head.methodName)
    self.rest = copy(rest)
    query = copy(connection.head.query)
    self.lines = lines.array
    switch connection.head.framing {
    case .length(let length): body = .length(length)
    case .chunked: body = .chunked
    case .none:
      switch connection.head.method {
      case .post, .put, .patch: body = .length(0)
      case .get, .head, .delete, .options, .other: body = .none
      }
    }
    isHead = connection.head.method == .head
    isSafe = body == .none && (connection.head.method == .get || isHead)
    expectsContinue = connection.head.expectsContinue
  }
}
