internal import Lab
internal import Policy
internal import TierFile
internal import Transport
internal import Upstream

/// Whose signatures on the certificates of providers and, for the commands, of instances are trusted.
enum Authorities {
  /// An empty variable says nothing, as for curl and OpenSSL.
  static func settings(_ environment: Environment) -> UpstreamSettings {
    var settings = UpstreamSettings()
    if let file = environment["SSL_CERT_FILE"], !file.isEmpty { settings.certificateFile = file }
    if let directory = environment["SSL_CERT_DIR"], !directory.isEmpty {
      settings.certificateDirectory = directory
    }
    return settings
  }

  /// Whom the commands speak TLS to; nil: the instance is asked in the clear.
  static func peer(of instance: Instance) -> TLSPeer? {
    guard instance.isSecure else { return nil }
    return TLSPeer(
      TLSContext(settings(TierFileChoice.environment()).tls), name: instance.name, protocols: .http1)
  }

  /// What is wrong with them, where a provider's certificate is to be checked against them.
  static func doubts(_ configuration: Configuration, _ environment: Environment) -> [String] {
    let names = configuration.providers.filter {
      $0.isSecure && $0.tls.verifies && $0.tls.authorityFile == nil
    }.map { $0.name }
    if names.isEmpty { return [] }
    let whom = names.joined(separator: ", ")
    return settings(environment).trustDoubts.map { "\($0); nothing vouches for the certificates of \(whom)" }
  }
}
