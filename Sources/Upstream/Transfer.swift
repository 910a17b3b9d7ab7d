package import Base
internal import Transport

/// Names one transfer: a place and the number of its use, so that an old name never meets a new transfer.
package struct TransferID: Hashable, Sendable {
  let slot: UInt32
  let generation: UInt32
}

/// Names a prepared target.
package struct TargetID: Hashable, Sendable {
  let index: Int32
}

/// Groups the transfers of one exchange of which only one may send its request. The caller picks the number
/// (the exchange's own); it must not be in use by another group.
package struct RaceID: Hashable, Sendable {
  package let number: UInt64
  package init(_ number: UInt64) { self.number = number }
}

/// What happened to a transfer. Past facts, in the order in which they came.
package struct TransferEvent: Sendable {
  package enum Fact: Sendable {
    /// The connection is ready and the request goes out next.
    case connected(isReused: Bool)
    /// The final response head is complete; `withHead` has it. Interim (1xx) heads are not reported.
    case head(status: Int)
    /// The event stream has shown its first content, or an error. Held back until `commit`.
    case content
    /// As many bytes as the request said wait for a decision and the transfer is paused until `commit` or `cancel`.
    case heldFull
    /// The output has not taken everything: it wants to be watched for room. Told once until `resume`.
    case blocked
    /// Bytes were recorded that followers have not had. Told once a turn.
    case recorded
    /// The connection has taken most of what `feed` was given: there is room for more.
    case roomy
    /// Nothing comes after it. The slot, its head and its held bytes stay until `cancel`.
    case ended(TransferOutcome)
  }
  package let transfer: TransferID
  package let tag: UInt64
  package let fact: Fact
}

/// Figures of one transfer as it stands.
package struct TransferProgress: Sendable {
  package var openedAt: Instant
  package var connectedAt: Instant?
  package var firstByteAt: Instant?
  package var firstContentAt: Instant?
  /// The last content of an event stream; for other answers the last body byte.
  package var lastContentAt: Instant?
  /// Body bytes taken from the provider.
  package var received: UInt64
  /// Body bytes handed to the output, without framing.
  package var forwarded: UInt64
  package var isPaused: Bool
  package var isReused: Bool
  package var isEventStream: Bool
}
