internal import Base

/// How names are compared: keys loosely, misspelt ones by distance.
enum Spelling {
  /// A key without regard to case, underscores, dashes and spaces: `RateLimitRPM` is `rate_limit_rpm`.
  static func normalised(_ key: String) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(key.utf8.count)
    for byte in key.utf8 {
      switch byte {
      case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: " "): break
      case 65...90: bytes.append(byte | 32)
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The one of `names` that was most likely meant: at most two slips away, and no more than half of it wrong.
  static func nearest(to word: String, among names: [String]) -> String? {
    let wanted = normalised(word)
    let distances = EditDistance(from: wanted.utf8Span.span)
    var best: String?
    var bound = min(2, wanted.utf8.count / 2)
    for name in names {
      let distance = distances.to(normalised(name).utf8Span.span, bound: bound)
      if distance > bound { continue }
      best = name
      // The first of the nearest wins.
      if distance == 0 { break }
      bound = distance - 1
    }
    return best
  }

  /// `did you mean "x"?`, where there is a near one.
  static func suggestion(for word: String, among names: [String]) -> String? {
    nearest(to: word, among: names).map { "did you mean \"\($0)\"?" }
  }

  /// A text from the file as a message may quote it: one line, at most 60 characters.
  static func excerpt(_ text: String) -> String {
    var quoted = ""
    var count = 0
    for scalar in text.unicodeScalars {
      if count == 60 { return quoted + "…" }
      if scalar.value < 32 || scalar.value == 127 {
        quoted += "?"
      } else {
        quoted.unicodeScalars.append(scalar)
      }
      count += 1
    }
    return quoted
  }
}
