internal import Base

/// Looks at an event stream as it passes (WHATWG HTML §9.2.6); changes nothing and keeps nothing but the line
/// and the event that are half received.
///
/// Until the first content every event is read in full, to tell content from what is empty (`EventReading`).
/// From then on only events that may end the stream, tell usage or report an error are read; the others are
/// counted as content unread.
package struct EventStreamObserver: ~Copyable {
  /// How the answer said that it is over.
  package enum End: UInt8, Sendable {
    case none
    /// `data: [DONE]`
    case done
    /// `response.completed`
    case completed
    /// `response.failed`
    case failed
    /// `response.incomplete`
    case incomplete
    /// `message_stop`
    case messageStop
  }

  /// Events that carry content: everything that is not known to be empty.
  package private(set) var contentEvents = 0
  package private(set) var sawDone = false
  package private(set) var sawErrorFrame = false
  /// A choice of a chat or completion said why it has ended.
  package private(set) var sawFinish = false
  /// The last end that was said; `done` does not hide the one of another dialect before it.
  package private(set) var end = End.none
  package private(set) var usage = TokenUsage()
  /// The name under which the provider keeps the answer (Responses API); empty where it has said none.
  package private(set) var responseName: [UInt8] = []
  /// No event and no line is half received. After `finish()`: as it was before that.
  package var endsBetweenEvents: Bool { isFinished ? endedBetweenEvents : !hasFields && line.isEmpty }

  /// The part of a line that came in earlier pieces, cut at `Limits.eventLine`.
  private var line = ByteBuffer()
  private var isLineCut = false
  private var isFirstLine = true
  /// The last byte was CR: an LF that follows belongs to it.
  private var isAfterReturn = false

  /// The data of the event that is being received, unless it is passed over unread.
  private var data = ByteBuffer()
  private var dataLines = 0
  private var isUnread = false
  private var name = EventName.none
  /// The event has a `data` or `event` field.
  private var hasFields = false

  private var isFinished = false
  private var endedBetweenEvents = true
  private var probe = JSONProbe()

  package init() {}

  package var hasContent: Bool { contentEvents > 0 }

  /// Forgets the stream and keeps a small buffer.
  package mutating func reset() {
    contentEvents = 0
    sawDone = false
    sawErrorFrame = false
    sawFinish = false
    end = .none
    usage = TokenUsage()
    if !responseName.isEmpty { responseName = [] }
    line.recycle(keeping: Limits.keptBuffer)
    isLineCut = false
    isFirstLine = true
    isAfterReturn = false
    forgetEvent()
    isFinished = false
  }

  /// Looks at the next piece of the body, cut anywhere.
  package mutating func observe(_ piece: Span<UInt8>) {
    var at = 0
    if isAfterReturn, piece.count > 0 {
      isAfterReturn = false
      if piece[0] == UInt8(ascii: "\n") { at = 1 }
    }
    // Each kind of line end is looked for once a piece, not once a line: most streams have no CR at all.
    var lineFeed = piece.place(of: UInt8(ascii: "\n"), from: at)
    var carriageReturn = piece.place(of: UInt8(ascii: "\r"), from: at)
    while at < piece.count {
      let lineEnd = min(lineFeed, carriageReturn)
      if lineEnd == piece.count {
        keep(piece.extracting(at..<lineEnd))
        return
      }
      let text = piece.extracting(at..<lineEnd)
      at = lineEnd + 1
      if !line.isEmpty {
        keep(text)
        readKeptLine()
      } else if lineEnd == lineFeed, isMereContent(text, before: piece, at) {
        contentEvents += 1
        at += 1
      } else {
        readLine(text)
      }
      if lineEnd == carriageReturn {
        if at == piece.count { isAfterReturn = true }
        if lineFeed == at { at += 1 }
        carriageReturn = piece.place(of: UInt8(ascii: "\r"), from: at)
      }
      if lineFeed < at { lineFeed = piece.place(of: UInt8(ascii: "\n"), from: at) }
    }
  }

  /// Whether a line is a whole event that only needs to be counted, as nearly all of a stream are. `next`: where in the
  /// piece the next line begins.
  @inline(__always)
  private func isMereContent(_ line: Span<UInt8>, before piece: Span<UInt8>, _ next: Int) -> Bool {
    guard hasContent, !hasFields, !isFirstLine, next < piece.count, piece[next] == UInt8(ascii: "\n") else {
      return false
    }
    return line.hasPrefix("data: {") && !line.extracting(6..<line.count).needsReading
  }

  /// The body is over. An event without its empty line is looked at too if its data is complete in itself:
  /// some providers end with `data: [DONE]` and nothing behind it.
  package mutating func finish() {
    endedBetweenEvents = endsBetweenEvents
    isFinished = true
    if !line.isEmpty { readKeptLine() }
    dispatch()
  }

  private mutating func keep(_ part: Span<UInt8>) {
    let room = Limits.eventLine - line.count
    if part.count > room { isLineCut = true }
    line.append(part.extracting(0..<min(room, part.count)))
  }

  private mutating func readKeptLine() {
    var kept = line.take()
    readLine(kept.bytes)
    kept.removeAll()
    line = kept
    isLineCut = false
  }

  /// Reads one line, without its line end.
  private mutating func readLine(_ whole: Span<UInt8>) {
    var text = whole
    if isFirstLine {
      isFirstLine = false
      if text.hasPrefix("\u{FEFF}") { text = text.extracting(3..<text.count) }
    }
    if text.isEmpty {
      dispatch()
    } else if let value = text.fieldValue("data") {
      hasFields = true
      readData(value)
    } else if let value = text.fieldValue("event") {
      hasFields = true
      name = EventName(value)
    } else if let value = text.fieldValue("error"), value.hasPrefix("{") {
      // llama.cpp before 2026: the standard knows no such field, and its readers pass it over.
      hasFields = true
      name = .error
      readData(value)
    }
  }

  private mutating func readData(_ value: Span<UInt8>) {
    // Believed before the event's empty line has come: some providers never send that.
    if value.equals("[DONE]") { noteDone() }
    if dataLines == 0, hasContent { isUnread = name.isUnimportant && !value.needsReading }
    dataLines += 1
    if isUnread { return }
    if isLineCut || data.count + value.count >= Limits.eventLine {
      if dataLines == 1, name.isUnimportant { name = value.leadingType }
      isUnread = true
      return
    }
    if dataLines > 1 { data.append(UInt8(ascii: "\n")) }
    data.append(value)
  }

  /// The event is complete.
  private mutating func dispatch() {
    guard hasFields else { return }
    if isUnread {
      if name == .error || name == .responseFailed { sawErrorFrame = true }
      if !name.isEmpty { contentEvents += 1 }
      if name.end != .none { end = name.end }
    } else if dataLines > 0 {
      let reading = data.withBytes { EventReading($0, name: name, probe: &probe) }
      // What was cut off in the middle of its data is no event.
      if !isFinished || reading.isJSON || reading.isDone { note(reading) }
      if let name = reading.responseName, responseName.isEmpty, name.count <= Limits.responseName {
        responseName = data.withBytes(name) { $0.array }
      }
    }
    forgetEvent()
  }

  private mutating func note(_ reading: EventReading) {
    if reading.isContent { contentEvents += 1 }
    if reading.isError { sawErrorFrame = true }
    if reading.isFinish { sawFinish = true }
    if reading.isDone { noteDone() } else if reading.end != .none { end = reading.end }
    usage.merge(reading.usage)
  }

  private mutating func noteDone() {
    sawDone = true
    if end == .none { end = .done }
  }

  private mutating func forgetEvent() {
    data.recycle(keeping: Limits.keptBuffer)
    dataLines = 0
    isUnread = false
    name = .none
    hasFields = false
  }
}

extension Span<UInt8> {
  /// The first place of a byte at or behind `start`, else the end.
  fileprivate func place(of byte: UInt8, from start: Int) -> Int {
    guard start < count, let distance = extracting(start..<count).firstIndex(of: byte) else { return count }
    return start + distance
  }

  /// The value of a field line with that name: behind the colon and at most one space.
  @_lifetime(copy self)
  fileprivate func fieldValue(_ name: StaticString) -> Span<UInt8>? {
    let n = name.utf8CodeUnitCount
    guard hasPrefix(name) else { return nil }
    if count == n { return extracting(n..<n) }
    guard self[n] == UInt8(ascii: ":") else { return nil }
    let start = count > n + 1 && self[n + 1] == 32 ? n + 2 : n + 1
    return extracting(start..<count)
  }
}
