package import Kernel
package import Transport

/// Why a client's connection could not be made.
package enum ConnectFault: Error, Equatable, Sendable {
  case kernel(KernelFault)
  /// `name`: the server's.
  case tls(TLSFault, name: String)

  /// What a person reads.
  package var text: String {
    switch self {
    case .kernel(let fault): fault.text
    case .tls(let fault, let name): fault.words(for: name, trustedBy: "SSL_CERT_FILE")
    }
  }
}
