// How times, shares and money are written.

extension Money {
  /// Dollars, without zeros at their end.
  package var text: String {
    var out = ByteBuffer()
    out.append(self)
    return out.withBytes { $0.text }
  }
}

extension ByteBuffer {
  /// Milliseconds with two digits behind the point.
  package mutating func append(milliseconds interval: Interval) {
    let hundredths = max(0, interval.nanoseconds) / 10_000
    append(decimal: hundredths / 100)
    let rest = UInt64(hundredths % 100)
    append(word: UInt64(UInt8(ascii: ".")) | (48 + rest / 10) << 8 | (48 + rest % 10) << 16, 3)
  }

  /// `45 s`, `59 min`, `23 h`: whole units that have not been rounded up, at least one second.
  package mutating func append(span: Interval) {
    let seconds = max(1, span.milliseconds / 1000)
    if seconds < 120 {
      append(decimal: seconds)
      append(" s")
    } else if seconds < 7200 {
      append(decimal: seconds / 60)
      append(" min")
    } else {
      append(decimal: seconds / 3600)
      append(" h")
    }
  }

  /// A number between 0 and 1 with four digits behind the point.
  package mutating func append(share: Double) {
    let parts = Int(max(0, min(1, share)) * 10_000 + 0.5)
    append(decimal: parts / 10_000)
    append(".")
    append(UInt8(48 + parts / 1000 % 10))
    append(UInt8(48 + parts / 100 % 10))
    append(UInt8(48 + parts / 10 % 10))
    append(UInt8(48 + parts % 10))
  }

  /// Dollars, without zeros at their end.
  package mutating func append(_ money: Money) { append(billionths: money.billionths) }

  /// A time as OpenAI's rate-limit fields write it: Go's `time.Duration`, as `250ms`, `12s` or `1m5s`.
  package mutating func append(duration: Interval) {
    let milliseconds = max(0, duration.milliseconds)
    if milliseconds == 0 {
      append("0s")
    } else if milliseconds < 1000 {
      append(decimal: milliseconds)
      append("ms")
    } else {
      let seconds = duration.wholeSecondsUp
      if seconds >= 60 {
        append(decimal: seconds / 60)
        append("m")
      }
      append(decimal: seconds % 60)
      append("s")
    }
  }
}
