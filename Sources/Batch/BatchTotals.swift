package import Base
internal import Wire

/// What has come of the lines so far, this run's and those of earlier ones.
package struct BatchTotals: Equatable, Sendable {
  package internal(set) var lines = 0
  /// Lines that stand in the output.
  package internal(set) var answered = 0
  /// Of those, the ones whose status is not 2xx.
  package internal(set) var refused = 0
  /// Answers of this run.
  package internal(set) var now = 0
  /// Lines that this run gave up.
  package internal(set) var failed = 0
  /// Times that a 429 or 503 was waited out.
  package internal(set) var waits = 0
  package internal(set) var inputTokens: Quantity = 0
  package internal(set) var outputTokens: Quantity = 0
  package internal(set) var elapsed = Interval.zero
  package internal(set) var wasInterrupted = false

  package var isComplete: Bool { answered == lines && refused == 0 }

  mutating func count(_ usage: TokenUsage) {
    inputTokens += usage.input ?? 0
    outputTokens += usage.output ?? 0
  }

  /// What stands at the end of a run.
  package func table() -> ByteBuffer {
    var out = ByteBuffer()
    func row(_ name: StaticString, _ value: Int64, into out: inout ByteBuffer) {
      out.append(name)
      out.append(decimal: value)
    }
    row("lines       ", Int64(lines), into: &out)
    row("\nanswered    ", Int64(answered), into: &out)
    if refused > 0 { row(", of them refused ", Int64(refused), into: &out) }
    row("\nthis run    ", Int64(now), into: &out)
    out.append(" in ")
    out.append(time: elapsed)
    if failed > 0 { row("\nfailed      ", Int64(failed), into: &out) }
    if waits > 0 { row("\nwaited out  ", Int64(waits), into: &out) }
    row("\ntokens      ", inputTokens.value, into: &out)
    row(" in, ", outputTokens.value, into: &out)
    out.append(" out\n")
    if answered < lines {
      row("", Int64(lines - answered), into: &out)
      out.append(" lines have no answer yet: start it again to go on\n")
    } else if refused > 0 {
      out.append("the status and reason of what was refused stand in its line\n")
    }
    return out
  }
}

extension ByteBuffer {
  /// `7 s`, `12 min 5 s`, `3 h 20 min`.
  mutating func append(time: Interval) {
    let seconds = max(0, time.milliseconds / 1000)
    if seconds >= 3600 {
      append(decimal: seconds / 3600)
      append(" h ")
    }
    if seconds >= 60 {
      append(decimal: seconds / 60 % 60)
      append(" min")
    }
    if seconds < 3600 {
      if seconds >= 60 { append(" ") }
      append(decimal: seconds % 60)
      append(" s")
    }
  }
}
