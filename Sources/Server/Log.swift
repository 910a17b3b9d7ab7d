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
  private var dropped = 0
  private(set) var droppedLines = 0
  package var settings: LogSettings
  /// SIGUSR1 has switched debug on, or off where the file has it on.
  package var isSwitched = false
  /// The time of the lines: the loop's, set once a turn.
  var wall: WallTime

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
    var line = LogLine(settings.format, wall, level, behind: lines.take(), scratch: scratch.take())
    fill(&line)
    line.end(into: &lines, scratch: &scratch)
  }

  private func tellDropped() {
    if dropped == 0 { return }
    var line = LogLine(settings.format, wall, .warning, behind: lines.take(), scratch: scratch.take())
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
    _ format: LogSettings.Format, _ wall: WallTime, _ level: LogSettings.Level,
    behind lines: consuming ByteBuffer, scratch: consuming ByteBuffer
  ) {
    self.format = format
    bytes = lines
    value = scratch
    switch format {
    case .logfmt: bytes.append("ts=")
    case .json: bytes.append(#"{"ts":""#)
    }
    bytes.appendTimestamp(wall)
    if case .json = format { bytes.append("\"") }
    switch level {
    case .error: add("level", "error")
    case .warning: add("level", "warning")
    case .info: add("level", "info")
    case .debug: add("level", "debug")
    }
  }

  private mutating func key(_ name: StaticString) {
    switch format {
    case .logfmt:
      bytes.append(" ")
      bytes.append(name)
      bytes.append("=")
    case .json:
      bytes.append(",\"")
      bytes.append(name)
      bytes.append("\":")
    }
  }

  mutating func add(_ name: StaticString, _ number: Int) {
    key(name)
    bytes.append(decimal: number)
  }

  mutating func add(_ name: StaticString, milliseconds time: Interval) {
    key(name)
    bytes.append(milliseconds: time)
  }

  mutating func add(_ name: StaticString, _ text: StaticString) {
    key(name)
    value.removeAll()
    value.append(text)
    appendValue()
  }

  @_disfavoredOverload
  mutating func add(_ name: StaticString, _ text: String) {
    key(name)
    value.removeAll()
    value.append(text)
    appendValue()
  }

  mutating func add(_ name: StaticString, _ text: Span<UInt8>) {
    key(name)
    value.removeAll()
    value.append(text)
    appendValue()
  }

  mutating func add(_ name: StaticString, writing write: (inout ByteBuffer) -> Void) {
    key(name)
    value.removeAll()
    write(&value)
    appendValue()
  }

  /// Quoted as a JSON string where JSON wants it, or where a logfmt reader would lose its way.
  private mutating func appendValue() {
    let isPlain = value.withBytes { text in
      if text.isEmpty { return false }
      for i in 0..<text.count {
        let byte = text[i]
        if byte <= 32 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "=") || byte >= 127 {
          return false
        }
      }
      return true
    }
    if case .logfmt = format, isPlain {
      value.withBytes { bytes.append($0) }
    } else {
      value.withBytes { bytes.append(jsonString: $0) }
    }
  }

  /// Ends the line and gives the memory back.
  mutating func end(into lines: inout ByteBuffer, scratch: inout ByteBuffer) {
    if case .json = format { bytes.append("}") }
    bytes.append("\n")
    lines = bytes.take()
    scratch = value.take()
  }
}

extension ByteBuffer {
  /// RFC 3339 in UTC with milliseconds.
  mutating func appendTimestamp(_ wall: WallTime) {
    let date = CivilDate(wall)
    append(digits: date.year, 4)
    append("-")
    append(digits: date.month, 2)
    append("-")
    append(digits: date.day, 2)
    append("T")
    append(digits: date.hour, 2)
    append(":")
    append(digits: date.minute, 2)
    append(":")
    append(digits: date.second, 2)
    append(".")
    append(digits: Int(wall.milliseconds % 1000), 3)
    append("Z")
  }

  private mutating func append(digits value: Int, _ width: Int) {
    var scale = 1
    for _ in 1..<width { scale *= 10 }
    while scale > 0 {
      append(UInt8(48 + value / scale % 10))
      scale /= 10
    }
  }
}

extension LogSettings.Level {
  var name: String {
    switch self {
    case .error: "error"
    case .warning: "warning"
    case .info: "info"
    case .debug: "debug"
    }
  }
}
