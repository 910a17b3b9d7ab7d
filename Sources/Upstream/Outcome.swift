package import Base
internal import CLinux

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
  /// The provider has not taken the request up, and says so (RFC 9113 §8.7).
  case refusedStream
  /// Another transfer of the race sends the request; this one sent nothing.
  case lostRace
  /// What came is not HTTP as we take it: a malformed or too long head.
  case protocolError
  /// This process may open no further socket (EMFILE, ENFILE).
  case outOfDescriptors
  /// Something else on our side: memory, an unusable URL.
  case localFault
}

/// How a transfer ended.
package struct TransferOutcome: Equatable, Sendable {
  /// nil: the answer is complete.
  package var fault: TransferFault?
  /// Status of the final head; 0 where none came.
  package var status: Int
  /// Body bytes received.
  package var received: UInt64
  /// The connection stood and took the whole body.
  package var isRequestSent: Bool
  package var isReused: Bool
  /// Time until the connection stood and until the TLS handshake was done; zero on a reused connection.
  package var connectTime: Interval
  package var handshakeTime: Interval
  /// libcurl's result code and the last errno of the connection, for the log.
  package var code: Int32
  package var systemError: Int32

  package var isHeadSeen: Bool { status != 0 }
  /// Nobody listens there: the host refuses the connection, or there is no such socket in the file system.
  package var isRefused: Bool { systemError == ECONNREFUSED || systemError == ENOENT }
  /// The kernel gave the connection up: keep-alive probes, or bytes of ours, went unanswered (tcp(7)).
  package var isPathLost: Bool {
    systemError == ETIMEDOUT || systemError == EHOSTUNREACH || systemError == ENETUNREACH
  }
}

extension Upstream {
  /// A transfer is over; nil: the answer is complete. `code`: libcurl's, of a connection that could not be made.
  /// `isAtRest`: nothing of the request or the answer is left on its connection.
  func end(
    _ slot: Slot, _ fault: TransferFault?, error: Int32 = 0, code: Int32 = 0, isAtRest: Bool = false
  ) {
    // Whatever came: without a head it is no answer.
    let fault = fault ?? (slot.isHeadSeen ? nil : .protocolError)
    sendRelayed(atEndOf: fault == nil ? slot : nil)
    finishObserving(slot)
    if let connection = slot.connection { leave(slot, connection, isAtRest: isAtRest) }
    let isSent =
      slot.connectedAt != nil && !slot.isSendBroken && !slot.feeding.isOpen && slot.bodyTaken >= slot.bodySize
    let outcome = TransferOutcome(
      fault: fault, status: slot.isHeadSeen ? slot.status : 0, received: slot.received, isRequestSent: isSent,
      isReused: slot.isReused, connectTime: slot.connectTime, handshakeTime: slot.handshakeTime, code: code,
      systemError: error)
    slot.phase = .ended
    slot.segments.removeAll(keepingCapacity: true)
    note(.ended(outcome), slot)
  }
}
