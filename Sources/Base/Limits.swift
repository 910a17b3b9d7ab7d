/// Every bound that is not the operator's to set, each with its unit. What is the operator's to set has its
/// default in `Settings` (Policy).
package enum Limits {
  // MARK: Client side

  /// Header fields in one request. nginx and Apache stop at 100.
  package static let headerFields = 100
  /// Bytes of a request target before 414.
  package static let target = 8 * 1024
  /// Empty lines in front of a request line that are overlooked (RFC 9112 §2.2).
  package static let leadingEmptyLines = 4
  /// Time for a client to send a whole head.
  package static let headTime = Interval.seconds(10)
  /// Time without progress while a body is read.
  package static let bodyStall = Interval.seconds(30)
  /// Time that an idle keep-alive connection is held.
  package static let keepAlive = Interval.seconds(75)
  /// Time without progress of a client that does not read its answer.
  package static let writeStall = Interval.seconds(60)
  /// Time that a refused client's remaining bytes are read away, so that it sees the answer and not a reset.
  package static let linger = Interval.seconds(2)
  /// Connections taken from the listener in one turn of the loop.
  package static let acceptsPerTurn = 64
  /// Bytes read from one connection in one turn of the loop.
  package static let readPerTurn = 64 * 1024
  /// A connection's buffer that is kept between requests.
  package static let keptBuffer = 4 * 1024

  // MARK: Kernel

  /// Connections that the kernel completes and holds until they are accepted. nginx's number.
  package static let backlog = 511
  /// Events taken from epoll in one turn of the loop; the rest comes in the next.
  package static let eventsPerTurn = 256
  /// Sockets taken over from a service manager.
  package static let inheritedSockets = 64

  // MARK: Parsing

  /// Nesting of JSON before it is refused.
  package static let jsonDepth = 128
  /// Top-level members of a request body whose ranges are remembered.
  package static let jsonMembers = 128
  /// Digits of a chunk size, and bytes of a chunk's extensions (RFC 9112 §7.1).
  package static let chunkSizeDigits = 8
  package static let chunkExtension = 1024
  /// Bytes of the trailer section behind the last chunk.
  package static let trailer = 8 * 1024
  /// Parts of a multipart form, and bytes of one part's head.
  package static let formParts = 64
  package static let formPartHead = 4 * 1024
  /// A line of an event stream that is looked into; a longer one is forwarded unread and counts as content.
  package static let eventLine = 64 * 1024

  // MARK: Upstream side

  /// Bytes of a provider's response head.
  package static let upstreamHead = 32 * 1024
  /// Bytes of an answer that are held back before commit.
  package static let held = 1 << 20
  /// Header fields of a provider's response head that are looked at.
  package static let upstreamFields = 200
  /// Bytes of a provider's error text that are searched for what it means.
  package static let errorText = 4 * 1024
  /// Bytes of a provider's error message that are shown.
  package static let errorMessage = 200
  /// A time to come back that lies further ahead is no time but nonsense.
  package static let believableReset = Interval.seconds(366 * 24 * 3600)
  /// Bytes of a provider's error body that are read to classify it.
  package static let errorBody = 64 * 1024
  /// Attempts of one exchange.
  package static let attempts = 16
  /// Time between comments to a streaming client that waits for its first content.
  package static let keepAliveComment = Interval.seconds(15)
  /// Idle upstream connections kept over all providers.
  package static let pooledConnections = 256
  /// A cooldown that a provider names is never believed beyond this.
  package static let longestCooldown = Interval.seconds(24 * 3600)

  // MARK: Lab

  /// Clients of one mock provider at a time.
  package static let mockConnections = 8_192
  /// Bytes of a request's head and body that the mock takes.
  package static let mockHead = 64 * 1024
  package static let mockBody = 64 << 20
  /// Bytes that a client may send ahead while its answer is under way.
  package static let mockPipelined = 64 * 1024
  /// Bytes of the last request that the mock keeps to show them.
  package static let mockKept = 16 * 1024
  /// Bytes per read, and reads from one connection in one turn.
  package static let mockRead = 16 * 1024
  package static let mockReadsPerTurn = 16
  /// Bytes of a body that leave together with the head, and bytes per further write.
  package static let mockFirstWrite = 16 * 1024
  package static let mockWrite = 256 * 1024
  /// Answers that the mock keeps, one for each combination of endpoint, model and options.
  package static let mockScripts = 64
  /// Connections of one load run.
  package static let loadConnections = 8_192
  /// Bytes per read, and reads from one connection in one turn.
  package static let loadRead = 64 * 1024
  package static let loadReadsPerTurn = 16
  /// Pause of a connection that could not be made, before it is tried again.
  package static let loadPause = Interval.milliseconds(10)
  /// Time between two progress lines.
  package static let loadProgress = Interval.milliseconds(500)
}
