internal import Base
internal import Downstream
internal import Exchange
internal import Observability
internal import Policy
internal import Upstream
internal import Wire

/// What one client is owed for one request: the client's side of an exchange, or of a stored answer.
///
/// One object serves many requests in turn: `begin`, then `end`.
final class Reply {
  /// Where the answer comes from.
  enum Source {
    /// A place in a flight: an exchange that others may share.
    case subscription(Subscription)
    /// A stored answer, as far as it has been sent; with its gaps, where it is paced.
    case replay(CachedAnswer, offset: Int, pacedSince: Instant?)
    case over
  }

  var connection: SlotID
  private(set) var requestID = RequestID(number: 0)
  private(set) var trace: TraceID?
  private(set) var endpoint = Endpoint.chatCompletions
  private(set) var model: [UInt8] = []
  private(set) var wantsStream = false
  var bytesIn = 0
  private(set) var version = HTTPVersion.http11
  private(set) var acceptedAt = Instant.distantPast
  /// Its name in the configuration that the request came under.
  private(set) var client: String?
  /// The answer says who gave it, and what the cache did.
  private(set) var exposesHeaders = true

  var source = Source.over
  var cacheState = CacheState.bypass
  /// What a stored answer had cost.
  var storedUsage = AnswerUsage()
  /// What a stored answer would have cost.
  var worth = Money.none
  /// The head is out: an error can only be told as an event, or by a cut.
  var hasHead = false
  var isStream = false
  var status = 0
  var firstByteAt: Instant?
  var bytesOut: UInt64 = 0

  init(connection: SlotID) { self.connection = connection }

  /// Nothing has been sent yet of what this request is owed.
  func begin(
    _ requestID: RequestID, trace: TraceID?, endpoint: Endpoint, facts: RequestFacts, bytesIn: Int,
    version: HTTPVersion,
    client: String?, exposesHeaders: Bool, now: Instant
  ) {
    self.requestID = requestID
    self.trace = trace
    self.endpoint = endpoint
    self.bytesIn = bytesIn
    self.version = version
    self.client = client
    self.exposesHeaders = exposesHeaders
    model = facts.model
    wantsStream = facts.wantsStream
    acceptedAt = now
    source = .over
    cacheState = .bypass
    storedUsage = AnswerUsage()
    worth = .none
    hasHead = false
    isStream = false
    status = 0
    firstByteAt = nil
    bytesOut = 0
  }

  /// Lets go of what belongs to others: a stored answer lives only as long as somebody replays it.
  func end() {
    source = .over
    model = []
  }

  /// What is kept of it when it is over.
  func record(_ run: ExchangeRun?, word: StaticString?, overhead: Interval, now: Instant) -> RequestRecord {
    var record = RequestRecord(
      id: requestID, trace: trace, client: client, endpoint: endpoint, model: model, wantsStream: wantsStream,
      version: version)
    record.status = status
    record.bytesIn = bytesIn
    record.bytesOut = bytesOut
    record.cacheState = cacheState
    record.worth = worth
    record.storedUsage = storedUsage
    record.firstByte = firstByteAt.map { $0 - acceptedAt }
    record.total = now - acceptedAt
    record.overhead = overhead
    record.word = word
    if let run {
      record.hasExchange = true
      record.ending = run.exchange.ending
      record.attempts = run.exchange.attempts
      record.providers = run.runtime.catalog.providers
      record.usage = run.usage
      record.bill = run.bill
      record.batchSize = run.batch?.size ?? 1
      if CauseText.isNeeded(run.exchange) { record.reason = CauseText(run.record, now: now).text }
    }
    return record
  }

  /// RFC 9112 §6.3; a 304 is never relayed with one either.
  var hasBody: Bool { status != 204 && status != 304 }
}
