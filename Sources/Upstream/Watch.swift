package import Base

/// What a descriptor is to be watched for.
package struct WatchInterest: OptionSet, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }
  package static let read = WatchInterest(rawValue: 1)
  package static let write = WatchInterest(rawValue: 2)
}

/// A change to make to the poller, level-triggered, in the order given.
package enum WatchChange: Equatable, Sendable {
  /// Begin to watch a descriptor that is not watched.
  case add(descriptor: Int32, WatchInterest)
  case modify(descriptor: Int32, WatchInterest)
  /// Stop watching; the descriptor is still open.
  case remove(descriptor: Int32)
  /// The descriptor was closed, which took it out of the poller: drop what is kept about it, and ask the
  /// kernel nothing, since the number may already mean another socket.
  case forget(descriptor: Int32)
}

package enum TimerChange: Equatable, Sendable {
  case disarm
  /// Call `timerFired` then. An instant that has passed means the next turn.
  case arm(at: Instant)
}
