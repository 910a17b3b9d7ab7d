package import Base
internal import CLinux
internal import Exchange
package import Policy
internal import Wire

/// The log on stderr: composed in memory, written without ever waiting for the reader.
///
/// A pipe that is writable takes at least PIPE_BUF bytes without blocking (pipe(7)), so pieces of that size are
/// written while poll(2) says so, and the rest waits. At the bound whole lines are dropped, counted, and told.
package final class Log {
  private let descriptor: Int32
  private var lines = ByteBuffer()
  /// A value while it is composed; kept for its memory.
  private var scratch = ByteBuffer()
  /// Writing never waits: a regular file, or the null device.
  private let neverBlocks: Bool
  /// Lines dropped since the last one that told so, and since the start.
  private var dropped: Int64 = 0
  private(set) var droppedLines: Int64 = 0
  package var settings: LogSettings
  /// SIGUSR1 has switched debug on, or off where the file has it on.
  package var isSwitched = false
  /// The time of the lines: the loop's, set once a turn.
  var wall: WallTime
  /// `stampedAt` as text.
  private var stamp = ByteBuffer()
  private var stampedAt = WallTime(milliseconds: -1)

  package init(descriptor: Int32, settings: LogSettings, wall: WallTime) {
    self.wall = wall
    self.descriptor = descriptor
    neverBlocks = linux_never_blocks(descriptor) != 0
    self.settings = settings
  }

  package var level: LogSettings.Level {
    isSwitched ? (settings.level == .debug ? .info : .debug) : settings.level
  }
  var hasLines: Bool { !lines.isEmpty }

  /// Writes one line if its level is wanted: `fill` adds the fields behind time and level.
  func line(_ level: LogSettings.Level, _ fill: (inout LogLine) -> Void) {
    guard level <= self.level else { return }
    if lines.count > Limits.logBuffer {
      dropped += 1
      droppedLines += 1
      return
    }
    tellDropped()
    renewStamp()
    var line = LogLine(settings.format, stamp.bytes, level, behind: lines.take(), scratch: scratch.take())
    fill(&line)
    line.end(into: &lines, scratch: &scratch)
  }

  /// Writes the time anew; within a second only its last digits.
  private func renewStamp() {
    if wall == stampedAt { return }
    if wall.milliseconds / 1000 == stampedAt.milliseconds / 1000, !stamp.isEmpty {
      stamp.truncate(to: stamp.count - 4)
      let hundredths = UInt8(truncatingIfNeeded: wall.milliseconds % 1000 / 10)
      stamp.append(48 + hundredths / 10)
      stamp.append(48 + hundredths % 10)
      stamp.append(48 + UInt8(truncatingIfNeeded: wall.milliseconds % 10))
      stamp.append(UInt8(ascii: "Z"))
    } else {
      stamp.removeAll()
      stamp.append(rfc3339: wall)
    }
    stampedAt = wall
  }

  private func tellDropped() {
    if dropped == 0 { return }
    renewStamp()
    var line = LogLine(settings.format, stamp.bytes, .warning, behind: lines.take(), scratch: scratch.take())
    line.add("msg", "log lines were dropped: their reader is too slow")
    line.add("count", dropped)
    line.end(into: &lines, scratch: &scratch)
    dropped = 0
  }

  package func note(_ level: LogSettings.Level, _ message: StaticString, _ detail: String = "") {
    line(level) { line in
      line.add("msg", message)
      if !detail.isEmpty { line.add("detail", detail) }
    }
  }

  /// Writes what the reader takes now.
  package func flush() {
    while !lines.isEmpty {
      var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard neverBlocks || poll(&ready, 1, 0) == 1 && ready.revents & Int16(POLLOUT) != 0 else {
        if ready.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { lines.release() }
        return
      }
      let piece = neverBlocks ? lines.count : min(lines.count, Int(PIPE_BUF))
      let written = lines.withBytes(0..<piece) { bytes in
        bytes.withUnsafeBufferPointer { write(descriptor, $0.baseAddress, $0.count) }
      }
      guard written > 0 else {
        if written < 0, linux_errno() != EINTR, linux_errno() != EAGAIN { lines.release() }
        return
      }
      lines.consume(written)
      // The reader is back: it hears at once what it missed.
      if lines.isEmpty { tellDropped() }
    }
    lines.recycle(keeping: Limits.keptBuffer)
  }
}

/// One line of the log being written: `logfmt` (`key=value`, quoted where needed) or JSON.
struct LogLine: ~Copyable {
  private let format: LogSettings.Format
  private var bytes: ByteBuffer
  private var value: ByteBuffer

  /// Begins a line behind those that wait already.
  init(
    _ format: LogSettings.Format, _ stamp: Span<UInt8>, _ level: LogSettings.Level,
    behind lines: consuming ByteBuffer, scratch: consuming ByteBuffer
  ) {
    self.format = format
    bytes = lines
    value = scratch
    switch format {
    case .logfmt: bytes.append("ts=")
    case .json: bytes.append(#"{"ts":""#)
    }
    bytes.append(stamp)
    if case .json = format { bytes.append("\"") }
    switch level {
    case .silent, .error: add("level", "error")
    case .warning: add("level", "warning")
    case .info: add("level", "info")
    case .debug: add("level", "debug")
    }
  }

  private mutating func key(_ name: StaticString) {
    switch format {
    case .logfmt:
      bytes.append(UInt8(ascii: " "))
      bytes.append(name)
      bytes.append(UInt8(ascii: "="))
    case .json:
      bytes.append(",\"")
      bytes.append(name)
      bytes.append("\":")
    }
  }

  mutating func add(_ name: StaticString, _ number: some FixedWidthInteger) {
    key(name)
    bytes.append(decimal: number)
  }

  mutating func add(_ name: StaticString, milliseconds time: Interval) {
    key(name)
    bytes.append(milliseconds: time)
  }

  mutating func add(_ name: StaticString, _ text: StaticString) {
    add(name) { $0.append(text) }
  }

  @_disfavoredOverload
  mutating func add(_ name: StaticString, _ text: String) {
    add(name) { $0.append(text) }
  }

  mutating func add(_ name: StaticString, _ text: Span<UInt8>) {
    key(name)
    let start = bytes.count
    bytes.append(text)
    quote(from: start)
  }

  mutating func add(_ name: StaticString, writing write: (inout ByteBuffer) -> Void) {
    key(name)
    let start = bytes.count
    write(&bytes)
    quote(from: start)
  }

  /// Quotes the value that begins at `start` as a JSON string, where JSON wants it or a logfmt reader would lose
  /// its way. Few values need it, so they are written first and looked at then.
  private mutating func quote(from start: Int) {
    if case .logfmt = format, Self.isPlain(bytes.bytes.extracting(start..<bytes.count)) { return }
    value.removeAll()
    bytes.withBytes(start..<bytes.count) { value.append($0) }
    bytes.truncate(to: start)
    value.withBytes { bytes.append(jsonString: $0) }
  }

  private static func isPlain(_ text: Span<UInt8>) -> Bool {
    if text.isEmpty { return false }
    var at = 0
    while at &+ 8 <= text.count {
      let word = text.word(at: at)
      // What is not plain leaves its high bit, and so does what is not ASCII.
      let blanks: UInt64 = word &- .every(33)
      let quotes: UInt64 = (word ^ .every(UInt8(ascii: "\""))) &- .every(1)
      let equals: UInt64 = (word ^ .every(UInt8(ascii: "="))) &- .every(1)
      let deletes: UInt64 = (word ^ .every(127)) &- .every(1)
      if (word | blanks | quotes | equals | deletes) & .highBits != 0 { return false }
      at &+= 8
    }
    while at < text.count {
      let byte = text[at]
      if byte <= 32 || byte >= 127 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "=") { return false }
      at &+= 1
    }
    return true
  }

  /// Ends the line and gives the memory back.
  mutating func end(into lines: inout ByteBuffer, scratch: inout ByteBuffer) {
    if case .json = format { bytes.append("}") }
    bytes.append("\n")
    lines = bytes.take()
    scratch = value.take()
  }
}

extension LogSettings.Level {
  var name: String {
    switch self {
    case .silent: "none"
    case .error: "error"
    case .warning: "warning"
    case .info: "info"
    case .debug: "debug"
    }
  }
}
