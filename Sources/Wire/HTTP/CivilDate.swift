package import Base

/// A date of the proleptic Gregorian calendar with its time of day, in UTC.
package struct CivilDate {
  package var year: Int
  /// 1...12
  package var month: Int
  /// 1...31
  package var day: Int
  package var hour: Int
  package var minute: Int
  /// 0...60: a leap second is taken as the second after it.
  package var second: Int

  static let monthNames: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
  static let dayNames: StaticString = "SunMonTueWedThuFriSat"

  package init(_ time: WallTime) {
    let seconds = time.milliseconds.flooredQuotient(by: 1000)
    let days = Int(clamping: seconds.flooredQuotient(by: 86400))
    let rest = Int(seconds - seconds.flooredQuotient(by: 86400) * 86400)
    hour = rest / 3600
    minute = rest / 60 % 60
    second = rest % 60
    // Years begin in March here, so that the leap day is a year's last; an era is 400 years.
    let shifted = days + 719_468
    let era = shifted.flooredQuotient(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Nil where there is no such day or time.
  init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
    guard year >= 1, year <= 9999, month >= 1, month <= 12, day >= 1, hour >= 0, hour < 24, minute >= 0,
      minute < 60, second >= 0, second <= 60, day <= Self.days(in: month, of: year)
    else { return nil }
    self.year = year
    self.month = month
    self.day = day
    self.hour = hour
    self.minute = minute
    self.second = second
  }

  private static func days(in month: Int, of year: Int) -> Int {
    if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
  }

  private var daysSinceEpoch: Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = shiftedYear.flooredQuotient(by: 400)
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  var wallTime: WallTime {
    let seconds = Int64(daysSinceEpoch) * 86400 + Int64(hour * 3600 + minute * 60 + second)
    return WallTime(milliseconds: seconds * 1000)
  }

  /// 0 for Sunday.
  var weekday: Int {
    let shifted = daysSinceEpoch + 4
    return shifted - shifted.flooredQuotient(by: 7) * 7
  }
}

extension BinaryInteger {
  fileprivate func flooredQuotient(by divisor: Self) -> Self {
    let quotient = self / divisor
    return self < quotient * divisor ? quotient - 1 : quotient
  }
}

extension Span<UInt8> {
  /// Exactly `length` digits at `at`.
  func digits(at: Int, _ length: Int) -> Int? {
    guard at >= 0, at + length <= count else { return nil }
    return extracting(at..<at + length).decimal.map { Int($0) }
  }
}
