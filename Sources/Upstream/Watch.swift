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
  /// Stop watching. The descriptor is open, or (the resolver's) just closed: EBADF and ENOENT mean nothing.
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

/// Sockets: what is to be watched, what the poller has been told, and who opened them.
///
/// The poller is told of what nobody wants any more only when that has been reported (a paused transfer has more), so
/// that a request on a pooled connection changes nothing in it.
struct WatchTable {
  struct Entry {
    /// What libcurl wants now.
    var wanted: WatchInterest = []
    /// What the poller has been told; nil: not registered.
    var told: WatchInterest?
    var isDirty = false
    /// Closed after the poller was told; the number may be open again.
    var isStale = false
    /// Take it out of the poller unless it is wanted.
    var isUnwelcome = false

    /// Opened by us for a connection; false also for libcurl's own wake-up descriptors.
    var isOpen = false
    /// What libcurl has handed over; nil: it is libcurl's still.
    var connection: Connection?
    /// What opened it.
    var opener = Dial.ID.none
    /// The kernel's name for the socket, which no other one gets: the number alone may mean another by now.
    var cookie: UInt64 = 0

    /// Nothing is known of the descriptor, nor by the poller.
    var isUnknown: Bool { wanted.isEmpty && told == nil && !isDirty && !isOpen && connection == nil }
  }

  /// By descriptor. Descriptors are small numbers: the table is as long as the highest one.
  private(set) var entries: [Entry] = []
  private var dirty: [Int32] = []

  subscript(descriptor: Int32) -> Entry? {
    descriptor >= 0 && Int(descriptor) < entries.count ? entries[Int(descriptor)] : nil
  }

  mutating func opened(_ descriptor: Int32, opener: Dial.ID, cookie: UInt64 = 0) {
    let at = place(descriptor)
    // Whatever the poller was told was about an earlier socket, whose end may have come without a word.
    if entries[at].told != nil { closed(descriptor) }
    entries[at].isOpen = true
    entries[at].cookie = cookie
    entries[at].opener = opener
  }

  mutating func closed(_ descriptor: Int32) {
    let at = place(descriptor)
    entries[at].isOpen = false
    entries[at].connection = nil
    entries[at].wanted = []
    entries[at].isUnwelcome = false
    if entries[at].told != nil {
      entries[at].isStale = true
      soil(at)
    }
  }

  mutating func want(_ interest: WatchInterest, on descriptor: Int32) {
    let at = place(descriptor)
    entries[at].wanted = interest
    // A descriptor that libcurl made for itself is closed without a word: it is not kept registered.
    if interest.isEmpty, !entries[at].isOpen { entries[at].isUnwelcome = true }
    if entries[at].told != interest { soil(at) }
  }

  /// Nobody wants what the poller reported.
  mutating func turnAway(_ descriptor: Int32) {
    let at = place(descriptor)
    entries[at].isUnwelcome = true
    soil(at)
  }

  /// libcurl has handed a socket over.
  mutating func take(_ connection: Connection, _ descriptor: Int32) {
    entries[place(descriptor)].connection = connection
  }

  /// Gives back the places behind the highest descriptor that anything is known of.
  mutating func rest() {
    if !dirty.isEmpty { return }
    dirty = []
    while let last = entries.last, last.isUnknown { entries.removeLast() }
    entries.dropSpareRoom()
  }

  /// The next difference between what the poller was told and what it should know.
  mutating func next() -> WatchChange? {
    while let descriptor = dirty.last {
      let at = Int(descriptor)
      if entries[at].isStale {
        entries[at].isStale = false
        entries[at].told = nil
        return .forget(descriptor: descriptor)
      }
      dirty.removeLast()
      entries[at].isDirty = false
      if let change = settle(at) { return change }
    }
    return nil
  }

  private mutating func settle(_ at: Int) -> WatchChange? {
    let descriptor = Int32(at)
    let wanted = entries[at].wanted
    let isUnwelcome = entries[at].isUnwelcome
    entries[at].isUnwelcome = false
    guard let told = entries[at].told else {
      if wanted.isEmpty { return nil }
      entries[at].told = wanted
      return .add(descriptor: descriptor, wanted)
    }
    if wanted == told { return nil }
    if !wanted.isEmpty {
      entries[at].told = wanted
      return .modify(descriptor: descriptor, wanted)
    }
    if isUnwelcome {
      entries[at].told = nil
      return .remove(descriptor: descriptor)
    }
    // An idle socket is writable all the time, readable only at its end.
    if told == .read { return nil }
    entries[at].told = .read
    return .modify(descriptor: descriptor, .read)
  }

  private mutating func place(_ descriptor: Int32) -> Int {
    precondition(descriptor >= 0)
    let at = Int(descriptor)
    while entries.count <= at { entries.append(Entry()) }
    return at
  }

  private mutating func soil(_ at: Int) {
    if entries[at].isDirty { return }
    entries[at].isDirty = true
    dirty.append(Int32(at))
  }
}
