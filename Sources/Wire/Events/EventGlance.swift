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
    while let marks = marksOfTelling(at: at) {
      // Mostly there is nothing: two blocks are looked at in one go.
      if let next = marksOfTelling(at: at &+ 16), (marks .| next).first == 16 {
        at &+= 32
      } else if marks.first == 16 {
        at &+= 16
      } else {
        at &+= marks.first
        if tells(at: at) { return true }
        at &+= 1
      }
    }
    while at < count {
      if self[at] == UInt8(ascii: "\""), tells(at: at) { return true }
      at += 1
    }
    return false
  }

  /// Quotes before one of the three letters, of the 16 bytes from `at` on; nil where there are fewer.
  @inline(__always)
  private func marksOfTelling(at: Int) -> ByteMarks? {
    guard let block = block(at: at), let next = self.block(at: at &+ 1) else { return nil }
    let letters =
      (next | ByteBlock(repeating: 0x10)).marks(equal: 0x75) .| next.marks(equal: UInt8(ascii: "f"))
    return block.marks(equal: UInt8(ascii: "\"")) .& letters
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
