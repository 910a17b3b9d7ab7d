package import Base
package import Wire

/// Reads an HTTP/1.1 answer as it arrives. It keeps nothing of it unless that is asked for.
package struct AnswerReader: ~Copyable {
  package enum Progress: Equatable, Sendable {
    case needMore
    case complete
    /// It is not an HTTP answer.
    case malformed
  }

  private var framing = AnswerFraming()
  private var fields = ResponseHead()
  /// A line of the head that has come in part.
  private var pending = ByteBuffer()
  private var progress = Progress.needMore
  /// Nothing has come yet.
  package private(set) var isUntouched = true
  package var isEventStream: Bool { fields.tellsEventStream == true }
  /// Bytes of the body so far.
  package private(set) var bodyCount = 0
  package private(set) var observer = EventStreamObserver()
  /// The head's lines and the body are kept, at most `Limits.batchAnswer` bytes of it.
  private let keeps: Bool
  package private(set) var head = ByteBuffer()
  package private(set) var body = ByteBuffer()

  package var status: Int { framing.status }
  package var closes: Bool { framing.endsConnection }

  package init(keeps: Bool = false) { self.keeps = keeps }

  package mutating func reset() {
    head.removeAll()
    body.recycle(keeping: Limits.keptBuffer)
    framing = AnswerFraming()
    fields.clear()
    pending.removeAll()
    progress = .needMore
    isUntouched = true
    bodyCount = 0
    observer.reset()
  }

  /// Takes the next bytes. Bytes behind the end of the answer are dropped: nothing was asked for yet.
  package mutating func read(_ bytes: Span<UInt8>) -> Progress {
    if bytes.count > 0 { isUntouched = false }
    if pending.isEmpty {
      pending.append(bytes.extracting(take(bytes)..<bytes.count))
    } else {
      pending.append(bytes)
      var all = pending.take()
      all.consume(take(all.bytes))
      pending = all.take()
    }
    return progress
  }

  /// The peer sends nothing more: whether the answer is whole.
  package mutating func readEnd() -> Bool {
    progress != .malformed && framing.isWholeAtClose
  }

  /// Takes in all but the line that has come in part; returns how many bytes.
  private mutating func take(_ bytes: Span<UInt8>) -> Int {
    var at = 0
    while progress == .needMore {
      switch framing.next(bytes, &at, head: &fields) {
      case .head(let lines, _): if keeps { head.append(bytes.extracting(lines)) }
      case .body(let piece):
        bodyCount += piece.count
        if keeps {
          if bodyCount > Limits.batchAnswer { progress = .malformed }
          body.append(bytes.extracting(piece))
        }
        if isEventStream { observer.observe(bytes.extracting(piece)) }
      case .needMore: return at
      case .complete: progress = .complete
      case .malformed: progress = .malformed
      }
    }
    return bytes.count
  }
}
