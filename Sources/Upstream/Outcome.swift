package import Base

/// Why a transfer did not end well.
package enum TransferFault: Equatable, Sendable {
  case couldNotResolve
  /// Refused, unreachable, or no address answered.
  case couldNotConnect
  /// Look-up, connection and handshake together took longer than the target allows.
  case connectTimedOut
  case tlsFailed
  /// The connection was lost after the request went out.
  case reset
  /// The answer stopped before its end.
  case closedEarly
  /// A pooled connection turned out to be dead before a byte of the answer came. The request was not sent
  /// again.
  case reusedConnectionDied
  /// Another transfer of the race sends the request; this one sent nothing.
  case lostRace
  /// What came is not HTTP as we take it: a malformed or too long head.
  case protocolError
  /// Something on our side: memory, descriptors, an unusable URL.
  case localFault
}

/// How a transfer ended.
package struct TransferOutcome: Sendable {
  /// nil: the answer is complete.
  package var fault: TransferFault?
  /// Status of the final head; 0 where none came.
  package var status: Int
  /// Body bytes received.
  package var received: UInt64
  /// The whole request was handed to the kernel or, over TLS, to the TLS library.
  package var isRequestSent: Bool
  package var isReused: Bool
  /// Time until the connection stood and until the TLS handshake was done; zero on a reused connection.
  package var connectTime: Interval
  package var handshakeTime: Interval
  /// libcurl's result code and the last errno of the connection, for the log.
  package var code: Int32
  package var systemError: Int32

  package var isHeadSeen: Bool { status != 0 }
}
