internal import CCurl
internal import CLinux
internal import Transport

/// Where the certificates come from that a provider's certificate must chain to.
///
/// OpenSSL's default on Debian is the bundle *and* the directory: tens of milliseconds, and a megabyte, for what a
/// hashed directory gives for one small file. Where libcurl does it all, it parses a bundle for every connection, or
/// alone once a day (CURLOPT_CA_CACHE_TIMEOUT works only without a directory).
struct Trust {
  /// nil: none.
  private(set) var file: String?
  private(set) var directory: String?
  /// Neither was found: what libcurl was built with stays in force.
  var isLibraryDefault: Bool { file == nil && directory == nil }

  private static let directories = ["/etc/ssl/certs", "/etc/pki/tls/certs"]
  private static let bundles = [
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
  ]
  /// Seconds for which a parsed bundle is used.
  private static let bundleAge = 24 * 3600

  /// 1. What `SSL_CERT_FILE` and `SSL_CERT_DIR` name, and nothing else. 2. The first hashed directory, with
  /// the extra file beside it. 3. The extra file alone. 4. The first bundle. 5. libcurl's default.
  init(_ settings: UpstreamSettings) {
    // 1
    if settings.certificateFile != nil || settings.certificateDirectory != nil {
      file = settings.certificateFile
      directory = settings.certificateDirectory
      return
    }
    // 2
    directory = Self.directories.first { ccurl_is_hashed_directory($0) != 0 }
    // 3
    file = settings.extraCertificateFile
    // 4, 5
    if file == nil, directory == nil { file = Self.bundles.first { access($0, R_OK) == 0 } }
  }

  /// Settings without authorities of their own get these.
  func fill(in settings: inout TLSSettings) {
    settings.authorityFile = file
    settings.authorityDirectory = directory
  }

  /// Lifetime: libcurl copies the texts.
  func apply(to easy: UnsafeMutableRawPointer) {
    _ = ccurl_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1)
    _ = ccurl_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2)
    ccurl_keep_authorities(easy, Self.bundleAge)
    if isLibraryDefault { return }
    _ = ccurl_set_text(easy, CURLOPT_CAINFO, file)
    _ = ccurl_set_text(easy, CURLOPT_CAPATH, directory)
    _ = ccurl_set_text(easy, CURLOPT_PROXY_CAINFO, file)
    _ = ccurl_set_text(easy, CURLOPT_PROXY_CAPATH, directory)
  }
}
