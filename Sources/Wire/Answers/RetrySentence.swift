internal import Base

/// The time to come back that an error's sentence gives.
///
/// Forms that providers write:
/// * OpenAI, Groq: "Please try again in 7m12s.", "in 20ms"; Google: "Please retry in 47.434392449s.", "Your quota
///   will reset after 27h41m36s", "Resets in 9h22m20s."
/// * Azure: "Please retry after 86400 seconds."; Moonshot: "please try again after 1 seconds"
/// * GitHub: "Please wait 42 seconds before retrying.", "Please wait 10 hours 58 minutes before trying again",
///   "Please wait for your limit to reset in 3 hours 49 minutes"; others: "Try again in about 3 hours."
/// * Anthropic: "You will regain access on 2026-04-01 at 00:00 UTC."
/// * Z.ai and Zhipu: "Your limit will reset at 2026-08-17 02:56:15", "将在 2026-08-25 07:41:44 重置"
enum RetrySentence {
  /// The first time in the text: 1. behind a word that announces it ("retry", "again", "wait", "reset", "access" …)
  /// and small words between, a duration or a date to come; 2. else a date to come with a time of day, wherever it
  /// stands. `zone` is east of UTC: that of dates that name none. What lies in the past is no time to come back.
  static func interval(in text: Span<UInt8>, now: WallTime, zone: Interval) -> Interval? {
    var at = 0
    while let word = text.nextWord(from: at) {  // 1
      at = word.upperBound
      guard isCue(text.extracting(word)) else { continue }
      var reader = TimeReader(text: text, at: at)
      reader.skipSmallWords()
      if let interval = reader.duration() { return interval }
      if let date = reader.date(zone: zone), let interval = RetryHints.until(date, now: now), interval > .zero
      {
        return interval
      }
    }
    at = 0
    while at < text.count {  // 2
      if text[at].isDigit, at == 0 || !text[at - 1].isDigit {
        var reader = TimeReader(text: text, at: at)
        if let date = reader.date(zone: zone), reader.hasTimeOfDay,
          let interval = RetryHints.until(date, now: now), interval > .zero
        {
          return interval
        }
      }
      at += 1
    }
    return nil
  }

  private static func isCue(_ word: Span<UInt8>) -> Bool {
    word.hasPrefixIgnoringCase("retry") || word.hasPrefixIgnoringCase("reset")
      || word.equalsIgnoringCase("again") || word.equalsIgnoringCase("wait")
      || word.equalsIgnoringCase("access") || word.equalsIgnoringCase("available")
      || word.equalsIgnoringCase("back") || word.equalsIgnoringCase("until")
  }
}

/// Reads a duration or a date out of a sentence, from one place on.
private struct TimeReader: ~Escapable {
  let text: Span<UInt8>
  var at: Int
  /// The date that was read had one.
  private(set) var hasTimeOfDay = false

  @_lifetime(copy text)
  init(text: Span<UInt8>, at: Int) {
    self.text = text
    self.at = at
  }

  /// Goes behind what may stand between the announcing word and the time.
  mutating func skipSmallWords() {
    for _ in 0..<6 {
      while at < text.count, text[at] == 32 || text[at] == UInt8(ascii: ":") || text[at] == UInt8(ascii: "~")
      {
        at += 1
      }
      guard at < text.count, text[at].isLetter, let word = text.nextWord(from: at) else { return }
      let small = text.extracting(word)
      guard
        small.equalsIgnoringCase("in") || small.equalsIgnoringCase("after") || small.equalsIgnoringCase("at")
          || small.equalsIgnoringCase("on") || small.equalsIgnoringCase("for")
          || small.equalsIgnoringCase("about") || small.equalsIgnoringCase("approximately")
          || small.equalsIgnoringCase("another") || small.equalsIgnoringCase("least")
          || small.equalsIgnoringCase("again") || small.equalsIgnoringCase("until")
      else { return }
      at = word.upperBound
    }
  }

  /// `7m12s`, `47.434392449s`, `20ms`, `86400 seconds`, `10 hours 58 minutes`, `3h 47m`, `1 hour and 5 minutes`, `an hour`.
  mutating func duration() -> Interval? {
    var total = 0.0
    var next = at
    var parts = 0
    while let part = part(from: next) {
      total += part.seconds
      parts += 1
      at = part.end
      next = at
      if next < text.count, text[next] == UInt8(ascii: ",") { next += 1 }
      while next < text.count, text[next] == 32 { next += 1 }
      if text.extracting(next..<text.count).hasPrefixIgnoringCase("and ") { next += 4 }
    }
    return parts == 0 ? nil : RetryHints.believable(seconds: total)
  }

  /// A number and its unit.
  private func part(from start: Int) -> (seconds: Double, end: Int)? {
    var end = start
    if text.extracting(start..<text.count).hasPrefixIgnoringCase("an ") { return one(unit: start + 3) }
    if text.extracting(start..<text.count).hasPrefixIgnoringCase("a ") { return one(unit: start + 2) }
    while end < text.count, text[end].isDigit { end += 1 }
    if end > start, end + 1 < text.count, text[end] == UInt8(ascii: "."), text[end + 1].isDigit {
      end += 1
      while end < text.count, text[end].isDigit { end += 1 }
    }
    guard let number = text.extracting(start..<end).floatingPoint else { return nil }
    while end < text.count, text[end] == 32 { end += 1 }
    guard let unit = one(unit: end) else { return nil }
    return (number * unit.seconds, unit.end)
  }

  private func one(unit start: Int) -> (seconds: Double, end: Int)? {
    var end = start
    while end < text.count, text[end].isLetter || text[end] >= 0x80 { end += 1 }
    let unit = text.extracting(start..<end)
    guard let scale = RetryHints.unitSeconds(unit) ?? Self.wordSeconds(unit) else { return nil }
    return (scale, end)
  }

  private static func wordSeconds(_ unit: Span<UInt8>) -> Double? {
    let words: [(StaticString, Double)] = [
      ("second", 1), ("seconds", 1), ("sec", 1), ("secs", 1), ("minute", 60), ("minutes", 60), ("min", 60),
      ("mins", 60), ("hour", 3600), ("hours", 3600), ("hr", 3600), ("hrs", 3600), ("day", 86400),
      ("days", 86400), ("week", 604_800), ("weeks", 604_800), ("millisecond", 1e-3), ("milliseconds", 1e-3),
    ]
    for (word, scale) in words where unit.equalsIgnoringCase(word) { return scale }
    return nil
  }

  /// `2026-12-01`, `2026-08-17 02:56:15`, `2026-04-01 at 00:00 UTC`, `2026-08-07T05:00:00.5Z`; zones as `Z`, `UTC`,
  /// `UTC+8`, `+08:00`, `+0800`.
  mutating func date(zone: Interval) -> WallTime? {
    hasTimeOfDay = false
    guard at + 10 <= text.count, let year = text.digits(at: at, 4), let month = text.digits(at: at + 5, 2),
      let day = text.digits(at: at + 8, 2), text[at + 4] == text[at + 7],
      text[at + 4] == UInt8(ascii: "-") || text[at + 4] == UInt8(ascii: "/")
    else { return nil }
    at += 10
    var (hour, minute, second) = (0, 0, 0)
    let start = behindSeparator
    if let h = text.digits(at: start, 2), start + 5 <= text.count, text[start + 2] == UInt8(ascii: ":"),
      let m = text.digits(at: start + 3, 2)
    {
      (hour, minute) = (h, m)
      at = start + 5
      hasTimeOfDay = true
      if at < text.count, text[at] == UInt8(ascii: ":"), let s = text.digits(at: at + 1, 2) {
        second = s
        at += 3
        if at < text.count, text[at] == UInt8(ascii: ".") { at += 1 }
        while at < text.count, text[at].isDigit { at += 1 }
      }
    }
    guard
      let date = CivilDate(
        year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    else { return nil }
    let offset = namedZone() ?? zone
    return WallTime(milliseconds: date.wallTime.milliseconds - offset.milliseconds)
  }

  /// Behind what parts a date from its time of day: `T`, blanks, a comma, "at".
  private var behindSeparator: Int {
    var place = at
    if place < text.count, text[place].asciiLowercased == UInt8(ascii: "t") { return place + 1 }
    if place < text.count, text[place] == UInt8(ascii: ",") { place += 1 }
    while place < text.count, text[place] == 32 { place += 1 }
    if text.extracting(place..<text.count).hasPrefixIgnoringCase("at ") { place += 3 }
    return place
  }

  /// The zone that is written here, as time east of UTC; nil where none is.
  private func namedZone() -> Interval? {
    var place = at
    while place < text.count, text[place] == 32 || text[place] == UInt8(ascii: "(") { place += 1 }
    let rest = text.extracting(place..<text.count)
    if rest.hasPrefix("Z") { return .zero }
    let isNamed = rest.hasPrefixIgnoringCase("utc") || rest.hasPrefixIgnoringCase("gmt")
    if isNamed { place += 3 }
    guard place < text.count, text[place] == UInt8(ascii: "+") || text[place] == UInt8(ascii: "-") else {
      return isNamed ? .zero : nil
    }
    let sign: Int64 = text[place] == UInt8(ascii: "+") ? 1 : -1
    let digits = place + 1
    guard let hours = text.digits(at: digits, 2) ?? (isNamed ? text.digits(at: digits, 1) : nil) else {
      return isNamed ? .zero : nil
    }
    let behind = text.digits(at: digits, 2) == nil ? digits + 1 : digits + 2
    let colon = behind < text.count && text[behind] == UInt8(ascii: ":") ? 1 : 0
    let minutes = text.digits(at: behind + colon, 2)
    if minutes == nil, !isNamed { return nil }
    return .seconds(sign * Int64(hours * 3600 + (minutes ?? 0) * 60))
  }
}

extension UInt8 {
  fileprivate var isLetter: Bool { asciiLowercased &- 97 < 26 }
}

extension Span<UInt8> {
  /// The next run of ASCII letters.
  fileprivate func nextWord(from start: Int) -> Range<Int>? {
    var first = start
    while first < count, !self[first].isLetter { first += 1 }
    if first >= count { return nil }
    var end = first
    while end < count, self[end].isLetter { end += 1 }
    return first..<end
  }
}
