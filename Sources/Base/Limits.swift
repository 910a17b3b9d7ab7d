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

  // MARK: Cache and flights

  /// Marks of one recording's pace, eight bytes each.
  package static let recordingMarks = 16 * 1024
  /// Blocks of 16 KiB that are kept for the next recording, outside of any budget.
  package static let spareBlocks = 16
  /// Entries of the cache, whatever its budget.
  package static let cacheEntries = 64 * 1024
  /// Entries taken out of the cache to make room for one.
  package static let evictionsPerInsert = 256
  /// Flights at a time, and followers of one.
  package static let flights = 1024
  package static let followers = 1024
  /// Bytes that a follower may lie behind once the answer is not kept whole, and that even the fastest one may
  /// lie behind before the upstream is paused.
  package static let followerLag = 256 * 1024
}
