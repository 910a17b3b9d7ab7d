internal import Base
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

/// What one client is owed for one request: the client's side of an exchange, or of a stored answer.
final class Reply {
  /// Where the answer comes from.
  enum Source {
    /// A place in a flight: an exchange that others may share.
    case seat(Seat)
    /// A stored answer, as far as it has been sent.
    case replay(CachedAnswer, offset: Int, began: Instant)
    case over
  }

  enum CacheState: Int, CaseIterable {
    case bypass, miss, hit, coalesced
    var name: StaticString {
      switch self {
      case .bypass: "bypass"
      case .miss: "miss"
      case .hit: "hit"
      case .coalesced: "coalesced"
      }
    }
  }

  let connection: SlotID
  let setup: Setup
  let requestID: RequestID
  let endpoint: Endpoint
  let model: [UInt8]
  let wantsStream: Bool
  let bytesIn: Int
  let isHTTP10: Bool
  let acceptedAt: Instant
  /// Index in the configuration's clients.
  let client: Int?

  var source = Source.over
  var cacheState = CacheState.bypass
  /// The head is out: an error can only be told as an event, or by a cut.
  var hasHead = false
  var isStream = false
  var framing = RelayFraming.identity
  /// The client's connection ends with this answer: nothing else can show its length.
  var isCloseDelimited = false
  var status = 0
  var firstByteAt: Instant?
  var bytesOut: UInt64 = 0

  init(
    connection: Connection, setup: Setup, requestID: RequestID, endpoint: Endpoint, facts: RequestFacts,
    bytesIn: Int, client: Int?, now: Instant
  ) {
    self.connection = connection.id
    self.setup = setup
    self.requestID = requestID
    self.endpoint = endpoint
    self.bytesIn = bytesIn
    self.client = client
    model = facts.model
    wantsStream = facts.wantsStream
    isHTTP10 = connection.parser.head.minorVersion == 0
    acceptedAt = now
  }

  /// A length that is known is told; else chunks where the client knows them, else the connection's end.
  func chooseFraming(length: Int?) {
    framing = length == nil && !isHTTP10 ? .chunked : .identity
    isCloseDelimited = length == nil && isHTTP10
  }
}
