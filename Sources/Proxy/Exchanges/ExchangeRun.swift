internal import Base
internal import Downstream
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

/// The body of an attempt that differs from the client's.
private struct OwnBody {
  let attempt: Int
  /// Kept for as long as a transfer may read it.
  var patch: Patch?
  /// Bytes in the request's reservation.
  var charged = 0
}

/// The belongings of one exchange: its state machine, its request's bytes, its transfers, and for whom it runs.
///
/// Lifetime: transfers read the request's bytes and the patches in place, so both are given up only after all
/// transfers were cancelled, or the one that is committed has said that it needs them no more.
final class ExchangeRun {
  let id: SlotID
  let runtime: RuntimeConfiguration
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
  private let linesStart: Int?
  /// For whom it runs.
  var flight: FlightID?
  /// Others may join, or the answer may be stored: its bytes are recorded.
  var isShared: Bool
  /// What it may be sent together with others by.
  let batchInput: BatchInput?
  /// Under which the complete answer is stored; nil: it is not.
  let storeKey: Fingerprint?
  /// What it asks of a response that a provider keeps.
  let stored: StoredRequest?
  var transfers: [TransferID?] = []
  /// The bodies of attempts that differ from the client's.
  private var ownBodies: [OwnBody] = []
  /// Length of the answer's body, once that is known.
  var length: Int64?
  /// When the first attempt was begun, by the real clock.
  var openedAt: Instant?
  /// Whose money it is, where there is a limit to it, and what was set aside of that.
  let payer: ClientAccount?
  let estimate: Money
  /// The request's bytes in `limits.memory`.
  var reservation: MemoryReservation?
  /// Its turn among the exchanges, or its place in the line.
  var permit: AdmissionPermit?
  /// The name of the first client's request, which the lines about attempts bear.
  var requestID: RequestID?
  var usage = TokenUsage()
  /// What the answer cost; nil where it did not tell its tokens.
  var bill: Bill?
  /// It is a WebSocket's; nil: it is a request like others.
  var pipe: Pipe?

  init(
    id: SlotID, runtime: RuntimeConfiguration, exchange: consuming Exchange, facts: RequestFacts,
    arrival: consuming Arrival,
    lines: Span<UInt8>
  ) {
    self.id = id
    self.runtime = runtime
    self.exchange = exchange
    self.facts = facts
    body = arrival.body
    isShared = arrival.isShared
    batchInput = arrival.batchInput
    storeKey = arrival.storeKey
    stored = arrival.stored
    payer = arrival.payer
    estimate = arrival.estimate
    payer?.spending.reserve(estimate)
    query = arrival.query
    var request = arrival.request.take()
    var apart = ByteBuffer()
    if request.room >= lines.count {
      linesStart = request.count
      request.append(lines)
    } else {
      linesStart = nil
      apart.append(lines)
    }
    self.request = request.take()
    self.lines = apart.take()
  }

  /// What its work has come to.
  var record: ExchangeRecord {
    ExchangeRecord(
      exchange, runtime.health, model: facts.model, requestID: requestID, usage: usage, bill: bill)
  }

  /// Lends the query and the client's fields that go to every provider.
  func withQueryAndLines<R>(_ body: (Span<UInt8>, Span<UInt8>) -> R) -> R {
    request.withBytes(query) { query in
      guard let linesStart else { return lines.withBytes { body(query, $0) } }
      return request.withBytes(linesStart..<request.count) { body(query, $0) }
    }
  }

  /// The body as it came. Lifetime: `request` is not changed before `release`.
  var wholeBody: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: request.unsafeBytes[body]) }

  /// Counts what the body of an attempt takes besides the client's. False, and nothing more is counted, where that is
  /// more than there is.
  func charge(_ bytes: Int, for attempt: Int) -> Bool {
    let place = placeOfBody(attempt)
    let more = bytes - ownBodies[place].charged
    guard let before = reservation?.bytes, reservation?.grow(to: before + more) == true else {
      return more <= 0
    }
    ownBodies[place].charged = bytes
    return true
  }

  private func placeOfBody(_ attempt: Int) -> Int {
    if let place = ownBodies.firstIndex(where: { $0.attempt == attempt }) { return place }
    ownBodies.append(OwnBody(attempt: attempt))
    return ownBodies.count - 1
  }

  /// Keeps the body of an attempt; the pieces that it is sent in.
  func keep(_ patch: Patch, for attempt: Int) -> [UnsafeRawBufferPointer] {
    ownBodies[placeOfBody(attempt)].patch = patch
    return patch.pieces
  }

  /// Nobody reads the body of that attempt any more.
  func dropPatch(of attempt: Int) {
    if ownBodies.isEmpty { return }
    for body in ownBodies where body.attempt == attempt { reservation?.shrink(by: body.charged) }
    ownBodies.removeAll { $0.attempt == attempt }
  }

  /// Nobody sends the request any more: it is given up, however long the answer takes.
  func releaseRequest() {
    request.release()
    reservation = nil
    ownBodies = []
  }

  /// Those with whom it is asked, or was.
  var batch: BatchCall? { batchInput?.call }

  /// Those with whom it makes that attempt, if it does.
  func batch(at attempt: Int) -> BatchCall? { batchInput?.attempt == attempt ? batch : nil }

  /// The exchange is over: what only transfers needed goes, though slow followers may keep the run.
  func release() {
    releaseRequest()
    permit = nil
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
