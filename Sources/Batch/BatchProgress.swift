internal import Base
internal import Lab

/// How far a batch is: a line that renews itself on a terminal, and one each minute elsewhere.
struct BatchProgress: ~Copyable {
  private(set) var next = Instant.distantPast
  private var line = ProgressLine()

  /// - Parameter waiting: lines that wait, and when the first is due.
  mutating func show(_ totals: BatchTotals, waiting: Int, due: Instant?, since begin: Instant, now: Instant) {
    if now < next { return }
    let isFirst = next == .distantPast
    next = now + (line.isTerminal ? Limits.loadProgress : Limits.batchReport)
    if isFirst, !line.isTerminal { return }
    line.begin()
    line.text.append(decimal: totals.answered)
    line.text.append(" of ")
    line.text.append(decimal: totals.lines)
    let elapsed = now - begin
    let rate = elapsed > .zero ? Double(totals.now) / elapsed.seconds : 0
    line.text.append("  ")
    line.text.append(fixed: rate, digits: rate < 10 ? 2 : 0)
    line.text.append("/s")
    if totals.refused > 0 { add(totals.refused, " refused") }
    if totals.failed > 0 { add(totals.failed, " failed") }
    if waiting > 0, let due {
      add(waiting, " waiting, next in ")
      line.text.append(time: max(.zero, due - now))
    } else if rate > 0 {
      line.text.append("  ")
      line.text.append(
        time: Interval(nanoseconds: Int64(Double(totals.lines - totals.answered) / rate * 1e9)))
      line.text.append(" left")
    }
    if !line.isTerminal { line.text.append("\n") }
    line.write()
  }

  private mutating func add(_ count: Int, _ what: StaticString) {
    line.text.append("  ")
    line.text.append(decimal: count)
    line.text.append(what)
  }

  /// Says something that stays.
  mutating func say(_ text: StaticString) {
    line.begin()
    line.text.append(text)
    line.text.append("\n")
    line.write()
  }

  mutating func clear() { line.clear() }
}
