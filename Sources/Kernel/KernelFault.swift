internal import CLinux

/// A system call that failed: what was tried, on what, and the errno.
package struct KernelFault: Error, Equatable, Sendable {
  package enum Operation: Equatable, Sendable {
    case resolve, lookUp, socket, bind, listen, inherit, connect, poll, signals
  }

  package var operation: Operation
  /// The address or descriptor that it was about, as the operator wrote it.
  package var subject: String
  /// An errno value (for `.resolve` and `.lookUp`: EINVAL).
  package var code: Int32

  package init(_ operation: Operation, _ subject: String, code: Int32) {
    self.operation = operation
    self.subject = subject
    self.code = code
  }

  /// The fault of the call that has just failed.
  init(_ operation: Operation, _ subject: String) {
    self.init(operation, subject, code: linux_errno())
  }

  /// One line: `cannot listen on 127.0.0.1:8080: Address already in use (…)`.
  package var text: String {
    var line = "cannot \(verb)"
    if !subject.isEmpty { line += " \(subject)" }
    line += ": " + (operation == .lookUp ? "DNS does not know it, or does not answer" : Self.reason(code))
    if let advice { line += " (\(advice))" }
    return line
  }

  /// The system's words for an errno value.
  package static func reason(_ code: Int32) -> String {
    // Lifetime: strerror's text is copied before the call returns.
    String(cString: strerror(code))
  }

  private var verb: String {
    switch operation {
    case .resolve: "find the address"
    case .lookUp: "find the address of"
    case .socket: "make a socket for"
    case .bind, .listen: "listen on"
    case .inherit: "take over"
    case .connect: "connect to"
    case .poll: "watch descriptors"
    case .signals: "receive signals"
    }
  }

  /// What the operator can do about it, for the usual cases.
  private var advice: String? {
    let isPath = subject.hasPrefix("unix:")
    switch (operation, code) {
    case (.resolve, _): return "a numeric IP address is wanted, v6 without brackets, or localhost"
    case (.bind, EADDRINUSE), (.listen, EADDRINUSE):
      return isPath
        ? "another process listens on this socket"
        : "port in use: end the other process or choose another port"
    case (.bind, EACCES):
      return isPath ? "no right to write to that directory" : "ports below 1024 need CAP_NET_BIND_SERVICE"
    case (.bind, EADDRNOTAVAIL): return "no interface of this machine has that address"
    case (.bind, ENOENT): return "the directory does not exist"
    case (.bind, ENAMETOOLONG), (.connect, ENAMETOOLONG): return "a socket's path has at most 107 bytes"
    case (.bind, EEXIST): return "the path exists and is not a socket: it is left alone"
    case (.socket, EAFNOSUPPORT): return "this machine has no such protocol; is IPv6 switched off?"
    case (.inherit, _): return "no listening stream socket came with that number; see the socket unit"
    case (.connect, ECONNREFUSED): return "nothing listens there"
    case (.connect, ENOENT): return "no such socket"
    case (.connect, EACCES) where isPath: return "no right to use that socket"
    default: return nil
    }
  }
}
