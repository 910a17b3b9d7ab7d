internal import Base
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

/// The belongings of one exchange: its state machine, its request's bytes, its transfers, and for whom it runs.
///
/// Lifetime: transfers read the request's bytes and the patches in place, so a run is freed only after all of
/// its transfers were cancelled.
final class ExchangeRun {
  let id: SlotID
  let setup: Setup
  var exchange: Exchange
  let facts: RequestFacts
  /// Head and body of the request.
  let request: ByteBuffer
  /// Where the body is in `request`.
  let body: Range<Int>
  /// The path behind `/v1`, in `request`.
  let suffix: Range<Int>
  /// The client's fields that go to every provider, each ended by CRLF.
  let lines: ByteBuffer
  let requestID: RequestID
  var connection: SlotID?
  let isHTTP10: Bool
  let acceptedAt: Instant
  var transfers: [TransferID?] = []
  /// The changed places of the bodies that were sent: kept for as long as a transfer may read them.
  var patches: [Patch] = []
  var status = 0
  var framing = RelayFraming.identity
  /// The client's connection ends with this answer: nothing else can show its length.
  var isCloseDelimited = false
  var firstByteAt: Instant?
  /// Where our own time went: from the request's last byte to the first attempt.
  var openedAt: Instant?
  var usage = TokenUsage()
  var clientName: Int?
  /// Body bytes of the answer that were handed to the client's outlet.
  var bytesOut: UInt64 = 0

  init(
    id: SlotID, setup: Setup, exchange: Exchange, facts: RequestFacts, arrival: consuming Arrival,
    connection: SlotID, now: Instant
  ) {
    self.id = id
    self.setup = setup
    self.exchange = exchange
    self.facts = facts
    self.connection = connection
    body = arrival.body
    suffix = arrival.suffix
    requestID = arrival.requestID
    isHTTP10 = arrival.isHTTP10
    acceptedAt = now
    lines = arrival.lines.take()
    request = arrival.request.take()
    clientName = arrival.client
  }

  // Lifetime: `request` is never changed, and freed with the run.
  var bodyBytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: request.unsafeBytes[body])
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

  /// Two rounds of one exchange never have the same number, and neither do two exchanges.
  func race(_ round: Int) -> RaceID { RaceID(tag(round)) }
}

/// A request as it was read, before it has an exchange.
struct Arrival: ~Copyable {
  var request: ByteBuffer
  var body: Range<Int>
  var suffix: Range<Int>
  var lines: ByteBuffer
  var requestID: RequestID
  var isHTTP10: Bool
  var client: Int?
}

/// The body of one attempt, as pieces: ranges of the client's bytes, and what replaces some of them.
final class Patch {
  // Lifetime: the pieces point into `bytes` and into the run's request, which both outlive the transfer.
  private(set) var pieces: [UnsafeRawBufferPointer] = []
  private var bytes = ByteBuffer()

  init(_ splices: [Splice], over body: UnsafeRawBufferPointer) {
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
}

/// The name of one exchange in answers and logs: the client's own if it sent a sane one.
struct RequestID {
  private var bytes = InlineArray<64, UInt8>(repeating: 0)
  private var count = 0

  /// A new one: 16 hexadecimal digits of a counter that started at random, scrambled.
  init(number: UInt64) {
    // The finaliser of MurmurHash3 is a bijection: no two numbers meet.
    var mixed = number
    mixed = (mixed ^ (mixed >> 33)) &* 0xff51_afd7_ed55_8ccd
    mixed = (mixed ^ (mixed >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    mixed ^= mixed >> 33
    put("req_")
    for shift in stride(from: 60, through: 0, by: -4) {
      let nibble = UInt8(mixed >> UInt64(shift) & 15)
      put(nibble < 10 ? 48 + nibble : 87 + nibble)
    }
  }

  /// Nil unless it is 1 to 64 letters, digits and `-_.:/+=`: it goes into a header and a log line.
  init?(client value: Span<UInt8>) {
    guard value.count > 0, value.count <= 64 else { return nil }
    for i in 0..<value.count {
      let byte = value[i]
      let isSane =
        byte.asciiLowercased &- 97 < 26 || byte.isDigit || byte == UInt8(ascii: "-")
        || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
        || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "=")
      guard isSane else { return nil }
      put(byte)
    }
  }

  private mutating func put(_ byte: UInt8) {
    bytes[count] = byte
    count += 1
  }

  private mutating func put(_ text: StaticString) {
    for i in 0..<text.utf8CodeUnitCount { put(text.utf8Start[i]) }
  }

  var span: Span<UInt8> {
    @_lifetime(borrow self)
    get { bytes.span.extracting(0..<count) }
  }
}
