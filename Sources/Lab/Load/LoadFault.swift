package import Kernel

/// Why a load run cannot begin.
package enum LoadFault: Error, Equatable, Sendable {
  case kernel(KernelFault)
  /// The target is another machine, and that was not permitted.
  case remote(String)

  package var text: String {
    switch self {
    case .kernel(let fault): fault.text
    case .remote(let address):
      "\(address) is not on this machine, and its answers may cost money: --allow-remote permits it"
    }
  }
}
