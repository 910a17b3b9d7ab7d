internal import Base

extension RequestHead {
  /// Reads `method SP request-target SP HTTP-version` (RFC 9112 §3), without its line end.
  mutating func readRequestLine(_ line: Range<Int>, in bytes: Span<UInt8>) throws(WireFault) {
    var at = bytes.endOfToken(from: line.lowerBound, upTo: line.upperBound)
    methodName = line.lowerBound..<at
    guard !methodName.isEmpty, at < line.upperBound, bytes[at] == 32 else { throw .malformedRequestLine }
    method = Method(bytes.extracting(methodName))
    let start = at + 1
    at = start
    // Visible ASCII only: what a URI is made of, and what no two readers see differently.
    at = min(bytes.endOfVisible(from: at), line.upperBound)
    target = start..<at
    guard !target.isEmpty, at < line.upperBound else { throw .malformedRequestLine }
    if bytes[at] != 32 { throw .malformedTarget }
    if target.count > Limits.target { throw .targetTooLong }
    try readVersion(at + 1..<line.upperBound, in: bytes)
    try readTarget(bytes)
  }

  /// `HTTP/1.0` is 1.0; every other 1.x is spoken to as 1.1 (RFC 9110 §2.5).
  private mutating func readVersion(_ range: Range<Int>, in bytes: Span<UInt8>) throws(WireFault) {
    let version = bytes.extracting(range)
    guard version.count == 8, version.hasPrefix("HTTP/"), version[5].isDigit, version[6] == UInt8(ascii: "."),
      version[7].isDigit
    else { throw .malformedRequestLine }
    if version[5] != UInt8(ascii: "1") { throw .unsupportedVersion }
    minorVersion = version[7] == UInt8(ascii: "0") ? 0 : 1
  }

  /// Reads origin-form and absolute-form (RFC 9112 §3.2); authority-form and asterisk-form are of no use here.
  mutating func readTarget(_ bytes: Span<UInt8>) throws(WireFault) {
    var pathStart = target.lowerBound
    if bytes[pathStart] != UInt8(ascii: "/") {
      let form = bytes.extracting(target)
      let scheme: Int
      if form.count >= 7, form.extracting(0..<7).equalsIgnoringCase("http://") {
        scheme = 7
      } else if form.count >= 8, form.extracting(0..<8).equalsIgnoringCase("https://") {
        scheme = 8
      } else {
        throw .unsupportedTargetForm
      }
      let start = target.lowerBound + scheme
      pathStart = start
      while pathStart < target.upperBound, bytes[pathStart] != UInt8(ascii: "/"),
        bytes[pathStart] != UInt8(ascii: "?")
      {
        pathStart += 1
      }
      // An authority with user information is refused here too: "@" is no part of a host (RFC 9110 §4.2.4).
      guard pathStart > start, RequestHead.isHost(start..<pathStart, in: bytes) else {
        throw .malformedTarget
      }
      host = start..<pathStart
    }
    let rest = bytes.extracting(pathStart..<target.upperBound)
    if rest.firstIndex(of: UInt8(ascii: "#")) != nil { throw .malformedTarget }
    let pathEnd = rest.firstIndex(of: UInt8(ascii: "?")).map { pathStart + $0 } ?? target.upperBound
    path = pathStart..<pathEnd
    query = min(pathEnd + 1, target.upperBound)..<target.upperBound
  }

  /// Whether the bytes are made of what a host and a port are made of; an empty one is allowed in a Host field
  /// (RFC 9112 §3.2).
  static func isHost(_ range: Range<Int>, in bytes: Span<UInt8>) -> Bool {
    bytes.endOfHost(from: range.lowerBound, upTo: range.upperBound) == range.upperBound
  }
}

extension Method {
  init(_ name: Span<UInt8>) {
    if name.equals("POST") {
      self = .post
    } else if name.equals("GET") {
      self = .get
    } else if name.equals("OPTIONS") {
      self = .options
    } else if name.equals("HEAD") {
      self = .head
    } else if name.equals("DELETE") {
      self = .delete
    } else if name.equals("PUT") {
      self = .put
    } else if name.equals("PATCH") {
      self = .patch
    } else {
      self = .other
    }
  }
}
