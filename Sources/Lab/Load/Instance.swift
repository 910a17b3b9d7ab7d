internal import Base

/// Where a running instance is, as `http[s]://HOST[:PORT][/PREFIX]`, `HOST:PORT` or `unix:PATH`.
package struct Instance: Equatable, Sendable {
  package private(set) var address = LabAddress.tcp(host: "127.0.0.1", port: 8080)
  /// The value of the Host field.
  package private(set) var host = "localhost"
  /// What stands in front of the instance's paths, where a proxy adds something: without a slash at its end.
  package private(set) var prefix = ""

  /// TLS is spoken there.
  package private(set) var isSecure = false

  package init() {}

  package init(_ address: LabAddress, host: String = "localhost", isSecure: Bool = false) {
    self.address = address
    self.host = host
    self.isSecure = isSecure
  }

  /// Whose certificate is asked for.
  package var name: String {
    switch address {
    case .tcp(let host, _): host
    case .unix: "localhost"
    }
  }

  package init(url: String) throws(UsageError) {
    if !isOneWord(url) { throw UsageError("'\(url)' has a space or a control character in it") }
    var text = url
    isSecure = url.hasPrefix("https://")
    if isSecure || url.hasPrefix("http://") {
      text = String(url.dropFirst(isSecure ? 8 : 7))
      if let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) {
        prefix = String(text[slash...])
        text = String(text[..<slash])
      }
      host = text
      if text.hasSuffix("]") || !text.utf8.contains(UInt8(ascii: ":")) { text += isSecure ? ":443" : ":80" }
    }
    while prefix.hasSuffix("/") { prefix.removeLast() }
    address = try LabAddress(text)
  }
}
