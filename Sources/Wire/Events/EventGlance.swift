internal import Base

// What is seen of an event's data without reading it. A stream has one event per token, and nearly all of them
// say nothing but their text.

extension EventName {
  /// An event of that name needs no reading once there was content.
  var isUnimportant: Bool { self == .none || self == .other || self == .contentBlockDelta }
}

extension Span<UInt8> {
  /// Whether data may tell usage, an error or an end, or is not one line of JSON.
  var needsReading: Bool {
    guard count > 1, self[0] == UInt8(ascii: "{"), self[count - 1] == UInt8(ascii: "}") else { return true }
    if tellsOfItself { return true }
    return hasPrefix("{\"type\"") && !leadingType.isUnimportant
  }

  /// Whether `"usage"`, `"error"` or `"finish_reason"` occurs, other than as a key whose value is null.
  ///
  /// Within a JSON string the closing quote would be escaped, so no text of the model looks like that. All begin with a
  /// quote and a letter, two of which differ in one bit (0x65 and 0x75), so all are looked for at once.
  private var tellsOfItself: Bool {
    var at = 0
    while at &+ 9 <= count {
      // Four words are looked at in one go, and each by itself only where there is something among them.
      var end = at &+ 8
      if at &+ 33 <= count {
        end = at &+ 32
        let quotes: WordBlock = words(at: at) ^ WordBlock.filled(0x22)
        let letters: WordBlock = words(at: at &+ 1)
        let misses: WordBlock = quotes | ((letters | WordBlock.filled(0x10)) ^ WordBlock.filled(0x75))
        let others: WordBlock = quotes | (letters ^ WordBlock.filled(0x66))
        let marks: WordBlock =
          ((misses &- WordBlock.filled(1)) & ~misses) | ((others &- WordBlock.filled(1)) & ~others)
        if marks.union & UInt64.highBits == 0 {
          at = end
          continue
        }
      }
      while at < end {
        let quotes: UInt64 = word(at: at) ^ UInt64.every(0x22)
        let letters: UInt64 = word(at: at &+ 1)
        let misses: UInt64 = quotes | ((letters | UInt64.every(0x10)) ^ UInt64.every(0x75))
        let others: UInt64 = quotes | (letters ^ UInt64.every(0x66))
        // A mark above the first may be false: every one is looked at.
        var found = misses.zeroBytes | others.zeroBytes
        while found != 0 {
          if tells(at: at &+ found.trailingZeroBitCount / 8) { return true }
          found &= found &- 1
        }
        at &+= 8
      }
    }
    while at < count {
      if self[at] == UInt8(ascii: "\""), tells(at: at) { return true }
      at += 1
    }
    return false
  }

  private func tells(at place: Int) -> Bool {
    let rest = extracting(place..<count)
    var at = place
    if rest.hasPrefix("\"finish_reason\"") {
      at += 15
    } else if rest.hasPrefix("\"usage\"") || rest.hasPrefix("\"error\"") {
      at += 7
    } else {
      return false
    }
    while at < count, self[at] == UInt8(ascii: ":") || self[at] == 32 { at += 1 }
    return at == count || self[at] != UInt8(ascii: "n")
  }

  /// The event name in data that begins with its `type`; `none` for any other.
  var leadingType: EventName {
    var at = 0
    while at < count, self[at] == UInt8(ascii: "{") || self[at] == 32 { at += 1 }
    guard extracting(at..<count).hasPrefix("\"type\"") else { return .none }
    at += 6
    while at < count, self[at] == UInt8(ascii: ":") || self[at] == 32 { at += 1 }
    guard at < count, self[at] == UInt8(ascii: "\"") else { return .none }
    let start = at + 1
    let end = Swift.min(count, start + 64)
    guard let length = extracting(start..<end).firstIndex(of: UInt8(ascii: "\"")) else { return .none }
    return EventName(extracting(start..<start + length))
  }
}
