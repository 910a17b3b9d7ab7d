internal import Base

/// The line on a terminal that tells how far a load run is.
struct LoadProgress: ~Copyable {
  private let isShown: Bool
  /// When the line is written again; nil: never.
  private(set) var next: Instant?
  private var line = ProgressLine()

  init(isShown: Bool) {
    self.isShown = isShown && line.isTerminal
    next = self.isShown ? .distantPast : nil
  }

  mutating func show(_ report: LoadReport, since begin: Instant, isWarmingUp: Bool, now: Instant) {
    guard let due = next, due <= now else { return }
    next = now + Limits.loadProgress
    line.begin()
    if isWarmingUp {
      line.text.append("warming up")
    } else {
      line.text.append(fixed: (now - begin).seconds, digits: 1)
      line.text.append(" s  ")
      line.text.append(decimal: report.finished)
      line.text.append(" answers  ")
      let rate = now > begin ? Double(report.completed) / (now - begin).seconds : 0
      line.text.append(fixed: rate, digits: 0)
      line.text.append("/s  ")
      line.text.append(decimal: report.errors.total)
      line.text.append(" errors")
    }
    line.write()
  }

  mutating func clear() { if isShown { line.clear() } }
}
