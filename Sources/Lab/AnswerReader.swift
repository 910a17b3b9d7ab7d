internal import Base
package import Wire

/// Reads an HTTP/1.1 answer as it arrives and keeps none of its body.
package struct AnswerReader: ~Copyable {
  package enum Progress: Equatable, Sendable {
    case needMore
    case complete
    /// It is not an HTTP answer.
    case malformed
  }

  private enum State: Equatable {
    case head
    case length(left: Int)
    case untilClose
    /// In the digits of a chunk's size.
    case chunkSize
    /// Behind the size, up to the line's end.
    case chunkExtension
    case chunkData(left: Int)
    case chunkEnd
    /// In the trailer section; how many bytes of its current line were there.
    case trailer(lineLength: Int)
    case complete
    case malformed
  }

  private var state = State.head
  private var lines = ByteBuffer()
  private var head = ResponseHead()
  private var chunkSize = 0
  package private(set) var status = 0
  package private(set) var isEventStream = false
  package private(set) var closes = false
  /// Bytes of the body so far.
  package private(set) var bodyCount = 0
  package private(set) var observer = EventStreamObserver()

  /// Nothing has come yet.
  package var isUntouched: Bool { state == .head && lines.isEmpty }

  package init() {}

  package mutating func reset() {
    state = .head
    lines.removeAll()
    status = 0
    isEventStream = false
    closes = false
    bodyCount = 0
    chunkSize = 0
    observer.reset()
  }

  /// Takes the next bytes. Bytes behind the end of the answer are dropped: nothing was asked for yet.
  package mutating func read(_ bytes: Span<UInt8>) -> Progress {
    var at = 0
    while at < bytes.count {
      switch state {
      case .head: at = readHead(bytes, from: at)
      case .length(let left):
        let n = min(left, bytes.count - at)
        take(bytes.extracting(at..<at + n))
        at += n
        state = left == n ? .complete : .length(left: left - n)
      case .untilClose:
        take(bytes.extracting(at..<bytes.count))
        at = bytes.count
      case .chunkData(let left):
        let n = min(left, bytes.count - at)
        take(bytes.extracting(at..<at + n))
        at += n
        state = left == n ? .chunkEnd : .chunkData(left: left - n)
      case .chunkSize, .chunkExtension, .chunkEnd, .trailer:
        readFraming(bytes[at])
        at += 1
      case .complete: return .complete
      case .malformed: return .malformed
      }
    }
    return progress
  }

  /// The peer sends nothing more: whether the answer is whole.
  package mutating func readEnd() -> Bool {
    if state == .untilClose { state = .complete }
    return state == .complete
  }

  private var progress: Progress {
    switch state {
    case .complete: .complete
    case .malformed: .malformed
    case .head, .length, .untilClose, .chunkSize, .chunkExtension, .chunkData, .chunkEnd, .trailer: .needMore
    }
  }

  private mutating func take(_ piece: Span<UInt8>) {
    bodyCount += piece.count
    if isEventStream { observer.observe(piece) }
  }

  /// Reads lines of the head; returns where it stopped.
  private mutating func readHead(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var at = start
    while at < bytes.count {
      let distance = bytes.extracting(at..<bytes.count).firstIndex(of: UInt8(ascii: "\n"))
      let end = distance.map { at + $0 + 1 } ?? bytes.count
      let lineStart = lines.count
      lines.append(bytes.extracting(at..<end))
      at = end
      if lines.count > Limits.upstreamHead {
        state = .malformed
        return at
      }
      if distance != nil, endsHead(lineStart: lineStart) {
        readFields()
        return at
      }
    }
    return at
  }

  /// The buffer ends with an empty line. `lineStart` is where the newest bytes begin.
  private func endsHead(lineStart: Int) -> Bool {
    let n = lines.count
    guard n >= 2, lines[n - 1] == UInt8(ascii: "\n") else { return false }
    if lines[n - 2] == UInt8(ascii: "\n") { return true }
    return n >= 3 && lines[n - 2] == UInt8(ascii: "\r") && lines[n - 3] == UInt8(ascii: "\n")
  }

  private mutating func readFields() {
    var length: Int?
    var isChunked = false
    lines.withBytes { raw in
      guard head.parse(raw) else { return }
      status = head.status
      if let range = head.value(of: "content-length", in: raw) {
        length = raw.extracting(range).decimal.map { Int($0) }
      }
      if let range = head.value(of: "transfer-encoding", in: raw) {
        isChunked = raw.extracting(range).equalsIgnoringCase("chunked")
      }
      if let range = head.value(of: "connection", in: raw) {
        closes = raw.extracting(range).equalsIgnoringCase("close")
      }
      if let range = head.value(of: "content-type", in: raw) {
        isEventStream = raw.extracting(range).firstRangeIgnoringCase(of: "text/event-stream") == 0
      }
    }
    lines.removeAll()
    if status < 100 {
      state = .malformed
    } else if status < 200 {
      // An interim answer (RFC 9110 §15.2): the real one follows.
      state = .head
    } else if status == 204 || status == 304 {
      state = .complete
    } else if isChunked {
      state = .chunkSize
    } else if let length {
      state = length == 0 ? .complete : .length(left: length)
    } else {
      closes = true
      state = .untilClose
    }
  }

  /// Reads one byte between the chunks (RFC 9112 §7.1).
  private mutating func readFraming(_ byte: UInt8) {
    let isLineFeed = byte == UInt8(ascii: "\n")
    switch state {
    case .chunkSize:
      if let digit = byte.hexValue {
        chunkSize = chunkSize << 4 | Int(digit)
        if chunkSize > 1 << 40 { state = .malformed }
      } else if isLineFeed {
        beginChunk()
      } else {
        state = .chunkExtension
      }
    case .chunkExtension: if isLineFeed { beginChunk() }
    case .chunkEnd:
      if isLineFeed {
        chunkSize = 0
        state = .chunkSize
      } else if byte != UInt8(ascii: "\r") {
        state = .malformed
      }
    case .trailer(let lineLength):
      if isLineFeed {
        state = lineLength == 0 ? .complete : .trailer(lineLength: 0)
      } else if byte != UInt8(ascii: "\r") {
        state = .trailer(lineLength: lineLength + 1)
      }
    case .head, .length, .untilClose, .chunkData, .complete, .malformed: break
    }
  }

  private mutating func beginChunk() {
    state = chunkSize == 0 ? .trailer(lineLength: 0) : .chunkData(left: chunkSize)
  }
}
