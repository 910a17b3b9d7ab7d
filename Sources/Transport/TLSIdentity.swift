internal import COpenSSL

/// What a listener shows its clients, and whom it lets in: one SSL_CTX for all of its connections.
@usableFromInline package final class TLSIdentity {
  package enum Fault: Error, Equatable, Sendable {
    /// A file cannot be used; OpenSSL's words.
    case certificate(String), key(String), clientAuthorities(String)
    /// The key is another certificate's.
    case otherKey
    case outOfMemory

    package var text: String {
      switch self {
      case .certificate(let words): "the certificate cannot be used: \(words)"
      case .key(let words): "the key cannot be used: \(words)"
      case .clientAuthorities(let words): "the clients' authorities cannot be used: \(words)"
      case .otherKey: "the key does not fit the certificate"
      case .outOfMemory: "out of memory"
      }
    }
  }

  // Lifetime: our reference, freed in deinit; connections hold further ones, and go on with what they began with.
  private let context: OpaquePointer

  /// Reads the files, which are in PEM.
  ///
  /// - Parameters:
  ///   - certificate: with those that sign it behind it.
  ///   - key: the certificate's; may be the same file.
  ///   - clientAuthorities: who must have signed a client's certificate; nil: none is asked for.
  package init(certificate: String, key: String, clientAuthorities: String?) throws(Fault) {
    var fault = cssl_no_file
    // Lifetime: OpenSSL opens and closes the files during the call.
    if let made = cssl_server_context(certificate, key, clientAuthorities, &fault) {
      context = made
      return
    }
    let words = TLSFault.takeReason().text
    switch fault {
    case cssl_certificate_file: throw .certificate(words)
    case cssl_key_file: throw .key(words)
    case cssl_other_key: throw .otherKey
    case cssl_authorities_file: throw .clientAuthorities(words)
    default: throw .outOfMemory
    }
  }

  deinit { SSL_CTX_free(context) }

  /// How long the certificate has been out of date, in words; nil: it is good now.
  package var doubt: String? {
    var isEarly: Int32 = 0
    let seconds = cssl_seconds_past(context, &isEarly)
    if isEarly != 0 { return "the certificate is not valid yet" }
    return seconds > 0 ? "the certificate expired \(TLSFault.span(seconds)) ago" : nil
  }

  /// A connection that waits for its client's hello. Lifetime: the caller's, to be ended by SSL_free.
  func open(_ descriptor: Int32) throws(TLSFault) -> OpaquePointer {
    guard let ssl = cssl_open(context, descriptor) else { throw .outOfMemory }
    SSL_set_accept_state(ssl)
    return ssl
  }
}
