/// Where clients are listened for.
package enum Listen: Hashable, Sendable {
  /// An IP address (v6 without brackets) and a port; port 0 takes any free one.
  case tcp(host: String, port: UInt16)
  /// A unix socket's path.
  case unix(path: String)
  /// A socket handed over by systemd: the n-th of LISTEN_FDS.
  case inherited(index: Int)

  package var isLoopback: Bool {
    switch self {
    case .tcp(let host, _): host.hasPrefix("127.") || host == "::1" || host == "localhost"
    case .unix: true
    case .inherited: false
    }
  }
}

/// The files of a listener that speaks TLS, in PEM.
package struct ListenerTLS: Equatable, Sendable {
  package var certificate: String
  package var key: String
  /// Who must have signed a client's certificate; nil: none is asked for.
  package var clientAuthorities: String?

  package init(certificate: String, key: String, clientAuthorities: String? = nil) {
    self.certificate = certificate
    self.key = key
    self.clientAuthorities = clientAuthorities
  }
}
