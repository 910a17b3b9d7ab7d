internal import Base

/// Where a running instance is, as `http://HOST[:PORT][/PREFIX]`, `HOST:PORT` or `unix:PATH`.
package struct Instance: Equatable, Sendable {
  package private(set) var address = LabAddress.tcp(host: "127.0.0.1", port: 8080)
  /// The value of the Host field.
  package private(set) var host = "localhost"
  /// What stands in front of the instance's paths, where a proxy adds something: without a slash at its end.
  package private(set) var prefix = ""

  package init() {}

  package init(_ address: LabAddress) { self.address = address }

  package init(url: String) throws(UsageError) {
    if url.hasPrefix("https://") { throw UsageError("\(url): only http:// and unix: are spoken here") }
    if !isOneWord(url) { throw UsageError("'\(url)' has a space or a control character in it") }
    var text = url
    if url.hasPrefix("http://") {
      text = String(url.dropFirst(7))
      if let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) {
        prefix = String(text[slash...])
        text = String(text[..<slash])
      }
      host = text
      if text.hasSuffix("]") || !text.utf8.contains(UInt8(ascii: ":")) { text += ":80" }
    }
    while prefix.hasSuffix("/") { prefix.removeLast() }
    address = try LabAddress(text)
  }
}
