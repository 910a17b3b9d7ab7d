internal import Base

/// The value of Host: a name or an address, and perhaps a port (RFC 9110 §7.2).
package enum HostName {
  /// The range without the port; an IPv6 address keeps its brackets.
  package static func withoutPort(_ host: Span<UInt8>) -> Range<Int> {
    var end = host.count
    while end > 0, host[end - 1].isDigit { end -= 1 }
    if end > 0, host[end - 1] == UInt8(ascii: ":") { return 0..<end - 1 }
    return 0..<host.count
  }

  /// `localhost`, names below it (RFC 6761 §6.3), 127.0.0.0/8 and ::1, with any port.
  ///
  /// Only whole addresses count: anybody can own `127.0.0.1.example.com`.
  package static func isLoopback(_ host: Span<UInt8>) -> Bool {
    var name = withoutPort(host)
    if host.extracting(name).equals("[::1]") { return true }
    if name.count > 1, host[name.upperBound - 1] == UInt8(ascii: ".") {
      name = name.lowerBound..<name.upperBound - 1
    }
    let bytes = host.extracting(name)
    if bytes.equalsIgnoringCase("localhost") { return true }
    let suffix = ".localhost".utf8.count
    if bytes.count > suffix,
      bytes.extracting(bytes.count - suffix..<bytes.count).equalsIgnoringCase(".localhost")
    {
      return true
    }
    return isLoopbackIPv4(bytes)
  }

  /// Four decimal numbers, the first of them 127.
  private static func isLoopbackIPv4(_ bytes: Span<UInt8>) -> Bool {
    var part = 0
    var digits = 0
    var value = 0
    for i in 0..<bytes.count {
      let byte = bytes[i]
      if byte.isDigit {
        value = value * 10 + Int(byte - UInt8(ascii: "0"))
        digits += 1
        if digits > 3 || value > 255 { return false }
      } else if byte == UInt8(ascii: "."), digits > 0, part < 3 {
        if part == 0, value != 127 { return false }
        part += 1
        digits = 0
        value = 0
      } else {
        return false
      }
    }
    return part == 3 && digits > 0
  }
}
