internal import Base

/// Numbers with units: durations, sizes, and how both are printed.
enum Units {
  /// `80ms`, `5s`, `1m30s`, `1.5h`, `2d`; a bare number is seconds. nil where it is none of these.
  static func duration(_ text: String) -> Interval? {
    let bytes = Array(text.utf8)
    if let seconds = decimal(bytes[...]) { return interval(seconds, of: 1e9) }
    var total = Interval.zero
    var at = 0
    var largest = Double.infinity
    while at < bytes.count {
      let number = bytes[at...].prefix { $0.isDigit || $0 == UInt8(ascii: ".") }
      let unit = bytes[number.endIndex...].prefix { !$0.isDigit }
      guard let value = decimal(number), let scale = nanoseconds(of: unit), scale < largest,
        let part = interval(value, of: scale)
      else { return nil }
      largest = scale
      total = total + part
      at = unit.endIndex
    }
    return bytes.isEmpty ? nil : total
  }

  /// `32KiB`, `8MiB`, `1MB`, `64k` (1024, as nginx has it); a bare number is bytes.
  static func size(_ text: String) -> Int? {
    let bytes = Array(text.utf8)
    let number = bytes.prefix { $0.isDigit || $0 == UInt8(ascii: ".") }
    var rest = bytes[number.endIndex...]
    if rest.first == 32 { rest = rest.dropFirst() }
    let scale: Double
    switch String(decoding: rest.map { $0.asciiLowercased }, as: UTF8.self) {
    case "", "b": scale = 1
    case "k", "kib": scale = 1024
    case "m", "mib": scale = 1_048_576
    case "g", "gib": scale = 1_073_741_824
    case "kb": scale = 1e3
    case "mb": scale = 1e6
    case "gb": scale = 1e9
    default: return nil
    }
    guard let value = decimal(number), value * scale <= 1e15 else { return nil }
    return Int(clamping: Int64(value * scale + 0.5))
  }

  /// The bounds of a size in words, the same on every machine.
  static func bounds(least: Int, power: Int) -> String {
    let most = power < 30 ? text(bytes: 1 << power) : "\(1 << (power - 30))GiB"
    return "\(text(bytes: least)) to \(most)\(power > 30 ? " (1GiB on a 32-bit machine)" : "")"
  }

  /// Digits with at most one point between them, no sign and no exponent.
  static func decimal(_ bytes: ArraySlice<UInt8>) -> Double? {
    let digits = bytes.filter { $0.isDigit }.count
    guard digits > 0, bytes.count <= 24, bytes.first != UInt8(ascii: "."), bytes.last != UInt8(ascii: "."),
      digits == bytes.count
        || (digits == bytes.count - 1 && bytes.firstIndex(of: UInt8(ascii: ".")) != nil)
    else { return nil }
    return Double(String(decoding: bytes, as: UTF8.self))
  }

  /// A whole number without a sign.
  static func whole(_ text: String) -> Int? {
    let bytes = Array(text.utf8)
    return bytes.span.decimal.map { Int(clamping: $0) }
  }

  private static func nanoseconds(of unit: ArraySlice<UInt8>) -> Double? {
    switch String(decoding: unit, as: UTF8.self) {
    case "us", "µs": 1e3
    case "ms": 1e6
    case "s": 1e9
    case "m", "min": 60e9
    case "h": 3600e9
    case "d": 86400e9
    default: nil
    }
  }

  private static func interval(_ value: Double, of scale: Double) -> Interval? {
    let nanoseconds = value * scale
    // About a year; far from where sums of a few such would overflow.
    guard nanoseconds < 3e16 else { return nil }
    return Interval(nanoseconds: Int64(nanoseconds + 0.5))
  }

  // MARK: - Printing

  /// The shortest form that reads back as the same: `80ms`, `5m`, `1m30s`.
  static func text(_ interval: Interval) -> String {
    let units: [(Int64, String)] = [
      (3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"),
    ]
    var rest = interval.nanoseconds
    var text = ""
    for (size, name) in units where rest >= size {
      text += "\(rest / size)\(name)"
      rest %= size
    }
    return text.isEmpty ? "0s" : text
  }

  static func text(bytes: Int) -> String {
    let units: [(Int, String)] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
    for (size, name) in units where bytes >= size && bytes % size == 0 { return "\(bytes / size)\(name)" }
    return "\(bytes)B"
  }
}
