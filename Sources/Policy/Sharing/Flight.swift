internal import Base

/// A client that takes part in a flight, named by its caller (a connection's slot and generation, say).
package struct FollowerID: Hashable, Sendable {
  package var raw: UInt64
  @inlinable package init(_ raw: UInt64) { self.raw = raw }
}

/// One upstream exchange that several identical requests share. The generation tells it from an earlier one
/// in the same slot.
package struct FlightID: Hashable, Sendable {
  var slot: UInt32
  var generation: UInt32
  /// Dense and reused, for a caller's own table beside this one.
  package var index: Int { Int(slot) }
}

/// A follower's place in a flight, with its cursor. Valid until it leaves.
package struct Subscription: Hashable, Sendable {
  var slot: UInt32
  var generation: UInt32
  /// Dense and reused, for a caller's own table beside this one.
  package var index: Int { Int(slot) }
}

/// What became of a request that asked to share a flight.
package enum Joining: Hashable, Sendable {
  /// Nobody asks for this yet: make the upstream exchange, and feed its flight.
  case lead(Subscription)
  /// Another's upstream exchange answers this one too.
  case follow(Subscription)
  /// A bound is reached: make an upstream exchange of its own, outside of any flight.
  case refused(Refusal)

  package enum Refusal: Hashable, Sendable { case flights, followers }
}

/// How a flight's upstream exchange ended.
package enum FlightEnding: Hashable, Sendable {
  case complete
  /// After commit: the body is not all there.
  case cut
  /// Before commit: nobody has received anything. `code` is the caller's own.
  case failed(code: Int32)
}

/// What a follower is due next.
package enum FlightStep: Equatable, Sendable {
  /// Nothing now; more may come.
  case wait
  /// The head. To be acknowledged with `headSent`.
  case head(AnswerHead)
  /// Bytes of the recording in this range, maybe in several pieces. To be acknowledged with `advance`.
  case bytes(Range<Int>)
  /// It fell out of the window and cannot get the rest: end it with an error and let it leave.
  case fellBehind
  /// It has had everything. Let it leave.
  case ended(FlightEnding)
}

/// What a follower's leaving means for the flight.
package enum Departure: Hashable, Sendable {
  /// Others are still there.
  case othersRemain
  /// It was the last one and the upstream exchange still runs: cancel it. The flight is gone.
  case cancelUpstream(FlightID)
  /// It was the last one of a flight that had ended. The flight is gone.
  case flightOver
}

/// Whether the upstream exchange may go on reading.
package enum FlightPace: Hashable, Sendable { case run, pause }
