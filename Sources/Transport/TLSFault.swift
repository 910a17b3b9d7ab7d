internal import Base
internal import COpenSSL

/// Why a TLS connection could not be made, or broke.
package enum TLSFault: Error, Equatable, Sendable {
  /// The certificate, or (`above`) one that it hangs on, is out of date. `name`: whose it is.
  case expired(name: String, seconds: Int64, above: Bool)
  case notYetValid(name: String, seconds: Int64, above: Bool)
  /// The certificate is for other names, these among them.
  case wrongName(others: String)
  case selfSigned
  /// Nobody who is trusted here has signed it. `issuer`: who has.
  case unknownAuthority(issuer: String)
  /// It is not the one that was expected.
  case otherCertificate
  /// Another fault of the certificate, in OpenSSL's words.
  case untrusted(String)
  /// What answers does not speak TLS.
  case plainText
  /// A client has sent a request in the clear.
  case plainRequest
  /// The server said no: the alert's name (RFC 8446 §6).
  case refused(String)
  /// The server wants a certificate of ours, and none is configured or it does not like it.
  case wantsCertificate
  /// The server speaks only versions before TLS 1.2.
  case tooOld
  /// The server closed the connection.
  case closed
  /// The socket failed: an errno.
  case system(Int32)
  /// A file cannot be used; OpenSSL's words.
  case unusableFile(String, String)
  case outOfMemory
  /// Anything else, in OpenSSL's words.
  case other(String)

  /// What the error queue and the wire say about the last call.
  static func take(_ ssl: OpaquePointer) -> TLSFault {
    let reason = takeReason()
    let wire = cssl_wire(ssl).pointee
    if wire.verify_error != 0 { return ofCertificate(wire) }
    if wire.system_error != 0 { return .system(wire.system_error) }
    switch reason.code {
    case SSL_R_HTTP_REQUEST: return .plainRequest
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_PACKET_LENGTH_TOO_LONG: return .plainText
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: return .tooOld
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return .wantsCertificate
    case alerts...: return .refused(alert(reason))
    default: break
    }
    return wire.is_ended != 0 ? .closed : .other(reason.text)
  }

  /// Where reasons begin that are alerts of the other side (SSL_AD_REASON_OFFSET).
  private static let alerts: Int32 = 1000

  /// OpenSSL's words for an alert, without what they say of versions: `sslv3 alert handshake failure`.
  private static func alert(_ reason: (code: Int32, text: String)) -> String {
    let bytes = Array(reason.text.utf8)
    guard let at = bytes.span.firstRange(of: "alert ") else { return reason.text }
    return String(decoding: bytes[(at + 6)...], as: UTF8.self)
  }

  static func takeReason() -> (code: Int32, text: String) {
    var text: UnsafePointer<CChar>?
    let code = cssl_take_reason(&text)
    // Lifetime: OpenSSL's table of texts, which is never freed.
    return (code, text.map { String(cString: $0) } ?? "no reason given")
  }

  private static func ofCertificate(_ wire: cssl_wire) -> TLSFault {
    var wire = wire
    // Lifetime: the local copy; its text ends in a NUL.
    let name = withUnsafeBytes(of: &wire.name) { bytes in
      String(decoding: bytes.prefix { $0 > 31 && $0 < 127 }, as: UTF8.self)
    }
    let isAbove = wire.verify_depth > 0
    switch wire.verify_error {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return .expired(name: name, seconds: wire.seconds_past, above: isAbove)
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return .notYetValid(name: name, seconds: -wire.seconds_past, above: isAbove)
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: return .wrongName(others: name)
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return .selfSigned
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
      X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return .unknownAuthority(issuer: name)
    case X509_V_ERR_APPLICATION_VERIFICATION: return .otherCertificate
    default: return .untrusted(String(cString: X509_verify_cert_error_string(Int(wire.verify_error))))
    }
  }

  /// What a person reads.
  ///
  /// - Parameters:
  ///   - name: the server's.
  ///   - trustedBy: where more authorities can be named.
  package func words(for name: String, trustedBy: String = "tls.ca_file") -> String {
    switch self {
    case .expired(let whose, let seconds, let isAbove):
      return Self.subject(name, whose, isAbove) + " expired " + Self.span(seconds) + " ago"
    case .notYetValid(let whose, let seconds, let isAbove):
      return Self.subject(name, whose, isAbove) + " is not valid before " + Self.span(seconds)
        + " from now: is the clock right?"
    case .wrongName(let others):
      return others.isEmpty
        ? "the certificate is for another name than \(name)"
        : "the certificate is not for \(name) but for \(others)"
    case .selfSigned:
      return "the certificate of \(name) is signed by itself, and not trusted here (\(trustedBy))"
    case .unknownAuthority(let issuer):
      let who = issuer.isEmpty ? "" : " (\(issuer))"
      return "the certificate of \(name) is signed by an authority that is not trusted here\(who)"
    case .otherCertificate:
      return "\(name) shows another certificate than the tier file has: reload it there, or ask elsewhere"
    case .untrusted(let text): return "the certificate of \(name) is not trusted: \(text)"
    case .plainText: return "\(name) does not speak TLS on this port: http:// is meant, or another port"
    case .plainRequest: return "\(name) sent a request in the clear"
    case .refused(let alert): return "\(name) refused the TLS connection: \(alert)"
    case .wantsCertificate: return "\(name) wants a client's certificate (tls.cert)"
    case .tooOld: return "\(name) speaks no TLS that is new enough (1.2 or 1.3)"
    case .closed: return "\(name) closed the connection in the TLS handshake"
    case .system(let error): return String(cString: strerror(error))
    case .unusableFile(let path, let text): return "\(path) cannot be used: \(text)"
    case .outOfMemory: return "out of memory"
    case .other(let text): return "TLS with \(name) failed: \(text)"
    }
  }

  private static func subject(_ name: String, _ whose: String, _ isAbove: Bool) -> String {
    isAbove ? "a certificate that the one of \(name) hangs on (\(whose))" : "the certificate of \(name)"
  }

  /// `3 days`, `1 hour`, `20 minutes`: the largest unit that fits.
  static func span(_ seconds: Int64) -> String {
    for (unit, length) in [("day", 86_400), ("hour", 3600), ("minute", 60)] as [(String, Int64)]
    where seconds >= length {
      let count = seconds / length
      return count == 1 ? "1 \(unit)" : "\(count) \(unit)s"
    }
    return "moments"
  }
}
