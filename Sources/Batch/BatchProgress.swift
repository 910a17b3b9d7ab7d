internal import Base
internal import CLinux
internal import Lab

/// How far a batch is: a line that renews itself on a terminal, and one each minute elsewhere.
struct BatchProgress: ~Copyable {
  private let isTerminal: Bool
  private(set) var next = Instant.distantPast
  private var line = ByteBuffer()

  init() { isTerminal = isatty(STDERR_FILENO) == 1 }

  /// - Parameter waiting: lines that wait, and when the first is due.
  mutating func show(_ totals: BatchTotals, waiting: Int, due: Instant?, since begin: Instant, now: Instant) {
    if now < next { return }
    let isFirst = next == .distantPast
    next = now + (isTerminal ? Limits.loadProgress : Limits.batchReport)
    if isFirst, !isTerminal { return }
    if isTerminal { line.append("\r\u{1b}[K") }
    line.append(decimal: totals.answered)
    line.append(" of ")
    line.append(decimal: totals.lines)
    let elapsed = now - begin
    let rate = elapsed > .zero ? Double(totals.now) / elapsed.seconds : 0
    line.append("  ")
    line.append(fixed: rate, digits: rate < 10 ? 2 : 0)
    line.append("/s")
    if totals.refused > 0 { add(totals.refused, " refused") }
    if totals.failed > 0 { add(totals.failed, " failed") }
    if waiting > 0, let due {
      add(waiting, " waiting, next in ")
      line.append(time: max(.zero, due - now))
    } else if rate > 0 {
      line.append("  ")
      line.append(time: Interval(nanoseconds: Int64(Double(totals.lines - totals.answered) / rate * 1e9)))
      line.append(" left")
    }
    if !isTerminal { line.append("\n") }
    write()
  }

  private mutating func add(_ count: Int, _ what: StaticString) {
    line.append("  ")
    line.append(decimal: count)
    line.append(what)
  }

  /// Says something that stays.
  mutating func say(_ text: StaticString) {
    if isTerminal { line.append("\r\u{1b}[K") }
    line.append(text)
    line.append("\n")
    write()
  }

  mutating func clear() {
    if !isTerminal { return }
    line.append("\r\u{1b}[K")
    write()
  }

  /// A line that the terminal does not take is a line that nobody misses.
  private mutating func write() {
    line.withBytes { bytes in
      bytes.withUnsafeBufferPointer { pointer in
        // Lifetime: write(2) only reads the bytes, during the call.
        _ = CLinux.write(STDERR_FILENO, pointer.baseAddress, pointer.count)
      }
    }
    line.removeAll()
  }
}
