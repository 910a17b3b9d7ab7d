internal import Base

/// A provider's base URL, taken apart as far as it has to be checked (RFC 3986 §3).
struct Endpoint {
  /// Why a URL cannot be a provider's. No case holds the URL: it may hold a key.
  enum Fault: Error {
    case scheme, host, port, character, userInformation, query, socket

    var message: String {
      switch self {
      case .scheme: "must begin with http:// or https://"
      case .host: "names no host"
      case .port: "has a port that is not a number from 1 to 65535"
      case .character: "holds a blank or a character that must be percent-encoded"
      case .userInformation: "must not hold a user name or password; use key"
      case .query: "must not hold a query or fragment"
      case .socket:
        "names no socket: http://unix:/run/NAME.sock:/v1 has an absolute path of at most 107 bytes"
      }
    }
  }

  let isSecure: Bool
  /// As it stood, in lower case; v6 without brackets. Of a server on a socket its path.
  let host: String
  /// `host[:port]`, or `unix:PATH:` as nginx spells a server on a socket.
  private let authority: String
  /// The server is reached over a socket of this machine (unix(7)).
  let isUnix: Bool
  /// From the first slash after the host, without slashes at its end; may be empty.
  private(set) var path: String

  /// `scheme://authority/path`, without a slash at its end.
  var text: String { (isSecure ? "https://" : "http://") + authority + path }

  var isLoopback: Bool {
    isUnix || host == "localhost" || host.hasSuffix(".localhost") || host == "::1" || host.hasPrefix("127.")
  }

  /// On this machine, or in a private network: 1. a name that public DNS cannot hold, as containers and home routers
  /// give (RFC 6761, 6762, 8375); 2. IPv4 (RFC 1918, 3927, and 6598, which VPNs use); 3. IPv6 (RFC 4193, 4291).
  var isNear: Bool {
    if isLoopback { return true }
    if host.utf8.contains(UInt8(ascii: ":")) {  // 3
      return ["fc", "fd", "fe8", "fe9", "fea", "feb"].contains { host.hasPrefix($0) }
    }
    let labels = host.split(separator: ".")
    if labels.count == 1 { return true }  // 1
    if [".local", ".internal", ".home.arpa", ".lan", ".test"].contains(where: { host.hasSuffix($0) }) {
      return true
    }
    let numbers = labels.map { Units.whole(String($0)) ?? -1 }
    guard numbers.count == 4, numbers.allSatisfy({ 0...255 ~= $0 }) else { return false }
    return numbers[0] == 10 || (numbers[0] == 172 && 16...31 ~= numbers[1])  // 2
      || (numbers[0] == 192 && numbers[1] == 168) || (numbers[0] == 169 && numbers[1] == 254)
      || (numbers[0] == 100 && 64...127 ~= numbers[1])
  }

  /// Reads a URL. `https://host/v1`, `https://host/v1/` and `https://host/v1/chat/completions` are one, and
  /// `/v1/v1` at its end is taken for a slip. A URL without a path gets `defaultPath`.
  init(_ url: String, defaultPath: String = "") throws(Fault) {
    let bytes = Array(url.utf8)
    if bytes.contains(where: { $0 <= 32 || $0 >= 127 || "\"<>\\^`{|}".utf8.contains($0) }) {
      throw .character
    }
    let lower = String(decoding: bytes.map { $0.asciiLowercased }, as: UTF8.self)
    isSecure = lower.hasPrefix("https://")
    guard isSecure || lower.hasPrefix("http://") else { throw .scheme }
    isUnix = lower.hasPrefix("http://unix:")
    if isUnix {
      (host, path) = try Self.socket(bytes[12...])
      authority = "unix:\(host):"
      try trimPath(defaultPath)
      return
    }
    if lower.hasPrefix("https://unix:") { throw .socket }
    let start = isSecure ? 8 : 7
    let end = bytes[start...].firstIndex { "/?#".utf8.contains($0) } ?? bytes.count
    let authority = Array(lower.utf8)[start..<end]
    if authority.contains(UInt8(ascii: "@")) { throw .userInformation }
    host = try Self.host(of: authority)
    self.authority = String(decoding: authority, as: UTF8.self)
    path = String(decoding: bytes[end...], as: UTF8.self)
    try trimPath(defaultPath)
  }

  /// `https://host/v1`, `https://host/v1/` and `https://host/v1/chat/completions` are one.
  private mutating func trimPath(_ defaultPath: String) throws(Fault) {
    if path.utf8.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) { throw .query }
    trimSlashes()
    if path.hasSuffix("/chat/completions") {
      path = String(path.dropLast("/chat/completions".utf8.count))
      trimSlashes()
    }
    while path.hasSuffix("/v1/v1") { path = String(path.dropLast(3)) }
    if path.isEmpty { path = defaultPath }
  }

  /// The socket's path and what stands behind the colon that ends it.
  private static func socket(_ rest: ArraySlice<UInt8>) throws(Fault) -> (String, String) {
    let colon = rest.firstIndex(of: UInt8(ascii: ":")) ?? rest.endIndex
    let socket = rest[..<colon]
    let path = colon < rest.endIndex ? rest[(colon + 1)...] : []
    guard socket.first == UInt8(ascii: "/"), (2...107).contains(socket.count),
      path.isEmpty || path.first == UInt8(ascii: "/")
    else { throw .socket }
    return (String(decoding: socket, as: UTF8.self), String(decoding: path, as: UTF8.self))
  }

  /// The path of a preset's own URL, placeholders and all.
  static func path(of url: String) -> String {
    let bytes = Array(url.utf8)
    guard let start = bytes.span.firstRange(of: "://"),
      let slash = bytes[(start + 3)...].firstIndex(of: UInt8(ascii: "/"))
    else { return "" }
    return String(decoding: bytes[slash...], as: UTF8.self)
  }

  private mutating func trimSlashes() {
    while path.utf8.last == UInt8(ascii: "/") { path = String(path.dropLast()) }
  }

  private static func host(of authority: ArraySlice<UInt8>) throws(Fault) -> String {
    var host = authority
    var port: ArraySlice<UInt8>?
    if authority.first == UInt8(ascii: "[") {
      guard let close = authority.firstIndex(of: UInt8(ascii: "]")) else { throw .host }
      host = authority[(authority.startIndex + 1)..<close]
      let rest = authority[(close + 1)...]
      if !rest.isEmpty {
        guard rest.first == UInt8(ascii: ":") else { throw .port }
        port = rest.dropFirst()
      }
    } else if let colon = authority.lastIndex(of: UInt8(ascii: ":")) {
      host = authority[..<colon]
      port = authority[(colon + 1)...]
      if host.contains(UInt8(ascii: ":")) { throw .host }
    }
    if host.isEmpty { throw .host }
    if let port {
      guard let number = Units.whole(String(decoding: port, as: UTF8.self)), (1...65535).contains(number)
      else { throw .port }
    }
    return String(decoding: host, as: UTF8.self)
  }
}
