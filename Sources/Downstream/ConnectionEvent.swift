package import Base
package import Exchange
package import Transport

/// What the clients' side has to tell the loop: values, in the order they happened.
package enum ConnectionEvent {
  /// A complete request waits in its connection.
  case request(SlotID)
  /// The request cannot be taken as it is; the connection waits for this answer.
  case refused(SlotID, LocalError)
  /// The client is gone while its answer was being made.
  case left(SlotID)
  /// Bytes that waited for the client's socket have gone out.
  case drained(SlotID)
  /// More has come of a body that is passed on, or its connection's end.
  case fed(SlotID)
  /// A client did not come in: its TLS handshake failed.
  case unsecured(TLSFault)
}
