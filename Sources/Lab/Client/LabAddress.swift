internal import Base
package import Kernel

/// Where the mock listens, or the load generator connects to, as it was written.
package enum LabAddress: Equatable, Sendable {
  /// A host (v6 without brackets) and a port.
  case tcp(host: String, port: UInt16)
  case unix(path: String)

  /// `127.0.0.1:9100`, `[::1]:9100`, `:9100` or `9100` (both mean loopback), `unix:PATH`.
  package init(_ text: String) throws(UsageError) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      if path.isEmpty { throw UsageError("'\(text)': the socket's path is missing") }
      self = .unix(path: path)
      return
    }
    let colon = text.utf8.lastIndex(of: UInt8(ascii: ":"))
    let host = colon.map { String(text[..<$0]) } ?? ""
    let digits = colon.map { String(text[text.utf8.index(after: $0)...]) } ?? text
    guard let port = wholeNumber(digits), let port = UInt16(exactly: port) else {
      throw UsageError("'\(text)': an address is HOST:PORT, [V6]:PORT or unix:PATH")
    }
    self = .tcp(host: try Self.withoutBrackets(host, in: text), port: port)
  }

  static func withoutBrackets(_ host: String, in text: String) throws(UsageError) -> String {
    if host.hasPrefix("["), host.hasSuffix("]") { return String(host.dropFirst().dropLast()) }
    if host.utf8.contains(UInt8(ascii: ":")) {
      throw UsageError("'\(text)': an IPv6 address stands in brackets, as in [::1]:9100")
    }
    return host.isEmpty ? "127.0.0.1" : host
  }

  /// Where to connect to. A host's name is asked of the system's resolver, which may block.
  package func resolved() throws(KernelFault) -> SocketAddress {
    switch self {
    case .unix(let path): return try SocketAddress(unix: path)
    case .tcp(let host, let port):
      if let numeric = try? SocketAddress(host: host, port: port) { return numeric }
      return try SocketAddress(resolving: host, port: port)
    }
  }

  func listener() throws(KernelFault) -> Listener {
    switch self {
    case .tcp(let host, let port): try Listener(host: host, port: port)
    case .unix(let path): try Listener(unix: path)
    }
  }
}
