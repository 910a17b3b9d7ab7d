import COpenSSL
import Glibc
import Testing

/// A certificate made for one test, with its key.
final class Certificate: @unchecked Sendable {
  let certificate: OpaquePointer
  let key: OpaquePointer
  private let directory: String

  /// Certificate and key, in PEM.
  let file: String

  /// `names`: `DNS:…` and `IP:…`, by commas. `from`, `until`: seconds from now. `issuer`: who signs; nil: itself.
  init(
    _ name: String = "localhost", names: String = "IP:127.0.0.1,DNS:localhost", from: Int = -3600,
    until: Int = 3600, issuer: Certificate? = nil, isAuthority: Bool = false
  ) {
    let context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil)
    defer { EVP_PKEY_CTX_free(context) }
    var made: OpaquePointer?
    precondition(EVP_PKEY_keygen_init(context) == 1 && EVP_PKEY_keygen(context, &made) == 1)
    key = made!
    certificate = X509_new()
    X509_set_version(certificate, 2)
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...1_000_000_000))
    X509_gmtime_adj(X509_getm_notBefore(certificate), from)
    X509_gmtime_adj(X509_getm_notAfter(certificate), until)
    X509_set_pubkey(certificate, key)
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, name, -1, -1, 0)
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer?.certificate ?? certificate))
    Self.add(NID_subject_alt_name, names, to: certificate)
    if isAuthority { Self.add(NID_basic_constraints, "critical,CA:TRUE", to: certificate) }
    precondition(X509_sign(certificate, issuer?.key ?? key, nil) > 0)

    var template = Array("/tmp/upstream-tls-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil)
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    file = directory + "/certificate.pem"
    write(to: file)
  }

  deinit {
    unlink(file)
    rmdir(directory)
    X509_free(certificate)
    EVP_PKEY_free(key)
  }

  func write(to path: String) {
    let stream = fopen(path, "w")
    precondition(PEM_write_X509(stream, certificate) == 1)
    precondition(PEM_write_PrivateKey(stream, key, nil, nil, 0, nil, nil) == 1)
    fclose(stream)
  }

  private static func add(_ nid: Int32, _ value: String, to certificate: OpaquePointer) {
    let field = X509V3_EXT_conf_nid(nil, nil, nid, value)
    precondition(field != nil)
    X509_add_ext(certificate, field, -1)
    X509_EXTENSION_free(field)
  }
}

/// The server's side of TLS, blocking.
final class ServerTLS: @unchecked Sendable {
  let context: OpaquePointer

  /// `clients`: who signs the certificates that clients must show; nil: none is asked for.
  init(
    _ certificate: Certificate, clients: Certificate? = nil, newest: Int32 = 0, offersHTTP2: Bool = false
  ) {
    // A client that has gone is told by SSL_write.
    signal(SIGPIPE, SIG_IGN)
    context = SSL_CTX_new(TLS_server_method())
    SSL_CTX_use_certificate(context, certificate.certificate)
    SSL_CTX_use_PrivateKey(context, certificate.key)
    SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(newest), nil)
    if offersHTTP2 {
      SSL_CTX_set_alpn_select_cb(
        context,
        { _, chosen, count, _, _, _ in
          let name: StaticString = "h2"
          chosen?.pointee = name.utf8Start
          count?.pointee = 2
          return SSL_TLSEXT_ERR_OK
        }, nil)
    }
    if let clients {
      SSL_CTX_load_verify_locations(context, clients.file, nil)
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
      var name: [UInt8] = [1]
      SSL_CTX_set_session_id_context(context, &name, 1)
    }
  }

  deinit { SSL_CTX_free(context) }

  /// Shakes hands; nil: the client would not.
  func accept(_ descriptor: Int32) -> OpaquePointer? {
    let ssl = SSL_new(context)!
    SSL_set_fd(ssl, descriptor)
    if SSL_accept(ssl) == 1 { return ssl }
    SSL_free(ssl)
    ERR_clear_error()
    return nil
  }
}
