internal import Base
package import Kernel
package import Lab

/// Why a batch cannot go on.
package enum BatchFault: Error, Equatable, Sendable {
  case openInput(Int32), openOutput(Int32)
  /// Another process has the output open for writing.
  case locked
  case read(Int32), write(Int32)
  case lineTooLong(Int)
  /// The input is not what it was when it was checked: the line's number.
  case changed(Int)
  /// The files have mistakes, which were told.
  case mistakes
  case kernel(KernelFault)
  /// Nobody has answered since the start.
  case unreachable(ConnectFault)
  case keyRejected

  /// For the person who started it; `input` and `output` are the files' names.
  package func text(input: String, output: String) -> String {
    switch self {
    case .openInput(let code): "\(input): \(reason(code))"
    case .openOutput(let code): "\(output): \(reason(code))"
    case .locked: "\(output) is being written by another process"
    case .read(let code): "reading failed: \(reason(code))"
    case .write(let code): "\(output): writing failed: \(reason(code))"
    case .lineTooLong(let number):
      "\(input):\(number): error: the line is longer than \(Limits.batchLine >> 20) MiB"
    case .changed(let number): "\(input):\(number): error: the file was changed while it was being worked on"
    case .mistakes: "nothing was sent"
    case .kernel(let fault): fault.text
    case .unreachable(.tls(let fault, let name)): ConnectFault.tls(fault, name: name).text
    case .unreachable(let fault): "\(fault.text): is `synaxis run` there? --url says where it is asked"
    case .keyRejected:
      "the instance does not take this key (401): give one of its `clients` by --key or $OPENAI_API_KEY"
    }
  }

  private func reason(_ code: Int32) -> String { KernelFault.reason(code) }
}
