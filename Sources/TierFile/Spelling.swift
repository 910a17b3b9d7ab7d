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
    let wanted = Array(normalised(word).utf8.prefix(64))
    var best: (name: String, distance: Int)?
    for name in names {
      let distance = distance(wanted, Array(normalised(name).utf8.prefix(64)))
      if distance > 2 || distance * 2 > wanted.count { continue }
      if best == nil || distance < best!.distance { best = (name, distance) }
    }
    return best?.name
  }

  /// `did you mean "x"?`, where there is a near one.
  static func suggestion(for word: String, among names: [String]) -> String? {
    nearest(to: word, among: names).map { "did you mean \"\($0)\"?" }
  }

  /// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if abs(a.count - b.count) > 2 { return 3 }
    var before = [Int](repeating: 0, count: b.count + 1)
    var above = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      row.reserveCapacity(b.count + 1)
      for j in 0..<b.count {
        var cost = min(above[j + 1] + 1, row[j] + 1, above[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
        row.append(cost)
      }
      before = above
      above = row
    }
    return above[b.count]
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
