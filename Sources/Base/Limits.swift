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
  /// Time without progress while a body is read, and the bytes of it that have to come in each window of time.
  package static let bodyStall = Interval.seconds(30)
  package static let bodyWindow = Interval.seconds(30)
  package static let bodyWindowBytes = 32 * 1024
  /// Bytes up to which a body counts as small where memory is short, and the share of the memory that larger ones
  /// leave to such.
  package static let smallBody = 64 * 1024
  package static let smallBodiesShare = 8
  /// While a body waits for memory: time between two looks at who holds it, the bytes that have to come between
  /// two from who holds as much as the next number says, and how long one waits before it is refused.
  package static let uploadLook = Interval.seconds(1)
  package static let pressedUpload = 64 * 1024
  package static let slowUploadHolds = 16 * 1024
  package static let uploadWait = Interval.seconds(10)
  /// Bodies that are read on in one turn of the loop after they have waited.
  package static let uploadsPerTurn = 16
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
  /// Time until a listener is asked again that could not accept for want of descriptors or memory.
  package static let acceptPause = Interval.milliseconds(500)
  /// Time in which connections that idle when a drain begins may still bring a request that was on its way.
  package static let drainGrace = Interval.seconds(1)
  /// Time that what the last answers left for slow sockets has when a drain is over.
  package static let lastFlush = Interval.milliseconds(200)
  /// Time for which a measure of the answers' memory is believed.
  package static let memoryMeasure = Interval.milliseconds(50)
  /// Bytes of a preflight's list of header fields that is repeated to the browser.
  package static let preflightFields = 1024
  /// Bytes that are read of a request before its length is known.
  package static let firstRead = 16 * 1024
  /// Bytes that are kept free behind them: for the client's fields that go on to a provider.
  package static let behindRequest = 384
  /// Bytes of a body that are gone through in one turn of the loop; a body that is larger is read in such slices.
  package static let bodySlice = 256 * 1024
  /// Bytes that are gathered for a TLS connection in one turn before who makes them pauses.
  package static let gathered = 64 * 1024
  /// Streams of a client's HTTP/2 connection at once; bytes that one of them, and all together, may bring before they
  /// are taken; CONTINUATION frames of one head; acknowledgements that wait to be sent.
  package static let clientStreams = 100
  package static let clientStreamWindow = 64 * 1024
  package static let clientWindow = 1 << 20
  package static let continuations = 16
  package static let outboundAcks = 128
  /// Streams that a client may give up, and frames that bring nothing (PING, SETTINGS, PRIORITY, empty DATA), in each
  /// window of time; beyond, its connection ends.
  package static let streamResets = 200
  package static let idleFrames = 1000
  package static let noiseWindow = Interval.seconds(10)
  /// Frames that wait for a client that does not read; beyond, its connection ends. Answers, resets, acknowledgements and
  /// windows of all streams together are fewer.
  package static let waitingFrames = 1000
  /// Replies that are over and kept for requests that come.
  package static let spareReplies = 256
  /// A connection's buffer that is kept between requests.
  package static let keptBuffer = 4 * 1024

  // MARK: Kernel

  /// Connections that the kernel completes and holds until they are accepted. nginx's number.
  package static let backlog = 511
  /// Events taken from epoll in one turn of the loop; the rest comes in the next.
  package static let eventsPerTurn = 256
  /// Descriptors that are neither a client's nor an exchange's: listeners, poller, log, resolver.
  package static let ownDescriptors = 64
  /// epoll counts time while the machine is awake only: with a timer set, the clock is asked at least as often as this.
  package static let longestWait = Interval.seconds(60)
  /// Sockets taken over from a service manager.
  package static let inheritedSockets = 64

  // MARK: The process

  /// Bytes of log lines that wait for a slow reader before further ones are dropped.
  package static let logBuffer = 256 * 1024
  /// Label combinations of one histogram of `/metrics`.
  package static let metricSeries = 2048
  /// Bytes of a page of our own that are written in one go, give or take one entry, and such pieces in one turn.
  package static let pagePiece = 16 * 1024
  package static let pagePiecesPerTurn = 4
  /// How long `synaxis status` waits for an instance.
  package static let pageTime = Interval.seconds(5)
  /// The bins that the page's figures are kept in, and the last exchanges it shows.
  package static let activityBin = Interval.seconds(10)
  package static let activityBins = 90
  package static let activityMarks = 50
  /// Attempts of one exchange that are shown, the last of more, and bytes of a model's name.
  package static let markedAttempts = 4
  package static let markedModel = 64
  /// Pages that are told of what happens, the time between two tellings, bytes of one, and between two signs of life.
  package static let watchers = 8
  package static let watchEvery = Interval.seconds(2)
  package static let watchBytes = 2000
  package static let watchSign = Interval.seconds(15)
  /// Time until a slow reader of the log is asked again.
  package static let logRetry = Interval.milliseconds(100)
  /// Time between two returns of freed memory to the system while there is work, and time until the program's own
  /// pages follow: after the last exchange, or after whatever else there was to do.
  package static let trimEvery = Interval.seconds(2)
  package static let restAfter = Interval.seconds(5)

  // MARK: Parsing

  /// Bytes of a model's name in a form, and of the JSON value that names one.
  package static let modelName = 256
  package static let modelField = 4 * 1024
  /// Models' names that are kept for requests that name them again: a power of two.
  package static let recentNames = 64
  /// Nesting of JSON before it is refused.
  package static let jsonDepth = 128
  /// Top-level members of a request body whose ranges are remembered.
  package static let jsonMembers = 128
  /// Digits of a chunk size, and bytes of a chunk's extensions (RFC 9112 §7.1).
  package static let chunkSizeDigits = 8
  /// libcurl's number.
  package static let answerChunkSizeDigits = 16
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
  /// Bytes of a provider's own name for a request that are logged.
  package static let upstreamID = 128
  /// Bytes of a refused request's path, Host or Origin that are logged.
  package static let loggedField = 256
  /// Bytes of a provider's error text that are searched for what it means.
  package static let errorText = 4 * 1024
  /// Bytes of a provider's error message that are shown.
  package static let errorMessage = 200
  /// A time to come back that lies further ahead is no time but nonsense.
  package static let believableReset = Interval.seconds(366 * 24 * 3600)
  /// A count of tokens or requests that a client, a provider or the tier file names: more is taken as this much.
  package static let quantity: Int64 = 1 << 40
  /// Tokens that a request may allow its answer as far as a budget's estimate goes: more is no wish but "no limit".
  package static let answerTokens: Quantity = 1_048_576
  /// Tokens of an answer whose request does not bound it, as far as a day's money goes.
  package static let assumedAnswer: Quantity = 1024
  /// Bytes of a provider's error body that are read to classify it.
  package static let errorBody = 64 * 1024
  /// Time between two questions for a provider's models, until a failed one is repeated, and for an answer.
  package static let discoverEvery = Interval.seconds(3600)
  package static let discoverRetry = Interval.seconds(60)
  package static let checkTime = Interval.seconds(15)
  /// Models of one provider's own list that are taken in.
  package static let discoveredModels = 1000
  /// Lost connections that are watched until they stand or fail.
  package static let stragglers = 64
  /// Names of models in one line of the log.
  package static let namesInMessage = 8
  /// Attempts of one exchange.
  package static let attempts = 16
  /// Time between two looks at the path under an answer that has begun, and how long something of ours may stay
  /// unacknowledged there: as long as keep-alive probes take to find it dead.
  package static let pathLook = Interval.seconds(10)
  package static let deadPath = Interval.seconds(19)
  /// Silence behind a choice's `finish_reason` after which nothing more is waited for: usage and `[DONE]` follow at
  /// once where they follow.
  package static let afterFinish = Interval.seconds(5)
  /// After which the kernel has sent its probe for the loss of a last packet, near by: two round trips and a few ticks.
  package static let lossProbe = Interval.milliseconds(40)
  /// How long the last bytes of a stream are waited for whose clients have had all and left.
  package static let lastBytes = Interval.seconds(1)
  /// Time between comments to a streaming client that waits for its first content.
  package static let keepAliveComment = Interval.seconds(15)
  /// Idle upstream connections kept over all providers, of HTTP/1.1 and of HTTP/2.
  package static let pooledConnections = 256
  /// Time after which an idle connection is not used again, after which it is closed where nobody needed it, how many
  /// are kept all the same for a provider that is seldom asked, and time between two closings.
  package static let idleConnection = Interval.seconds(300)
  package static let unneededConnection = Interval.seconds(45)
  package static let poolTidy = Interval.seconds(5)
  package static let spareConnections = 1
  /// Bytes that one HTTP/2 stream, and all of a connection together, may bring before they are taken.
  package static let streamWindow = 128 * 1024
  package static let connectionWindow = 8 << 20
  /// Streams of one HTTP/2 connection, if the provider allows as many, and as long as it has not said (RFC 9113 §6.5.2).
  package static let streamsPerConnection = 256
  package static let assumedStreams = 100
  /// Bytes that are made ready to be sent on an HTTP/2 connection at once, and of its buffer that are kept.
  package static let outbox = 16 * 1024
  package static let keptOutbox = 1024
  /// Time without a word after which an HTTP/2 connection is asked whether it is there, and for the answer.
  package static let pingAfter = Interval.seconds(60)
  package static let pongTime = Interval.seconds(30)
  /// TLS sessions that are kept for one server, to resume from.
  package static let tlsSessions = 2
  /// Bytes read from a connection in one turn, and pieces of a request per sendmsg(2).
  package static let connectionRead = 32 * 1024
  package static let sendPieces = 16
  /// Bytes of a request's body that wait for the provider's connection, and of a client's that wait to be passed on,
  /// where the body goes through as it comes.
  package static let outgoing = 128 * 1024
  package static let passing = 64 * 1024
  /// Ended transfers whose places and buffers are kept for the next ones while there is work, and libcurl's handles.
  package static let idleSlots = 256
  package static let idleDials = 4
  /// Bytes of a free transfer's buffer that are kept.
  package static let keptSlotBuffer = 4 * 1024
  /// Up to here a copy costs less than a further piece does in the kernel.
  package static let copiedPiece = 1024
  /// A cooldown that a provider names is never believed beyond this: for a rate, and for a quota, which may be a
  /// month's.
  package static let longestCooldown = Interval.seconds(24 * 3600)
  package static let longestQuotaCooldown = Interval.seconds(31 * 24 * 3600)

  // MARK: Routing and health

  /// The span that the breaker looks back over, and the outcomes it needs to judge by share.
  package static let breakerWindow = Interval.seconds(30)
  package static let breakerOutcomes: Quantity = 5
  /// Failures in a row that open the breaker.
  package static let breakerFailures = 3
  /// The breaker's first cooldown, doubled each time, and its longest.
  package static let breakerCooldown = Interval.seconds(15)
  package static let longestBreakerCooldown = Interval.seconds(300)
  /// A 429 that names no time and whose key has no learned reset.
  package static let rateCooldown = Interval.seconds(60)
  /// A 429 that names the moment now or an earlier one.
  package static let shortestRateCooldown = Interval.seconds(1)
  /// A used-up quota that names no reset, a rejected key, a missing model.
  package static let quotaCooldown = Interval.seconds(3600)
  package static let keyCooldown = Interval.seconds(3600)
  package static let modelCooldown = Interval.seconds(3600)
  /// A missing model of a provider whose list of models is not ours to know: it may be pulled at any time.
  package static let unlistedModelCooldown = Interval.seconds(30)
  /// An endpoint that a provider does not have.
  package static let endpointCooldown = Interval.seconds(3600)
  /// Time after which an old time to first token weighs 1/e.
  package static let latencyDecay = Interval.seconds(30)
  /// What a failure counts as at least, and what failures one after the other come to.
  package static let failureLatency = Interval.seconds(1)
  package static let longestFailureLatency = Interval.seconds(30)
  /// What a provider counts as whose first sample is still on its way.
  package static let assumedLatency = Interval.milliseconds(500)
  /// The longest time to first token that is believed.
  package static let longestLatency = Interval.seconds(600)
  /// Time until a server that is starting is asked again: at first, doubled each time, and at most.
  package static let startAsk = Interval.milliseconds(250)
  package static let longestStartAsk = Interval.seconds(2)
  /// Attempts at a server that is starting of which an exchange keeps account one by one; later ones are one.
  package static let startsListed = 4
  /// An exchange waits at most this for a candidate that is merely cooling.
  package static let coolingWait = Interval.seconds(2)
  /// Time after which a candidate is looked at again whose place is taken (concurrency, a probe).
  package static let recheck = Interval.milliseconds(50)
  /// The span of the success rate that status pages show.
  package static let statusWindow = Interval.seconds(300)
  /// Endpoints, and names that providers with "*" said they do not have, remembered over all of them.
  package static let lacks = 64
  /// Bytes of a provider's name that `provider/name` and `X-Synaxis-Provider` can say.
  package static let providerName = 128
  /// Places of a request's body that are sent changed as pieces of their own; with more the body is written anew.
  package static let patchedPlaces = 64
  /// Bytes of either end of a long text that tell a conversation's opening from others.
  package static let openingEnd = 512
  /// Attempts at once that one conversation may have at the place where it was answered last.
  package static let attemptsAtHome = 4
  /// Responses whose makers are remembered.
  package static let storedResponses = 4096
  /// Bytes of a stored response's name.
  package static let responseName = 256
  /// Names that are compared for the text of a 404, and how many it tells.
  package static let nearestCompared = 512
  package static let nearestTold = 3
  // MARK: Tier file

  /// Bytes of a tier file.
  package static let tierFile = 1 << 20
  /// Nesting of a tier file.
  package static let tierFileDepth = 32
  /// Values in a tier file, what its aliases stand for counted each time.
  package static let tierFileNodes = 100_000
  /// Problems that one reading lists.
  package static let tierFileProblems = 100
  /// Bytes of a file that holds a key.
  package static let keyFile = 64 * 1024
  /// Bytes of a file of certificates.
  package static let certificateFile = 4 << 20
  /// Bytes of a provider's, client's or model's name.
  package static let name = 256
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
  /// Requests of one batch at once.
  package static let batchConnections = 256
  /// Bytes of a line of a batch, of one answer, and of one read from the file.
  package static let batchLine = 64 << 20
  package static let batchAnswer = 64 << 20
  package static let batchRead = 64 * 1024
  /// Mistakes of a file that are printed, and lines that wait at a time for their provider.
  package static let batchMistakes = 20
  package static let batchWaiting = 1024
  /// Models whose wait is remembered.
  package static let batchModels = 64
  /// Tries of a line that fails for other reasons than a rate limit, and time until a try is given up.
  package static let batchTries = 5
  package static let batchTime = Interval.seconds(20 * 60)
  /// Pause after a 429 that names no time, and until an instance that is gone is asked again.
  package static let batchPause = Interval.seconds(60)
  package static let batchReconnect = Interval.seconds(1)
  /// Time between two progress lines where stderr is no terminal.
  package static let batchReport = Interval.seconds(60)

  // MARK: Gathered requests

  /// Bytes of one input that is sent together with others, and of a body that is made of several: below a slice, so that
  /// it is gone through in one go, and below what providers take at once.
  package static let gatheredInput = 32 * 1024
  package static let gatheredBody = 256 * 1024
  /// Bytes of an answer to several that is held until it can be taken apart: 64 vectors of 3072 numbers in decimals.
  package static let gatheredAnswer = 8 << 20
  /// Bytes of it beside the list of embeddings, which each of those who are answered by it gets.
  package static let gatheredRest = 16 * 1024
  /// Nesting of an answer's usage whose counts are shared out.
  package static let usageDepth = 4

  // MARK: Cache and flights

  /// Marks of one recording's pace, eight bytes each.
  package static let recordingMarks = 16 * 1024
  /// Blocks of 16 KiB that are kept for the next recording, outside of any budget.
  package static let spareBlocks = 16
  /// Bytes of one answer that is recorded whole, whatever the cache's budget: offsets in a recording have 32 bits.
  package static let recordedAnswer = 1 << 30
  /// Entries of the cache, whatever its budget.
  package static let cacheEntries = 64 * 1024
  /// Entries taken out of the cache to make room for one.
  package static let evictionsPerInsert = 256
  /// Entries dropped in one turn of the loop once the cache was cleared or made smaller.
  package static let evictionsPerTurn = 64
  /// Entries of the response cache that are looked at for their age in a turn.
  package static let sweepsPerTurn = 4
  /// Flights at a time, and followers of one.
  package static let flights = 1024
  package static let followers = 1024
  /// Bytes that a follower may lie behind once the answer is not kept whole, and that even the fastest one may
  /// lie behind before the upstream is paused.
  package static let followerLag = 256 * 1024
  /// Bytes of shared and stored answers that clients are handed in one turn of the loop.
  package static let sharedPerTurn = 16 << 20
}
