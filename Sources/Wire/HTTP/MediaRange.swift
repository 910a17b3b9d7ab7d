internal import Base

extension Span<UInt8> {
  /// How much an Accept field wants a media type, in thousandths (RFC 9110 §12.4.2 and §12.5.1): the most that ranges
  /// which name it say, 0 where none does. `*` names nothing, and other parameters than the weight do not count.
  package func weight(ofMediaType type: StaticString) -> Int {
    var most = 0
    var start = 0
    while start < count {
      let end = end(of: UInt8(ascii: ","), from: start)
      let range = extracting(start..<end)
      let name = range.end(of: UInt8(ascii: ";"), from: 0)
      if range.extracting(range.trimmed(0..<name)).equalsIgnoringCase(type) {
        most = Swift.max(most, range.extracting(name..<range.count).weight)
      }
      start = end + 1
    }
    return most
  }

  /// Of the parameters behind a media range: 1,000 where there is none, 0 where it is none.
  private var weight: Int {
    var start = 0
    while start < count {
      let end = end(of: UInt8(ascii: ";"), from: start)
      let parameter = extracting(trimmed(start..<end))
      if parameter.hasPrefixIgnoringCase("q=") {
        return parameter.extracting(2..<parameter.count).thousandths
      }
      start = end + 1
    }
    return 1_000
  }

  /// A weight as RFC 9110 §12.4.2 writes it: up to three digits behind the point; all else is 0.
  private var thousandths: Int {
    guard count > 0, count <= 5, let whole = extracting(0..<1).decimal, whole <= 1 else { return 0 }
    var sum = Int(whole) * 1_000
    var scale = 100
    for at in 1..<Swift.max(1, count) {
      let byte = self[at]
      if at == 1 {
        if byte != UInt8(ascii: ".") { return 0 }
      } else if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
        sum += Int(byte - UInt8(ascii: "0")) * scale
        scale /= 10
      } else {
        return 0
      }
    }
    return Swift.min(sum, 1_000)
  }

  private func end(of delimiter: UInt8, from start: Int) -> Int {
    var end = start
    while end < count, self[end] != delimiter { end += 1 }
    return end
  }
}
