internal import Base
internal import COpenSSL

/// What is offered to a server by ALPN (RFC 7301 §3.1).
package enum ApplicationProtocols: Sendable {
  case http1, http2, both

  /// As the extension has it: each name behind its length.
  fileprivate var list: StaticString {
    switch self {
    case .http1: "\u{8}http/1.1"
    case .http2: "\u{2}h2"
    case .both: "\u{2}h2\u{8}http/1.1"
    }
  }
}

/// A server that TLS connections are made to: what its certificate must be for, and what earlier connections have
/// left to resume from (RFC 8446 §2.2).
@usableFromInline package final class TLSPeer {
  package let context: TLSContext
  /// A host's name or address; in the hello, unless it is an address, and in the certificate.
  package let name: String
  private let isAddress: Bool
  private let protocols: StaticString

  /// Sessions of the context's current edition, the newest last.
  // Lifetime: our references, given back when they are dropped and in deinit.
  private var sessions: [OpaquePointer] = []
  private var edition = 0

  package init(_ context: TLSContext, name: String, protocols: ApplicationProtocols) {
    self.context = context
    self.protocols = protocols.list
    var name = name
    // The root's dot (RFC 1034 §3.1) is no part of the name in a certificate.
    if name.utf8.last == UInt8(ascii: ".") { name.removeLast() }
    self.name = name
    isAddress = cssl_is_address(name) != 0
  }

  deinit { for session in sessions { SSL_SESSION_free(session) } }

  /// A connection that is ready to shake hands. Lifetime: the caller's, to be ended by SSL_free.
  func open(_ descriptor: Int32) throws(TLSFault) -> OpaquePointer {
    guard let context = context.current() else { throw self.context.fault ?? .outOfMemory }
    guard let ssl = cssl_open(context, descriptor) else { throw .outOfMemory }
    SSL_set_connect_state(ssl)
    let checks = SSL_get0_param(ssl)
    var isSet: Bool
    if isAddress {
      isSet = X509_VERIFY_PARAM_set1_ip_asc(checks, name) == 1
    } else {
      X509_VERIFY_PARAM_set_hostflags(checks, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
      isSet = X509_VERIFY_PARAM_set1_host(checks, name, name.utf8.count) == 1 && cssl_announce(ssl, name) == 1
    }
    // Lifetime: OpenSSL copies the names. Zero means success here.
    isSet =
      isSet
      && SSL_set_alpn_protos(ssl, protocols.utf8Start, UInt32(protocols.utf8CodeUnitCount)) == 0
    if !isSet {
      SSL_free(ssl)
      throw .outOfMemory
    }
    resume(ssl)
    return ssl
  }

  /// Offers the newest session. A ticket is for one use (RFC 8446 §C.4), but the last one is better used again than
  /// none.
  private func resume(_ ssl: OpaquePointer) {
    if edition != context.edition { forgetSessions() }
    guard let session = sessions.last else { return }
    SSL_set_session(ssl, session)
    if sessions.count > 1 { SSL_SESSION_free(sessions.removeLast()) }
  }

  /// Takes the session of a connection that may have got a new ticket.
  func keepSession(of ssl: OpaquePointer) {
    guard let current = SSL_get_session(ssl), !sessions.contains(current),
      SSL_SESSION_is_resumable(current) == 1,
      context.isOf(ssl), let session = SSL_get1_session(ssl)
    else { return }
    if edition != context.edition { forgetSessions() }
    sessions.append(session)
    if sessions.count > Limits.tlsSessions { SSL_SESSION_free(sessions.removeFirst()) }
  }

  func forgetSessions() {
    for session in sessions { SSL_SESSION_free(session) }
    sessions.removeAll()
    edition = context.edition
  }
}
