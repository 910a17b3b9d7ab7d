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

  /// Whether public DNS can hold no such name, so that no page of the web can have got it to lead here (DNS
  /// rebinding): 1. an address in brackets; 2. a single label, as containers and nginx' upstreams have (RFC 6761, and
  /// no TLD has an address: RFC 7085); 3. an IPv4 address; 4. a name below one that is kept for such use (RFC 6761,
  /// 6762, 8375, ICANN's `.internal`), or is by custom.
  package static func isLocal(_ host: Span<UInt8>) -> Bool {
    var name = withoutPort(host)
    if name.isEmpty { return false }
    if host[0] == UInt8(ascii: "[") { return host[name.upperBound - 1] == UInt8(ascii: "]") }  // 1
    if host[name.upperBound - 1] == UInt8(ascii: ".") { name = name.lowerBound..<name.upperBound - 1 }
    let bytes = host.extracting(name)
    if bytes.isEmpty || bytes[0] == UInt8(ascii: ".") { return false }
    if bytes.firstIndex(of: UInt8(ascii: ".")) == nil {  // 2
      return bytes.firstIndex(of: UInt8(ascii: ":")) == nil
    }
    if isIPv4(bytes) { return true }  // 3
    return bytes.hasSuffixIgnoringCase(".localhost") || bytes.hasSuffixIgnoringCase(".local")  // 4
      || bytes.hasSuffixIgnoringCase(".internal") || bytes.hasSuffixIgnoringCase(".home.arpa")
      || bytes.hasSuffixIgnoringCase(".lan") || bytes.hasSuffixIgnoringCase(".test")
  }

  /// Four decimal numbers up to 255.
  private static func isIPv4(_ bytes: Span<UInt8>) -> Bool {
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
