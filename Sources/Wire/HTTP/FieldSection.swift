internal import Base

extension RequestParser {
  /// Reads the head of an HTTP/2 request (RFC 9113 §8.3.1): its fields as lines `name: value`, each ended by CRLF, the
  /// pseudo-header fields first. What that section makes malformed has been refused before, by frames' own means; what a
  /// request may say is the same here as in HTTP/1.1, and fields are read by the same code.
  ///
  /// - Parameter isWhole: no body follows.
  package mutating func parse(fieldSection bytes: Span<UInt8>, isWhole: Bool) throws(WireFault) {
    head.isHTTP2 = true
    var start = 0
    while start < bytes.count {
      guard
        let distance = bytes.extracting(start..<bytes.count).firstIndex(of: UInt8(ascii: "\n")), distance > 0
      else { throw .malformedFieldValue }
      let line = start..<start + distance - 1
      if !line.isEmpty, bytes[start] == UInt8(ascii: ":") {
        try head.readPseudoField(line, in: bytes)
      } else {
        try readField(line, in: bytes)
      }
      start += distance + 1
    }
    if head.target.isEmpty { throw .unsupportedTargetForm }
    if head.host.isEmpty { throw .missingHost }
    try conclude(fieldSection: bytes.count, isWhole: isWhole)
  }
}

extension RequestHead {
  /// Reads a line such as `:method: GET`.
  fileprivate mutating func readPseudoField(_ line: Range<Int>, in bytes: Span<UInt8>) throws(WireFault) {
    let name = bytes.extracting(line)
    func value(behind prefix: Int) -> Range<Int> { line.lowerBound + prefix..<line.upperBound }
    if name.hasPrefix(":method: ") {
      methodName = value(behind: 9)
      method = Method(bytes.extracting(methodName))
    } else if name.hasPrefix(":path: ") {
      target = value(behind: 7)
      if target.count > Limits.target { throw .targetTooLong }
      for at in target where bytes[at] <= 32 || bytes[at] >= 127 { throw .malformedTarget }
      if target.isEmpty || bytes[target.lowerBound] != UInt8(ascii: "/") { throw .unsupportedTargetForm }
      try readTarget(bytes)
    } else if name.hasPrefix(":authority: ") {
      host = value(behind: 12)
      if !Self.isHost(host, in: bytes) { throw .malformedHost }
    }
  }
}
