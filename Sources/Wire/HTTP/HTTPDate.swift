package import Base

/// The dates of HTTP (RFC 9110 §5.6.7) and of RFC 3339.
package enum HTTPDate {
  /// Reads IMF-fixdate, RFC 850 and asctime dates. The two-digit year of RFC 850 is the one that lies no more
  /// than 50 years ahead of `now`. The name of the day is read over.
  package static func parse(_ text: Span<UInt8>, now: WallTime) -> WallTime? {
    guard let comma = text.firstIndex(of: UInt8(ascii: ",")) else { return asctime(text) }
    guard comma >= 3 else { return nil }
    let rest = text.extracting(comma + 1..<text.count)
    // " 06 Nov 1994 08:49:37 GMT" or " 06-Nov-94 08:49:37 GMT"
    if rest.count == 25, rest[0] == 32, rest[3] == 32, rest[7] == 32, rest[12] == 32,
      rest.extracting(21..<25).equals(" GMT")
    {
      return date(rest, day: rest.digits(at: 1, 2), month: 4, year: rest.digits(at: 8, 4), time: 13)
    }
    if rest.count == 23, rest[0] == 32, rest[3] == UInt8(ascii: "-"), rest[7] == UInt8(ascii: "-"),
      rest[10] == 32, rest.extracting(19..<23).equals(" GMT"), let short = rest.digits(at: 8, 2)
    {
      let thisYear = CivilDate(now).year
      var year = thisYear - thisYear % 100 + short
      if year > thisYear + 50 { year -= 100 }
      return date(rest, day: rest.digits(at: 1, 2), month: 4, year: year, time: 11)
    }
    return nil
  }

  /// `Sun Nov  6 08:49:37 1994`
  private static func asctime(_ text: Span<UInt8>) -> WallTime? {
    guard text.count == 24, text[3] == 32, text[7] == 32, text[10] == 32, text[19] == 32 else { return nil }
    let day = text[8] == 32 ? text.digits(at: 9, 1) : text.digits(at: 8, 2)
    return date(text, day: day, month: 4, year: text.digits(at: 20, 4), time: 11)
  }

  private static func date(_ text: Span<UInt8>, day: Int?, month: Int, year: Int?, time: Int) -> WallTime? {
    guard let day, let year, let month = Self.month(text.extracting(month..<month + 3)),
      text[time + 2] == UInt8(ascii: ":"), text[time + 5] == UInt8(ascii: ":"),
      let hour = text.digits(at: time, 2), let minute = text.digits(at: time + 3, 2),
      let second = text.digits(at: time + 6, 2)
    else { return nil }
    return CivilDate(year: year, month: month, day: day, hour: hour, minute: minute, second: second)?.wallTime
  }

  private static func month(_ name: Span<UInt8>) -> Int? {
    for month in 0..<12 {
      let start = CivilDate.monthNames.utf8Start + month * 3
      if name[0] == start[0], name[1] == start[1], name[2] == start[2] { return month + 1 }
    }
    return nil
  }

  /// Reads `1994-11-06T08:49:37.123Z` or with an offset `+01:00` (RFC 3339 §5.6).
  package static func parseRFC3339(_ text: Span<UInt8>) -> WallTime? {
    guard text.count >= 20, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
      text[10] == UInt8(ascii: "T") || text[10] == UInt8(ascii: "t") || text[10] == 32,
      text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
      let year = text.digits(at: 0, 4), let month = text.digits(at: 5, 2), let day = text.digits(at: 8, 2),
      let hour = text.digits(at: 11, 2), let minute = text.digits(at: 14, 2),
      let second = text.digits(at: 17, 2),
      let date = CivilDate(
        year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    else { return nil }
    var milliseconds = date.wallTime.milliseconds
    var at = 19
    if text[at] == UInt8(ascii: ".") {
      at += 1
      let start = at
      var scale: Int64 = 100
      while at < text.count, text[at].isDigit {
        milliseconds += Int64(text[at] - 48) * scale
        scale /= 10
        at += 1
      }
      if at == start { return nil }
    }
    let zone = text.extracting(at..<text.count)
    if zone.count == 1, zone[0].asciiLowercased == UInt8(ascii: "z") {
      return WallTime(milliseconds: milliseconds)
    }
    guard zone.count == 6, zone[3] == UInt8(ascii: ":"), let hours = zone.digits(at: 1, 2), hours < 24,
      let minutes = zone.digits(at: 4, 2), minutes < 60
    else { return nil }
    let offset = Int64(hours * 60 + minutes) * 60_000
    if zone[0] == UInt8(ascii: "+") { return WallTime(milliseconds: milliseconds - offset) }
    return zone[0] == UInt8(ascii: "-") ? WallTime(milliseconds: milliseconds + offset) : nil
  }
}

extension ByteBuffer {
  /// `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate)
  package mutating func append(httpDate time: WallTime) {
    let date = CivilDate(time)
    append(name: CivilDate.dayNames, date.weekday)
    append(", " as StaticString)
    append(padded: date.day, 2)
    append(UInt8(ascii: " "))
    append(name: CivilDate.monthNames, date.month - 1)
    append(UInt8(ascii: " "))
    append(padded: date.year, 4)
    append(UInt8(ascii: " "))
    append(timeOf: date)
    append(" GMT" as StaticString)
  }

  /// `1994-11-06T08:49:37.123Z` (RFC 3339)
  package mutating func append(rfc3339 time: WallTime) {
    let date = CivilDate(time)
    append(padded: date.year, 4)
    append(UInt8(ascii: "-"))
    append(padded: date.month, 2)
    append(UInt8(ascii: "-"))
    append(padded: date.day, 2)
    append(UInt8(ascii: "T"))
    append(timeOf: date)
    append(UInt8(ascii: "."))
    append(padded: Int((time.milliseconds % 1000 + 1000) % 1000), 3)
    append(UInt8(ascii: "Z"))
  }

  private mutating func append(timeOf date: CivilDate) {
    append(padded: date.hour, 2)
    append(UInt8(ascii: ":"))
    append(padded: date.minute, 2)
    append(UInt8(ascii: ":"))
    append(padded: date.second, 2)
  }

  private mutating func append(name list: StaticString, _ index: Int) {
    for i in 0..<3 { append(list.utf8Start[index * 3 + i]) }
  }

  private mutating func append(padded value: Int, _ width: Int) {
    var divisor = 1
    for _ in 1..<width { divisor *= 10 }
    while divisor > 0 {
      append(UInt8(48 + value / divisor % 10))
      divisor /= 10
    }
  }
}
