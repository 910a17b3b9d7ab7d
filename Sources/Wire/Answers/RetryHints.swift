package import Base

/// What a provider says about when to come back.
///
/// Times are as said, not capped: that is the caller's. What is negative, no number or further ahead than
/// `Limits.believableReset` is not believed at all.
package enum RetryHints {
  /// The time to stay away, from an answer's head and the start of its body; nil where nothing usable is said.
  ///
  /// The first that is there: 1. `retry-after-ms`, 2. `Retry-After`, 3. a member of the body, 4. the longest reset of
  /// a quota that is used up, 5. the first time in the body's sentence, which `error` is, 6. for a rate, the shortest
  /// reset of any quota. `zone`, east of UTC, is that of a sentence's dates that name none.
  package static func interval(
    _ head: ResponseHead, in raw: Span<UInt8>, body: Span<UInt8>, error: Span<UInt8>, isRate: Bool,
    zone: Interval, now: WallTime
  ) -> Interval? {
    if let range = head.value(of: "retry-after-ms", in: raw),  // 1
      let milliseconds = raw.extracting(range).floatingPoint,
      let interval = believable(seconds: milliseconds / 1000)
    {
      return interval
    }
    if let range = head.value(of: "retry-after", in: raw),  // 2
      let interval = retryAfter(raw.extracting(range), now: now)
    {
      return interval
    }
    if let interval = member(of: body, now: now) { return interval }  // 3
    if let interval = exhaustedReset(head, in: raw, now: now) { return interval }  // 4
    if let interval = RetrySentence.interval(in: error, now: now, zone: zone) { return interval }  // 5
    if !isRate { return nil }
    var shortest: Interval?  // 6
    for i in head.fields.indices where raw.extracting(head.fields[i].name).isReset {
      guard let reset = resetInterval(raw.extracting(head.fields[i].value), now: now) else { continue }
      if reset > .zero, reset < shortest ?? reset + .seconds(1) { shortest = reset }
    }
    return shortest
  }

  /// The same of an answer of which no more is known.
  package static func interval(
    _ head: ResponseHead, in raw: Span<UInt8>, body: Span<UInt8>, now: WallTime
  ) -> Interval? {
    let error = ErrorBody(body)
    return interval(
      head, in: raw, body: body, error: error.text.span, isRate: true, zone: .zero, now: now)
  }

  /// `Retry-After` (RFC 9110 §10.2.3): seconds, also with a fraction, or an HTTP date; and whatever else
  /// `resetInterval` reads. A date in the past means now.
  package static func retryAfter(_ value: Span<UInt8>, now: WallTime) -> Interval? {
    if let date = HTTPDate.parse(value, now: now) { return until(date, now: now) }
    return resetInterval(value, now: now)
  }

  /// Reads a reset value: Go duration, seconds, epoch seconds, epoch milliseconds or RFC 3339.
  ///
  /// A plain number is told apart by its size: below 10⁹ (31 years) it is seconds from now, below 10¹¹ (the
  /// year 5138) epoch seconds, else epoch milliseconds. A date in the past means now.
  package static func resetInterval(_ value: Span<UInt8>, now: WallTime) -> Interval? {
    if let number = value.floatingPoint {
      if number < 1e9 { return believable(seconds: number) }
      let milliseconds = number < 1e11 ? number * 1000 : number
      guard milliseconds < 1e15 else { return nil }
      return until(WallTime(milliseconds: Int64(milliseconds)), now: now)
    }
    if let date = HTTPDate.parseRFC3339(value) { return until(date, now: now) }
    return goDuration(value)
  }

  static func until(_ date: WallTime, now: WallTime) -> Interval? {
    let (milliseconds, overflow) = date.milliseconds.subtractingReportingOverflow(now.milliseconds)
    if overflow { return nil }
    return believable(seconds: Double(max(0, milliseconds)) / 1000)
  }

  static func believable(seconds: Double) -> Interval? {
    guard seconds >= 0, seconds <= Limits.believableReset.seconds else { return nil }
    return Interval(nanoseconds: Int64(seconds * 1e9))
  }

  /// Go's `time.Duration` text: `1h2m3.5s`, `6m0s`, `12ms`, `7d` with days besides.
  private static func goDuration(_ text: Span<UInt8>) -> Interval? {
    var at = 0
    var total = 0.0
    while at < text.count {
      let start = at
      while at < text.count, text[at].isDigit || text[at] == UInt8(ascii: ".") { at += 1 }
      guard let number = text.extracting(start..<at).floatingPoint else { return nil }
      let unit = at
      while at < text.count, !text[at].isDigit { at += 1 }
      guard let scale = unitSeconds(text.extracting(unit..<at)) else { return nil }
      total += number * scale
    }
    return text.isEmpty ? nil : believable(seconds: total)
  }

  /// Of Go's units.
  static func unitSeconds(_ unit: Span<UInt8>) -> Double? {
    if unit.equals("s") { return 1 }
    if unit.equals("ms") { return 1e-3 }
    if unit.equals("us") || unit.equals("µs") { return 1e-6 }
    if unit.equals("ns") { return 1e-9 }
    if unit.equals("m") { return 60 }
    if unit.equals("h") { return 3600 }
    return unit.equals("d") ? 86400 : nil
  }

  /// The members that tell it, wherever they stand in the body: `retryDelay` of google.rpc.RetryInfo and
  /// `quotaResetDelay` beside it; what OpenAI's subscriptions say (`resets_in_seconds`, `resets_at`); `retry_after`;
  /// and the header that OpenRouter repeats there.
  private static func member(of body: Span<UInt8>, now: WallTime) -> Interval? {
    let names: [StaticString] = [
      "\"retryDelay\"", "\"quotaResetDelay\"", "\"resets_in_seconds\"", "\"resets_at\"", "\"retry_after\"",
      "\"X-RateLimit-Reset\"",
    ]
    for name in names {
      guard let found = body.firstRange(of: name) else { continue }
      var at = found + name.utf8CodeUnitCount
      JSONGrammar.skipWhitespace(body, &at)
      guard at < body.count, body[at] == UInt8(ascii: ":") else { continue }
      at += 1
      JSONGrammar.skipWhitespace(body, &at)
      if at < body.count, body[at] == UInt8(ascii: "\"") { at += 1 }
      var end = at
      while end < min(body.count, at + 40), !isEndOfValue(body[end]) { end += 1 }
      guard end < body.count, let interval = resetInterval(body.extracting(at..<end), now: now),
        interval > .zero
      else { continue }
      return interval
    }
    return nil
  }

  private static func isEndOfValue(_ byte: UInt8) -> Bool {
    byte <= 32 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}")
  }
}
