package import Base
package import Transport

/// Which HTTP a target is spoken to in.
package enum HTTPVersions: Sendable {
  /// HTTP/2 where the server offers it (ALPN), else HTTP/1.1; in the clear HTTP/1.1.
  case offered
  case http1
  /// HTTP/2 and nothing else; in the clear without being asked (RFC 9113 §3.3, prior knowledge).
  case http2
}

/// Where requests go: what stays the same over many transfers to one endpoint of one provider with one key.
package struct TransferTarget: Hashable, Sendable {
  /// The whole URL, `http` or `https`.
  package var url: String
  /// The path of the socket that the server listens on (unix(7)), where it is reached over one.
  package var socket: String?
  /// Complete field lines without line ends, `Authorization: Bearer …`.
  package var headerLines: [String] = []
  /// URL of a proxy; nil for none. The environment's proxy variables are never looked at.
  package var proxy: String?
  /// How an `https` connection is secured: without authorities of its own, by the process' (`UpstreamSettings`).
  package var tls = TLSSettings()
  /// The name to ask for and that the certificate must have, where it is not the URL's host.
  package var serverName: String?
  package var versions = HTTPVersions.offered
  /// Bounds name look-up, connection and TLS handshake together.
  package var connectTimeout = Interval.seconds(5)

  /// - Parameter url: also as nginx spells a server on a socket, `http://unix:PATH:/v1/models`.
  package init(url: String, headerLines: [String] = []) {
    self.url = url
    self.headerLines = headerLines
    let scheme = "http://unix:"
    guard url.hasPrefix(scheme) else { return }
    let rest = url.utf8.dropFirst(scheme.utf8.count)
    let colon = rest.firstIndex(of: UInt8(ascii: ":")) ?? rest.endIndex
    socket = String(rest[..<colon])
    self.url = "http://localhost" + (String(rest[colon...].dropFirst()) ?? "")
  }
}
