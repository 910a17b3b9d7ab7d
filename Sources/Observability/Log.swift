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
  package private(set) var droppedLines: Int64 = 0
  package var settings: LogSettings
  /// SIGUSR1 has switched debug on, or off where the file has it on.
  package var isSwitched = false
  /// The time of the lines: the loop's, set once a turn.
  package var wall: WallTime
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
  package var hasLines: Bool { !lines.isEmpty }

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

extension LogSettings.Level {
  package var name: String {
    switch self {
    case .silent: "none"
    case .error: "error"
    case .warning: "warning"
    case .info: "info"
    case .debug: "debug"
    }
  }
}
