package import Base
internal import CLinux

/// What a descriptor is watched for. Errors and a full hang-up are always reported.
package struct Interest: OptionSet, Sendable {
  package let rawValue: UInt8
  @inlinable package init(rawValue: UInt8) { self.rawValue = rawValue }
  package static let read = Interest(rawValue: 1)
  package static let write = Interest(rawValue: 2)
  /// The peer has shut down its writing side (EPOLLRDHUP). Level-triggered: take it out of the interest once
  /// it was seen, or every wait reports it again.
  package static let peerClosed = Interest(rawValue: 4)

  var bits: UInt32 {
    var bits: UInt32 = 0
    if contains(.read) { bits |= EPOLLIN.rawValue }
    if contains(.write) { bits |= EPOLLOUT.rawValue }
    if contains(.peerClosed) { bits |= EPOLLRDHUP.rawValue }
    return bits
  }
}

/// What epoll said about one descriptor. Several facts may hold at once; unread data may remain with any.
package struct PolledEvent: Sendable {
  package let token: Token
  let bits: UInt32

  package var readable: Bool { bits & EPOLLIN.rawValue != 0 }
  package var writable: Bool { bits & EPOLLOUT.rawValue != 0 }
  /// Both directions are closed (EPOLLHUP). Read to the end before believing that nothing is left.
  package var hungUp: Bool { bits & EPOLLHUP.rawValue != 0 }
  /// The peer sends nothing more (EPOLLRDHUP); it may still read.
  package var peerClosed: Bool { bits & EPOLLRDHUP.rawValue != 0 }
  /// An error is pending on the socket (EPOLLERR).
  package var failed: Bool { bits & EPOLLERR.rawValue != 0 }
}

/// Room for the events of one wait, made once.
package final class PolledEvents {
  // Lifetime: allocated by init, freed by deinit; epoll_wait writes to it during `Poller.wait` only.
  fileprivate let storage: UnsafeMutablePointer<epoll_event>
  fileprivate let capacity: Int
  package fileprivate(set) var count = 0

  package init(capacity: Int = Limits.eventsPerTurn) {
    precondition(capacity > 0)
    self.capacity = capacity
    storage = .allocate(capacity: capacity)
    storage.initialize(repeating: epoll_event(), count: capacity)
  }

  deinit { storage.deallocate() }

  package subscript(index: Int) -> PolledEvent {
    precondition(index >= 0 && index < count)
    let event = storage + index
    return PolledEvent(token: Token(bits: linux_epoll_token(event)), bits: linux_epoll_bits(event))
  }
}

/// A set of watched descriptors: epoll, level-triggered.
///
/// It owns none of them. Remove a descriptor before closing it where a copy of it may live elsewhere (dup,
/// fork): epoll forgets a closed one only with its last copy.
package final class Poller {
  private let epoll: Descriptor
  /// epoll_pwait2 is there: time-outs in nanoseconds.
  private var hasNanoseconds = true

  package init() throws(KernelFault) {
    let raw = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard raw >= 0 else { throw KernelFault(.poll, "") }
    epoll = Descriptor(owning: raw)
  }

  /// Readable while an event waits: a poller can be watched by another one.
  package var descriptor: Int32 { epoll.raw }

  package func add(_ descriptor: Int32, _ interest: Interest, token: Token) throws(KernelFault) {
    try control(EPOLL_CTL_ADD, descriptor, interest, token)
  }

  package func modify(_ descriptor: Int32, _ interest: Interest, token: Token) throws(KernelFault) {
    try control(EPOLL_CTL_MOD, descriptor, interest, token)
  }

  /// Forgets a descriptor. One that is not watched (any more) is no error.
  package func remove(_ descriptor: Int32) {
    _ = linux_epoll_control(epoll.raw, EPOLL_CTL_DEL, descriptor, 0, 0)
  }

  private func control(_ operation: Int32, _ descriptor: Int32, _ interest: Interest, _ token: Token)
    throws(KernelFault)
  {
    guard linux_epoll_control(epoll.raw, operation, descriptor, interest.bits, token.bits) == 0 else {
      throw KernelFault(.poll, "\(descriptor)")
    }
  }

  /// Waits for events, at most `timeout` (nil: for ever; negative: not at all) and `Limits.longestWait`. A signal is no
  /// event: it ends the wait with none.
  package func wait(timeout: Interval?, into events: PolledEvents) throws(KernelFault) {
    let room = Int32(events.capacity)
    var n: Int32 = -1
    events.count = 0
    let timeout = timeout.map { min($0, Limits.longestWait) }
    if hasNanoseconds {
      let limit = timeout.map { max(0, $0.nanoseconds) } ?? -1
      n = linux_epoll_wait_ns(epoll.raw, events.storage, room, limit)
      // A kernel before 5.11, or a sandbox that does not know the call.
      if n < 0, linux_errno() == ENOSYS || linux_errno() == EPERM { hasNanoseconds = false }
    }
    if !hasNanoseconds {
      n = epoll_wait(epoll.raw, events.storage, room, timeout.map(Self.millisecondsUp) ?? -1)
    }
    if n < 0 {
      if linux_errno() == EINTR { return }
      throw KernelFault(.poll, "")
    }
    events.count = Int(n)
  }

  /// Rounded up, so that a timer is never found not yet due.
  static func millisecondsUp(_ interval: Interval) -> Int32 {
    if interval.nanoseconds <= 0 { return 0 }
    let whole = interval.nanoseconds / 1_000_000 + (interval.nanoseconds % 1_000_000 > 0 ? 1 : 0)
    return Int32(clamping: whole)
  }
}
