internal import Base

/// Where a running instance is, as `http[s]://HOST[:PORT][/PREFIX]`, `HOST:PORT` or `unix:PATH`.
package struct Instance: Equatable, Sendable {
  package private(set) var address = LabAddress.tcp(host: "127.0.0.1", port: 8080)
  /// The value of the Host field.
  package private(set) var host = "127.0.0.1:8080"
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

  /// `http[s]://HOST[:PORT][/PREFIX]`, `HOST:PORT` or `unix:PATH`.
  package init(url: String) throws(UsageError) {
    if !isOneWord(url) { throw UsageError("'\(url)' has a space or a control character in it") }
    isSecure = url.hasPrefix("https://")
    guard isSecure || url.hasPrefix("http://") else {
      if url.utf8.contains(UInt8(ascii: "/")), !url.hasPrefix("unix:") {
        throw UsageError("'\(url)' is no URL: http[s]://HOST[:PORT][/PATH], HOST:PORT or unix:PATH is wanted")
      }
      address = try LabAddress(url)
      let hasHost = url.utf8.contains(UInt8(ascii: ":")) && !url.hasPrefix(":") && !url.hasPrefix("unix:")
      host = hasHost ? url : "localhost"
      return
    }
    var authority = String(url.dropFirst(isSecure ? 8 : 7))
    if let slash = authority.utf8.firstIndex(of: UInt8(ascii: "/")) {
      prefix = String(authority[slash...])
      while prefix.hasSuffix("/") { prefix.removeLast() }
      authority = String(authority[..<slash])
    }
    host = authority
    if authority.hasSuffix("]") || !authority.utf8.contains(UInt8(ascii: ":")) {
      authority += isSecure ? ":443" : ":80"
    }
    if authority.hasPrefix(":") { throw UsageError("'\(url)': the host is missing") }
    address = try LabAddress(authority)
  }

  /// The prefix, for somebody who asks for one path only and keeps that.
  mutating func takePrefix() -> String {
    defer { prefix = "" }
    return prefix
  }
}
