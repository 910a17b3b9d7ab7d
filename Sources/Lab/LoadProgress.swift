internal import Base
internal import CLinux

/// The line on a terminal that tells how far a load run is.
struct LoadProgress: ~Copyable {
  private let isShown: Bool
  /// When the line is written again; nil: never.
  private(set) var next: Instant?
  private var line = ByteBuffer()

  init(isShown: Bool) {
    self.isShown = isShown && isatty(2) == 1
    next = self.isShown ? .distantPast : nil
  }

  mutating func show(_ report: LoadReport, since begin: Instant, isWarmingUp: Bool, now: Instant) {
    guard let due = next, due <= now else { return }
    next = now + Limits.loadProgress
    line.append("\r\u{1b}[K")
    if isWarmingUp {
      line.append("warming up")
    } else {
      line.append(fixed: (now - begin).seconds, digits: 1)
      line.append(" s  ")
      line.append(decimal: report.finished)
      line.append(" answers  ")
      let rate = now > begin ? Double(report.completed) / (now - begin).seconds : 0
      line.append(fixed: rate, digits: 0)
      line.append("/s  ")
      line.append(decimal: report.errors.total)
      line.append(" errors")
    }
    write()
  }

  mutating func clear() {
    if !isShown { return }
    line.append("\r\u{1b}[K")
    write()
  }

  /// A line that the terminal does not take is a line that nobody misses.
  private mutating func write() {
    line.withBytes { bytes in
      bytes.withUnsafeBufferPointer { pointer in
        // Lifetime: write(2) only reads the bytes, during the call.
        _ = CLinux.write(2, pointer.baseAddress, pointer.count)
      }
    }
    line.removeAll()
  }
}
