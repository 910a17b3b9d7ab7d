package import Policy
internal import Wire

/// What an answer is worth, as far as it has come.
package enum Verdict: Equatable, Sendable {
  case good
  /// The client's own fault: goes to it as it came.
  case relay
  case fault(Fault)
}

/// How a transfer ended without a usable answer.
package enum TransferEnd: Sendable {
  case unreachable, refused, tls, reset, cut
  /// A pooled connection was dead before a byte of the answer came.
  case stale
  case raceLost
  /// This process may open no further socket.
  case noRoom
  case unreadable
}
