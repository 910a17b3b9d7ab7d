internal import CLinux
package import Transport

/// Where the certificates come from that a provider's certificate must chain to.
///
/// OpenSSL's default on Debian is the bundle *and* the directory: tens of milliseconds, and a megabyte, for what a
/// hashed directory gives for one small file.
struct Trust {
  /// nil: none.
  private(set) var file: String?
  private(set) var directory: String?
  /// Neither was found: what OpenSSL was built with is in force.
  var isLibraryDefault: Bool { file == nil && directory == nil }

  private static let directories = ["/etc/ssl/certs", "/etc/pki/tls/certs"]
  private static let bundles = [
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
  ]

  /// 1. What `SSL_CERT_FILE` and `SSL_CERT_DIR` name, and nothing else. 2. The first hashed directory, with
  /// the extra file beside it. 3. The extra file alone. 4. The first bundle. 5. OpenSSL's default.
  init(_ settings: UpstreamSettings) {
    // 1
    if settings.certificateFile != nil || settings.certificateDirectory != nil {
      file = settings.certificateFile
      directory = settings.certificateDirectory
      return
    }
    // 2
    directory = Self.directories.first { linux_is_hashed_directory($0) != 0 }
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
}

extension UpstreamSettings {
  /// A connection's that trusts these authorities.
  package var tls: TLSSettings {
    var settings = TLSSettings()
    Trust(self).fill(in: &settings)
    return settings
  }
}
