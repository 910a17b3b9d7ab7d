package import Base

/// What the kernel knows about a transfer's way to its provider (TCP_INFO, tcp(7)).
///
/// Behind an HTTP proxy it is the way to the proxy.
package enum PathState: Equatable, Sendable {
  /// No address has answered: the name is being looked up or a SYN is out.
  case connecting
  /// TCP stands, the TLS handshake is not done.
  case handshaking(roundTrip: Interval)
  /// Bytes of the request have been out for at least the threshold without any acknowledgement.
  case unacknowledged(for: Interval)
  /// The other side's kernel has what we sent: silence now is thinking.
  case acknowledged(roundTrip: Interval)
  /// Not open, ended, or the connection could not be found.
  case unknown
}
