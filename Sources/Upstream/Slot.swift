internal import Base
internal import HTTP2
internal import Wire

/// The place of one transfer: what it sends, and what has come back. Slots are used again.
final class Slot {
  enum Phase { case free, running, ended }

  enum Flow {
    /// Body bytes are kept in `held`.
    case holding
    /// Body bytes go to the client. Lifetime: the strong reference is dropped by `cancel`.
    case forwarding(ResponseSink)
    /// Body bytes are recorded for whoever follows. While nobody does, they also go to the only client, if
    /// there is one. Lifetime: as above.
    case recording(Recording, ResponseSink?)
  }

  let index: UInt32
  /// The number of its use, which no other transfer has.
  var generation: UInt32 = 0
  var phase = Phase.free
  var target: Target?
  /// What is to be said about a fault, for the log.
  var message = ByteBuffer()

  // The request.
  var request = TransferRequest(target: TargetID(index: 0))
  /// Lifetime: the caller keeps the bytes in place until `.ended` or `cancel`.
  var segments: [UnsafeRawBufferPointer] = []
  var segment = 0
  var segmentOffset = 0
  var bodySize = 0
  var bodyTaken = 0
  /// What is left of the head, as HTTP/1.1 has it.
  var lent = ByteBuffer()
  /// A body that its owner hands over piece by piece, and what the connection has not taken of it.
  var feeding = Feeding.none
  var outgoing = ByteBuffer()
  /// `outgoing` was full, and the owner waits to hear of room.
  var isOutgoingFull = false

  // The connection.
  /// The one that carries it, or that it waits for; nil: none any more.
  var connection: Connection?
  /// Its stream, where that is HTTP/2.
  var stream: Int32 = 0
  /// Bytes that the connection had sent then.
  var sentBefore: UInt64 = 0
  /// It did not wait for the connection: another one had it before.
  var isReused = false
  /// The peer takes nothing more of the request.
  var isSendBroken = false
  var connectTime = Interval.zero
  var handshakeTime = Interval.zero
  var hasWonRace = false
  /// Nobody waits for it: it may connect, and must not send.
  var isAbandoned = false

  // The answer.
  /// The lines of its head.
  var head = ByteBuffer()
  /// What stands in them.
  var answer = ResponseHead()
  var isHeadSeen = false
  var framing = AnswerFraming()
  /// After an upgrade: where the provider's frames are.
  var frames = FrameWalk()
  /// HTTP/2: all of the answer has come.
  var isWhole = false
  /// Bytes that came and were not taken yet: half a line of the head, or what the client's socket had no room for.
  /// HTTP/1.1: the first `owed` of them are known to be a piece of the body.
  var pending = ByteBuffer()
  var owed = 0
  var hasContentType = false
  var isEventStream = false
  /// The body's first bytes have been seen: they outweigh what the head says.
  var isKindKnown = false
  /// Bytes at its beginning that are known to be blank.
  var blanks = 0
  var isWatched: Bool {
    !request.isOpaque && (isEventStream || (request.expectsEventStream && !hasContentType))
  }
  var observer = EventStreamObserver()
  var held = ByteBuffer()
  var flow = Flow.holding
  var isPaused = false
  var isBlockNoted = false
  /// The owner holds the transfer back: whoever follows is too far behind.
  var isHeldBack = false
  /// An error frame was told before any content.
  var isErrorNoted = false
  /// The turn in which `.recorded` was last noted, and what was recorded in it.
  var recordedTurn: UInt64 = 0
  var recordedBytes = 0
  var isHeldFull = false
  var received: UInt64 = 0
  var forwarded: UInt64 = 0
  var openedAt = Instant.distantPast
  var connectedAt: Instant?
  var firstByteAt: Instant?
  var firstContentAt: Instant?
  var lastContentAt: Instant?

  init(index: UInt32) { self.index = index }

  var status: Int { answer.status }

  var id: TransferID { TransferID(slot: index, generation: generation) }

  /// Makes the slot new for a request. Memory of modest size is kept.
  func begin(
    _ request: TransferRequest, _ target: Target, body: Span<UnsafeRawBufferPointer>, now: Instant
  ) {
    self.request = request
    self.target = target
    segments.removeAll(keepingCapacity: true)
    segment = 0
    segmentOffset = 0
    bodyTaken = 0
    bodySize = 0
    for i in 0..<body.count where body[i].count > 0 {
      segments.append(body[i])
      bodySize += body[i].count
    }
    message.removeAll()
    openedAt = now
    phase = .running
  }

  /// Something of the request has not been sent, on a connection of its own.
  var isSending: Bool {
    !isSendBroken && (!lent.isEmpty || segment < segments.count || !outgoing.isEmpty)
  }

  /// Some of the body is still the caller's to keep in place.
  var needsBody: Bool {
    if let connection, case .http2(let session) = connection.stage, stream > 0 {
      return session.sent(of: stream) < bodySize && !isWhole
    }
    return connection != nil && isSending
  }

  /// Counts what a connection took of the head, then of the body.
  func advance(by sent: Int) {
    let ofHead = min(sent, lent.count)
    lent.consume(ofHead)
    var left = sent - ofHead
    bodyTaken += left
    while left > 0, segment < segments.count {
      let step = min(left, segments[segment].count - segmentOffset)
      left -= step
      segmentOffset += step
      if segmentOffset == segments[segment].count {
        segment += 1
        segmentOffset = 0
      }
    }
    outgoing.consume(left)
  }

  func say(_ words: String) {
    message.removeAll()
    message.append(words)
  }

  /// Forgets the transfer: what is left is an unused slot.
  func end() {
    phase = .free
    target = nil
    segments.removeAll(keepingCapacity: true)
    lent.recycle(keeping: Limits.keptSlotBuffer)
    feeding = .none
    outgoing.recycle(keeping: Limits.keptSlotBuffer)
    isOutgoingFull = false
    connection = nil
    stream = 0
    isReused = false
    isSendBroken = false
    connectTime = .zero
    handshakeTime = .zero
    hasWonRace = false
    isAbandoned = false
    head.recycle(keeping: Limits.keptSlotBuffer)
    answer.clear()
    isHeadSeen = false
    framing = AnswerFraming()
    frames = FrameWalk()
    isWhole = false
    pending.recycle(keeping: Limits.keptSlotBuffer)
    owed = 0
    hasContentType = false
    if isEventStream || request.expectsEventStream { observer.reset() }
    isEventStream = false
    isKindKnown = false
    blanks = 0
    held.recycle(keeping: Limits.keptSlotBuffer)
    flow = .holding
    isPaused = false
    isBlockNoted = false
    isHeldBack = false
    isErrorNoted = false
    recordedTurn = 0
    isHeldFull = false
    received = 0
    forwarded = 0
    connectedAt = nil
    firstByteAt = nil
    firstContentAt = nil
    lastContentAt = nil
  }
}
