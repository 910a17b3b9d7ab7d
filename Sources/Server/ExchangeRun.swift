internal import Base
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

/// The belongings of one exchange: its state machine, its request's bytes, its transfers, and for whom it runs.
///
/// Lifetime: transfers read the request's bytes and the patches in place, so both are given up only after all
/// transfers were cancelled, or the one that is committed has said that it needs them no more.
final class ExchangeRun {
  let id: SlotID
  let setup: Setup
  var exchange: Exchange
  let facts: RequestFacts
  /// Head and body of the request.
  private(set) var request: ByteBuffer
  /// Where the body is in `request`.
  let body: Range<Int>
  /// What followed the `?` in the request's target, in `request`.
  let query: Range<Int>
  /// The client's fields that go to every provider, each ended by CRLF: behind the body in `request` where its
  /// memory had room for them, else by themselves.
  private let lines: ByteBuffer
  private let linesBehind: Range<Int>
  /// For whom it runs.
  var flight: FlightID?
  /// Others may join, or the answer may be stored: its bytes are recorded.
  let isShared: Bool
  /// Under which the complete answer is stored; nil: it is not.
  let storeKey: Fingerprint?
  let startedAt: Instant
  var transfers: [TransferID?] = []
  /// The changed places of the bodies that were sent: kept for as long as a transfer may read them.
  private(set) var patches: [Patch] = []
  /// Length of the answer's body, once that is known.
  var length: Int64?
  /// When the first attempt was begun, by the real clock.
  var openedAt: Instant?
  var usage = TokenUsage()
  /// The request's bytes in `limits.memory`.
  var share: MemoryShare?
  /// Its turn among the exchanges, or its place in the line.
  var seat: AdmissionSeat?
  /// The name of the first client's request, which the lines about attempts bear.
  var requestID: RequestID?

  init(
    id: SlotID, setup: Setup, exchange: Exchange, facts: RequestFacts, arrival: consuming Arrival,
    lines: Span<UInt8>, now: Instant
  ) {
    self.id = id
    self.setup = setup
    self.exchange = exchange
    self.facts = facts
    body = arrival.body
    isShared = arrival.isShared
    storeKey = arrival.storeKey
    query = arrival.query
    startedAt = now
    var request = arrival.request.take()
    var apart = ByteBuffer()
    if request.room >= lines.count {
      linesBehind = request.count..<request.count + lines.count
      request.append(lines)
    } else {
      linesBehind = 0..<0
      apart.append(lines)
    }
    self.request = request.take()
    self.lines = apart.take()
  }

  /// Lends the query and the client's fields that go to every provider.
  func withQueryAndLines<R>(_ body: (Span<UInt8>, Span<UInt8>) -> R) -> R {
    request.withBytes(query) { query in
      linesBehind.isEmpty
        ? lines.withBytes { body(query, $0) } : request.withBytes(linesBehind) { body(query, $0) }
    }
  }

  /// The body as it came. Lifetime: `request` is not changed before `release`.
  var wholeBody: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: request.unsafeBytes[body]) }

  /// The body as one attempt sends it, where that differs.
  func patch(with splices: [Splice]) -> [UnsafeRawBufferPointer] {
    let patch = Patch(splices, over: wholeBody)
    patches.append(patch)
    return patch.pieces
  }

  /// Nobody sends the request any more: it is given up, however long the answer takes.
  func releaseRequest() {
    request.release()
    share = nil
    patches = []
  }

  /// The exchange is over: what only transfers needed goes, though slow followers may keep the run.
  func release() {
    releaseRequest()
    seat = nil
  }

  /// Names an attempt in the transfer's tag: slot, generation, attempt.
  func tag(_ attempt: Int) -> UInt64 { ExchangeRun.tag(id, attempt) }

  static func tag(_ id: SlotID, _ attempt: Int) -> UInt64 {
    UInt64(id.generation) << 32 | UInt64(UInt32(id.slot)) << 8 | UInt64(attempt)
  }

  static func untag(_ tag: UInt64) -> (id: SlotID, attempt: Int) {
    let slot = Int32(truncatingIfNeeded: tag >> 8 & 0xff_ffff)
    return (SlotID(slot: slot, generation: UInt32(truncatingIfNeeded: tag >> 32)), Int(tag & 0xff))
  }

  /// Two rounds of one exchange have the same number only if the one is long over, and two exchanges never.
  func race(_ round: Int) -> RaceID { RaceID(tag(round & 0xff)) }
}

/// A request as it was read, before it has an exchange.
struct Arrival: ~Copyable {
  var request: ByteBuffer
  var body: Range<Int>
  var query: Range<Int>
  var isShared: Bool
  var storeKey: Fingerprint?
}

/// The body of one attempt, as pieces: ranges of the client's bytes, and what replaces some of them.
///
/// Many pieces become one new body: whoever sends them goes through them anew each time the socket has taken a part.
final class Patch {
  // Lifetime: the pieces point into `bytes` and into the run's request, which both outlive the transfer.
  private(set) var pieces: [UnsafeRawBufferPointer] = []
  private var bytes = ByteBuffer()

  init(_ splices: [Splice], over body: UnsafeRawBufferPointer) {
    if splices.count > Limits.patchedPlaces {
      rewrite(splices, over: body)
      return
    }
    for splice in splices { bytes.append(splice.replacement.span) }
    bytes.withMutableBytes { patched in
      var at = 0
      var used = 0
      for splice in splices {
        if splice.range.lowerBound > at {
          pieces.append(UnsafeRawBufferPointer(rebasing: body[at..<splice.range.lowerBound]))
        }
        let next = used + splice.replacement.count
        if next > used {
          pieces.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(patched)[used..<next]))
        }
        used = next
        at = splice.range.upperBound
      }
      if at < body.count { pieces.append(UnsafeRawBufferPointer(rebasing: body[at...])) }
    }
  }
  private func rewrite(_ splices: [Splice], over body: UnsafeRawBufferPointer) {
    var size = body.count
    for splice in splices { size += splice.replacement.count - splice.range.count }
    bytes.reserve(size)
    var at = 0
    for splice in splices {
      bytes.append(UnsafeRawBufferPointer(rebasing: body[at..<splice.range.lowerBound]))
      bytes.append(splice.replacement.span)
      at = splice.range.upperBound
    }
    bytes.append(UnsafeRawBufferPointer(rebasing: body[at...]))
    bytes.withMutableBytes { pieces.append(UnsafeRawBufferPointer($0)) }
  }
}
