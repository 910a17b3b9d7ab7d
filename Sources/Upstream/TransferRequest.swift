internal import Base

package enum TransferMethod: Sendable { case get, post, delete }

/// One request to a target.
package struct TransferRequest: Sendable {
  package var target: TargetID
  package var method = TransferMethod.post
  /// A transfer of a race is given up just before its request is sent if another one got there first.
  package var race: RaceID?
  /// No pooled connection, where the last one turned out to be dead.
  package var needsFreshConnection = false
  /// An answer without a Content-Type is watched as an event stream. One that says `text/event-stream`
  /// always is.
  package var expectsEventStream = false
  /// Bytes of the answer that are held back before `commit`.
  package var holds = Limits.held
  /// Nothing of the answer's body is looked at.
  package var isOpaque = false
  /// Given back with every event of the transfer.
  package var tag: UInt64 = 0

  package init(target: TargetID) { self.target = target }
}
