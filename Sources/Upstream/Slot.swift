internal import Base
internal import CCurl
internal import Transport
internal import Wire

/// The place of one transfer: its easy handle, what it sends, and what has come back.
///
/// Slots and the latest handles are used again. Resident per open transfer that is libcurl 7.88's, without its
/// connection: about 6 KiB for the easy handle and 17 KiB for libcurl's receive buffer (given back when the
/// transfer ends), 16 KiB more while a body is being sent, and what is held back here.
final class Slot {
  enum Phase { case free, running, ended }

  enum Flow {
    /// Body bytes are kept in `held`.
    case holding
    /// Body bytes go to the outlet. Lifetime: the strong reference is dropped by `cancel`.
    case forwarding(Outlet, RelayFraming)
    /// Body bytes are recorded for whoever follows. While nobody does, they also go to the outlet, if there is
    /// one: the only client's. Lifetime: as above.
    case recording(Recording, Outlet?, RelayFraming)
  }

  /// Why a callback made libcurl give the transfer up.
  enum Abort { case none, lostRace, reusedConnectionDied, unusableHead }

  let index: UInt32
  var generation: UInt32 = 0
  var phase = Phase.free
  /// Lifetime: made by `Handle.make`, ended by `curl_easy_cleanup` in `recycle` or when the Upstream ends.
  var easy: UnsafeMutableRawPointer?
  /// What every callback of this handle is given. Lifetime: allocated with the slot, freed when the Upstream
  /// ends, after all handles.
  let context: UnsafeMutablePointer<CallbackContext>
  /// CURLOPT_ERRORBUFFER; freed with the context.
  let message: UnsafeMutablePointer<CChar>

  // What the handle was last set to, so that only differences are set again.
  var target: Target?
  var hasQuery = false
  var wasPost: Bool?
  var uploadBuffer = 0
  var waitsForPipe = false
  var isFresh = false
  var connectsOnly = false
  var tunnels = false

  // The request.
  var request = TransferRequest(target: TargetID(index: 0))
  var list = HeaderList()
  /// Lifetime: the caller keeps the bytes in place until `.ended` or `cancel`.
  var segments: [UnsafeRawBufferPointer] = []
  var segment = 0
  var segmentOffset = 0
  var bodySize = 0
  var bodyTaken = 0
  /// For libcurl a small body in one piece, in place of the segments; on a line what is left of the head.
  var lent = ByteBuffer()
  var isBodyLent = false

  // The connection.
  var host: Int32 = -1
  var socketsOpened = 0
  var localPort: UInt16 = 0
  var remotePort: UInt16 = 0
  var descriptor: Int32 = -1
  /// The line that carries it, or is to; nil: libcurl does, or makes the line.
  var line: Line?
  /// The peer takes nothing more of the request.
  var isSendBroken = false
  /// How long the line took to be made, in microseconds, and until the TLS handshake was done.
  var connectTime: Int64 = 0
  var handshakeTime = Interval.zero
  var handshakeDue = Instant.distantFuture
  var abort = Abort.none
  var hasWonRace = false
  /// Nobody waits for it: it may connect, and must not send.
  var isAbandoned = false

  // The answer.
  var head = ByteBuffer()
  var status = 0
  var isHeadSeen = false
  var speaksHTTP2 = false
  var framing = AnswerFraming()
  /// Bytes that came on a line and were not taken yet: half a line of the head, or what the client's socket
  /// had no room for. The first `owed` of them are known to be a piece of the body.
  var pending = ByteBuffer()
  var owed = 0
  var hasContentType = false
  var isEventStream = false
  /// The body's first bytes have been seen: they outweigh what the head says.
  var isKindKnown = false
  var isWatched: Bool { isEventStream || (request.expectsEventStream && !hasContentType) }
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
  /// The turn in which body bytes were last written straight from libcurl's buffer.
  var turn: UInt64 = 0
  var received: UInt64 = 0
  var forwarded: UInt64 = 0
  var openedAt = Instant.distantPast
  var connectedAt: Instant?
  var firstByteAt: Instant?
  var firstContentAt: Instant?
  var lastContentAt: Instant?

  init(index: UInt32, upstream: UnsafeMutableRawPointer) {
    self.index = index
    context = .allocate(capacity: 1)
    context.initialize(to: CallbackContext(upstream: upstream, slot: index))
    message = .allocate(capacity: Int(CURL_ERROR_SIZE))
    message.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
  }

  deinit {
    context.deallocate()
    message.deallocate()
  }

  var id: TransferID { TransferID(slot: index, generation: generation) }
  var isReused: Bool { connectedAt != nil && socketsOpened == 0 }

  /// Makes the slot new for a request. Memory of modest size is kept.
  func begin(_ request: TransferRequest, body: Span<UnsafeRawBufferPointer>, now: Instant) {
    self.request = request
    segments.removeAll(keepingCapacity: true)
    segment = 0
    segmentOffset = 0
    bodyTaken = 0
    bodySize = 0
    for i in 0..<body.count where body[i].count > 0 {
      segments.append(body[i])
      bodySize += body[i].count
    }
    message[0] = 0
    openedAt = now
    phase = .running
  }

  /// The line's TLS handshake is not done.
  var isShakingHands: Bool { phase == .running && line?.transport.isReady == false }

  /// Something of the request has not been sent on the line.
  var isSending: Bool { !isSendBroken && (!lent.isEmpty || segment < segments.count) }

  /// Some of the body is still the caller's to keep in place.
  var needsBody: Bool { line != nil ? isSending : !isBodyLent && bodyTaken < bodySize }

  /// Counts what a line took of the head, then of the body.
  func advance(by sent: Int) {
    let ofHead = min(sent, lent.count)
    lent.consume(ofHead)
    var left = sent - ofHead
    bodyTaken += left
    while left > 0 {
      let step = min(left, segments[segment].count - segmentOffset)
      left -= step
      segmentOffset += step
      if segmentOffset == segments[segment].count {
        segment += 1
        segmentOffset = 0
      }
    }
  }

  /// Keeps words about a fault where libcurl's own would stand.
  func say(_ words: String) {
    let bytes = words.utf8.prefix(Int(CURL_ERROR_SIZE) - 1)
    for (i, byte) in bytes.enumerated() { message[i] = CChar(bitPattern: byte) }
    message[bytes.count] = 0
  }

  /// Forgets the transfer: what is left is an unused slot.
  func end() {
    phase = .free
    generation &+= 1
    segments.removeAll(keepingCapacity: true)
    list.clear()
    lent.recycle(keeping: Limits.keptSlotBuffer)
    isBodyLent = false
    socketsOpened = 0
    localPort = 0
    remotePort = 0
    descriptor = -1
    line = nil
    isSendBroken = false
    connectTime = 0
    handshakeTime = .zero
    abort = .none
    hasWonRace = false
    isAbandoned = false
    head.recycle(keeping: Limits.keptSlotBuffer)
    status = 0
    isHeadSeen = false
    speaksHTTP2 = false
    framing = AnswerFraming()
    pending.recycle(keeping: Limits.keptSlotBuffer)
    owed = 0
    hasContentType = false
    if isEventStream || request.expectsEventStream { observer.reset() }
    isEventStream = false
    isKindKnown = false
    held.recycle(keeping: Limits.keptSlotBuffer)
    flow = .holding
    isPaused = false
    isBlockNoted = false
    isHeldBack = false
    isErrorNoted = false
    recordedTurn = 0
    isHeldFull = false
    turn = 0
    received = 0
    forwarded = 0
    connectedAt = nil
    firstByteAt = nil
    firstContentAt = nil
    lastContentAt = nil
  }

  /// Gives back what an idle slot need not keep.
  func shrink() {
    head.release()
    held.release()
    lent.release()
    pending.release()
    segments = []
    list = HeaderList()
    observer = EventStreamObserver()
  }
}
