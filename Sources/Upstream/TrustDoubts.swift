internal import CLinux
internal import Transport

extension UpstreamSettings {
  /// What is wrong with the authorities that certificates are checked against, in a sentence each. It shows only when
  /// the first https:// provider is asked, and then at all of them.
  package var trustDoubts: [String] {
    var doubts: [String] = []
    if let file = certificateFile {
      if access(file, R_OK) != 0 {
        doubts.append("SSL_CERT_FILE=\(file): \(Self.systemError)")
      } else {
        var settings = TLSSettings()
        settings.authorityFile = file
        if let fault = TLSContext(settings).fault { doubts.append("SSL_CERT_FILE: \(fault.words(for: ""))") }
      }
    }
    for directory in (certificateDirectory ?? "").split(separator: ":").map({ String($0) }) {
      if access(directory, R_OK | X_OK) != 0 {
        doubts.append("SSL_CERT_DIR=\(directory): \(Self.systemError)")
      } else if linux_is_hashed_directory(directory) == 0 {
        doubts.append("SSL_CERT_DIR=\(directory): no certificate has a hashed name there (openssl rehash)")
      }
    }
    if Trust(self).isLibraryDefault {
      doubts.append("no certificates of authorities are found on this machine (Debian: ca-certificates)")
    }
    return doubts
  }

  private static var systemError: String {
    // Lifetime: strerror's text is copied at once.
    String(cString: strerror(linux_errno()))
  }
}
