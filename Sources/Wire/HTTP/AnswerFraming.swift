internal import Base

/// Tells an HTTP/1.1 answer's head from the pieces of its body as the bytes arrive, and where it ends (RFC 9112 §6.3).
/// It keeps none of them.
///
/// Strict where bytes could be taken for another answer's: two lengths that differ, a length that is no number, an
/// unknown transfer coding, a folded line, one without a colon, or a change of protocol that nobody asked for (101)
/// make the answer malformed, and one with both a length and chunks ends its connection.
package struct AnswerFraming: Sendable {
  package enum Part: Hashable, Sendable {
    /// Whole lines of a head, with their line ends. The empty one is the last, and `isWhole` then; interim heads (1xx)
    /// come first.
    case head(Range<Int>, isWhole: Bool)
    case body(Range<Int>)
    /// The answer is over; bytes behind it were not asked for.
    case complete
    /// Nothing can be told from the bytes behind `at` yet: they are to be given again, with more behind them.
    case needMore
    case malformed
  }

  private enum State: Sendable {
    case statusLine
    case fields
    case length(left: Int64)
    case chunked
    case untilClose
    case complete
    case malformed
  }

  /// What was asked for decides what may come (RFC 9112 §6.3, RFC 9110 §7.8).
  package enum Request: Sendable {
    case ordinary
    /// HEAD: whatever the head says, nothing follows it.
    case head
    /// A change of protocol: all that follows a 101 is the other protocol's.
    case upgrade
  }
  package var request = Request.ordinary

  private var state = State.statusLine
  private var chunks = ChunkedDecoder.answer
  /// The status line's three digits; 0 before it.
  package private(set) var status = 0
  private var length: Int64?
  private var isChunked = false
  /// The peer closes behind this answer, or is not to be believed about the next one.
  package private(set) var endsConnection = false

  package init() {}

  /// Another request may follow on the same connection.
  package var keepsConnection: Bool {
    if case .complete = state { return !endsConnection }
    return false
  }

  /// Whether the answer is whole if the peer closes now.
  package var isWholeAtClose: Bool {
    switch state {
    case .untilClose, .complete: true
    case .statusLine, .fields, .length, .chunked, .malformed: false
    }
  }

  /// What the bytes from `at` on begin with; `at` moves behind it. Lines of a head are read into `head`.
  package mutating func next(_ bytes: Span<UInt8>, _ at: inout Int, head: inout ResponseHead) -> Part {
    switch state {
    case .statusLine, .fields: return nextLines(bytes, &at, &head)
    case .length(let left):
      let piece = at..<at + Int(min(left, Int64(bytes.count - at)))
      at = piece.upperBound
      state = left == piece.count ? .complete : .length(left: left - Int64(piece.count))
      return piece.isEmpty ? .needMore : .body(piece)
    case .chunked:
      guard let piece = chunks.nextData(bytes, &at) else { return fail() }
      if !piece.isEmpty { return .body(piece) }
      if !chunks.isFinished { return .needMore }
      state = .complete
      return .complete
    case .untilClose:
      let piece = at..<bytes.count
      at = piece.upperBound
      return piece.isEmpty ? .needMore : .body(piece)
    case .complete: return .complete
    case .malformed: return .malformed
    }
  }

  private mutating func fail() -> Part {
    state = .malformed
    return .malformed
  }

  /// What speaks no HTTP is known by its first bytes, and a line without an end by its length.
  private mutating func unfinishedLine(_ bytes: Span<UInt8>) -> Part {
    if bytes.count > Limits.upstreamHead { return fail() }
    let version: StaticString = "HTTP/1."
    guard case .statusLine = state else { return .needMore }
    for i in 0..<min(bytes.count, version.utf8CodeUnitCount) where bytes[i] != version.utf8Start[i] {
      return fail()
    }
    return .needMore
  }

  /// Reads up to the end of a head, or as far as there are whole lines.
  private mutating func nextLines(_ bytes: Span<UInt8>, _ at: inout Int, _ head: inout ResponseHead) -> Part {
    let start = at
    while true {
      if case .fields = state { readPlainFields(bytes, &at, &head) }
      if case .malformed = state { break }
      guard let distance = bytes.extracting(at..<bytes.count).firstIndex(of: UInt8(ascii: "\n")) else {
        break
      }
      let line = at..<at + distance + 1
      let isEnd = readLine(line, in: bytes, &head)
      if case .malformed = state { break }
      at = line.upperBound
      if isEnd { return .head(start..<at, isWhole: true) }
    }
    // What is amiss behind whole lines is told when they have been taken.
    if at > start { return .head(start..<at, isWhole: false) }
    if case .malformed = state { return .malformed }
    return unfinishedLine(bytes.extracting(at..<bytes.count))
  }

  /// Reads the lines that are fields and nothing else.
  private mutating func readPlainFields(_ bytes: Span<UInt8>, _ at: inout Int, _ head: inout ResponseHead) {
    while let line = head.readPlainField(from: at, in: bytes) {
      if line.field.known != .other {
        take(line.field.known, bytes.extracting(line.field.value))
        if case .malformed = state { return }
      }
      at = line.end
    }
  }

  /// True: the head is over.
  private mutating func readLine(_ line: Range<Int>, in bytes: Span<UInt8>, _ head: inout ResponseHead)
    -> Bool
  {
    let kind = head.read(line, in: bytes)
    guard case .fields = state else {
      readStatusLine(bytes.extracting(bytes.withoutLineEnd(line)))
      return false
    }
    switch kind {
    case .field(let field): if field.known != .other { take(field.known, bytes.extracting(field.value)) }
    case .other: readOddLine(bytes.extracting(bytes.withoutLineEnd(line)))
    case .status: state = .malformed
    case .end:
      endHead()
      head.isLengthVoid = isChunked
      return true
    }
    return false
  }

  /// `HTTP/1.x SP 3DIGIT`, then the end or a reason (RFC 9112 §4).
  private mutating func readStatusLine(_ line: Span<UInt8>) {
    state = .malformed
    guard line.count >= 12, line.hasPrefix("HTTP/1."), line[7].isDigit, line[8] == 32,
      line.count == 12 || line[12] == 32, let code = line.extracting(9..<12).decimal, code >= 100,
      line.firstIndex(of: 0) == nil
    else { return }
    status = Int(code)
    // HTTP/1.0 closes unless it says otherwise, which is not waited for.
    endsConnection = line[7] == UInt8(ascii: "0")
    length = nil
    isChunked = false
    state = .fields
  }

  /// The three fields that say where the answer ends (RFC 9112 §6).
  private mutating func take(_ field: KnownField, _ value: Span<UInt8>) {
    if field == .connection {
      if value.firstRangeIgnoringCase(of: "close") != nil { endsConnection = true }
    } else if field == .contentLength {
      guard let given = value.decimal, length == nil || length == given else {
        return state = .malformed
      }
      length = given
    } else if field == .transferEncoding {
      if value.equalsIgnoringCase("chunked"), !isChunked {
        isChunked = true
      } else if !value.equalsIgnoringCase("identity") {
        state = .malformed
      }
    }
  }

  /// A line that is no field as it should be: a folded one (§5.2), or one without a colon. A space between a name and its
  /// colon is a known way to hide a field, and so are control characters behind it: it counts without the one and with
  /// the others.
  private mutating func readOddLine(_ line: Span<UInt8>) {
    let isFolded = line[0] == 32 || line[0] == 9
    guard !isFolded, line.firstIndex(of: 0) == nil, let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
      return state = .malformed
    }
    let name = line.extracting(line.trimmed(0..<colon))
    take(KnownField(name), line.extracting(line.trimmed(colon + 1..<line.count)))
  }

  /// RFC 9112 §6.3: 1. an interim answer, the real one follows; what follows a 101 is no HTTP; 2. one that has no
  /// body; 3. chunks, which outweigh a length; 4. a length; 5. all up to the connection's end.
  private mutating func endHead() {
    if status == 101, request == .upgrade {  // 1
      endsConnection = true
      state = .untilClose
    } else if status < 200 {
      state = status == 101 ? .malformed : .statusLine
    } else if status == 204 || status == 304 || request == .head {  // 2
      state = .complete
    } else if isChunked {  // 3
      if length != nil { endsConnection = true }
      state = .chunked
    } else if let length {  // 4
      state = length == 0 ? .complete : .length(left: length)
    } else {  // 5
      endsConnection = true
      state = .untilClose
    }
  }
}
