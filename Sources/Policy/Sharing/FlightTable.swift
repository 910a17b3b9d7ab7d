package import Base

/// Identical requests in flight share one upstream exchange: who takes part, how far each is, how it ends.
///
/// A flight belongs to nobody. The first request leads only in that it makes the upstream exchange; when it
/// leaves, the others go on, and the last one to leave cancels. All bytes go through the flight's recording;
/// each subscription has a cursor in it. Pure: the caller moves the bytes and says what happened.
///
/// A subscription that is alone may be *direct* (`goDirect`): the relay hands it each chunk at once, besides recording
/// it, and its cursor is the recording's end. When another joins, both follow the recording, so that neither
/// one's socket holds up the other. `Recording.isFollowed` is false just while the only subscription is direct.
///
/// While the recording is whole, lagging costs nothing, since the bytes are kept anyway. From then on a
/// follower that lags by more than the window is told `.fellBehind`, alone. The upstream is paused only where
/// even the fastest follower lags.
package struct FlightTable: ~Copyable {
  package struct Figures: Hashable, Sendable {
    /// Flights begun: upstream exchanges.
    package var flights: Int64 = 0
    /// Requests that joined one: upstream exchanges saved.
    package var joined: Int64 = 0
    package var refused: Int64 = 0
    package var fellBehind: Int64 = 0
    package var cancelled: Int64 = 0
    package init() {}
  }

  private enum Phase {
    /// A free slot.
    case free
    /// Nothing has been committed to.
    case waiting
    case running
    case ended(FlightEnding)
  }

  private struct Flight {
    var phase = Phase.free
    var generation: UInt32 = 0
    var key = Fingerprint(high: 0, low: 0)
    /// Can be found by its key.
    var isListed = false
    /// Nil before commit.
    var head: AnswerHead?
    var recording: Recording?
    var firstSubscription = FlightSubscriptions.none
    var subscriptionCount = 0
    /// The upstream was told to pause.
    var isPaused = false
  }

  package struct Bounds: Sendable {
    package var flights = Limits.flights
    package var followers = Limits.followers
    /// Bytes.
    package var lag = Limits.followerLag
    /// Bytes of one answer that are kept whole; with a cache, `ResponseCache.largestAnswer`.
    package var recording: Int
    /// Bytes of all recordings in flight.
    package var memory: Int
    package var keepsPace = false
    package init(recording: Int, memory: Int) {
      self.recording = recording
      self.memory = memory
    }
  }

  package private(set) var bounds: Bounds
  package private(set) var figures = Figures()
  package private(set) var flightCount = 0

  private let meter: MemoryMeter
  private var index: CacheIndex
  private var flights: [Flight] = []
  private var freeFlights: [Int32] = []
  private var subscriptions = FlightSubscriptions()
  private var firstGeneration: UInt32 = 0

  /// - Parameter pool: the same as the cache's, since recordings go over to it.
  package init(bounds: Bounds, pool: BlockPool) {
    self.bounds = bounds
    meter = MemoryMeter(limit: bounds.memory, pool: pool)
    index = CacheIndex(capacity: bounds.flights)
  }

  /// Other bounds, for what begins from now on. Flights under way keep their recordings as they are.
  package mutating func adopt(_ bounds: Bounds) {
    self.bounds = bounds
    meter.limit = bounds.memory
    index = CacheIndex(capacity: max(bounds.flights, flights.count))
    for slot in flights.indices where flights[slot].isListed { index.insert(flights[slot].key, slot: slot) }
  }

  /// Gives all places back where none is taken. No name of before is one of those to come.
  package mutating func rest() {
    if flightCount > 0 || subscriptions.count > 0 || flights.isEmpty { return }
    firstGeneration = flights.reduce(firstGeneration) { max($0, $1.generation) } &+ 1
    (flights, freeFlights) = ([], [])
    subscriptions.rest()
    index = CacheIndex(capacity: bounds.flights)
  }

  package var subscriptionCount: Int { subscriptions.count }

  /// Bytes of all recordings that belong to flights.
  package var bytes: Int { meter.used }

  // MARK: - Joining and leaving

  /// Takes a request into the flight of its key.
  ///
  /// 1. One is there and can be joined: follow it, unless it has its full number.
  /// 2. One is there, but its beginning is gone: a new one takes over the key.
  /// 3. None: a new one, unless the table is full.
  package mutating func join(_ key: Fingerprint, follower: FollowerID) -> Joining {
    if let slot = index.find(key) {
      if let recording = flights[slot].recording, recording.isJoinable {  // 1
        if flights[slot].subscriptionCount >= bounds.followers {
          figures.refused += 1
          return .refused(.followers)
        }
        figures.joined += 1
        endDirect(slot, recording)
        return .follow(sit(follower, in: slot))
      }
      unlist(slot)  // 2
    }
    if flightCount >= bounds.flights {  // 3
      figures.refused += 1
      return .refused(.flights)
    }
    figures.flights += 1
    return .lead(sit(follower, in: open(key)))
  }

  /// Takes a client out: it went away, or it has had everything, or it fell behind. Its subscription ends here.
  package mutating func leave(_ subscription: Subscription) -> Departure {
    let place = subscriptions.place(of: subscription)
    let slot = Int(subscriptions[place].flight)
    subscriptions.stand(place, chain: &flights[slot].firstSubscription)
    flights[slot].subscriptionCount -= 1
    if flights[slot].subscriptionCount > 0 { return .othersRemain }
    let id = FlightID(slot: UInt32(slot), generation: flights[slot].generation)
    let departure: Departure
    switch flights[slot].phase {
    case .waiting, .running:
      figures.cancelled += 1
      departure = .cancelUpstream(id)
    case .ended: departure = .flightOver
    case .free: preconditionFailure("a subscription in a free flight")
    }
    close(slot)
    return departure
  }

  // MARK: - What the upstream exchange did

  /// The answer has begun in earnest: each subscription is due the head. Bytes may be recorded from now on.
  package mutating func commit(_ flight: FlightID, head: AnswerHead) {
    guard let slot = check(flight) else { return }
    switch flights[slot].phase {
    case .waiting:
      flights[slot].phase = .running
      flights[slot].head = head
    case .free, .running, .ended: preconditionFailure("a flight commits once")
    }
  }

  /// The upstream exchange ended. The flight takes nobody more; subscriptions get what they are still due. Returns
  /// the recording where it is complete and whole: the cache judges whether it is stored.
  package mutating func end(_ flight: FlightID, _ ending: FlightEnding) -> Recording? {
    guard let slot = check(flight) else { return nil }
    unlist(slot)
    switch flights[slot].phase {
    case .free, .ended: preconditionFailure("a flight ends once")
    case .waiting, .running: flights[slot].phase = .ended(ending)
    }
    switch ending {
    case .complete:
      guard let recording = flights[slot].recording, !recording.isOverflown else { return nil }
      return recording
    case .cut, .failed: return nil
    }
  }

  /// After bytes were recorded, or followers joined, advanced or left: drops what nobody needs any more, and
  /// says whether the upstream may go on.
  ///
  /// 1. The only subscription is direct: its own socket sets the pace, not this table.
  /// 2. Even the fastest follower lags by more than a quarter of the bound: pause. (The rest of the bound is
  ///    for what still comes before the pause takes hold.)
  /// 3. Paused: run again once it lags by at most an eighth.
  package mutating func settle(_ flight: FlightID) -> FlightPace {
    guard let slot = check(flight), let recording = flights[slot].recording else { return .run }
    var slowest = Int.max
    var fastest = 0
    var at = flights[slot].firstSubscription
    while at != FlightSubscriptions.none {
      let place = subscriptions[Int(at)]
      switch place.state {
      case .direct: return .run  // 1
      case .awaitingHead, .following:
        slowest = min(slowest, place.offset)
        fastest = max(fastest, place.offset)
      case .fellBehind, .free: break
      }
      at = place.next
    }
    if slowest == .max { return .run }
    recording.drop(before: slowest)
    let lag = recording.end - fastest
    if lag > bounds.lag / 4 { flights[slot].isPaused = true }  // 2
    if lag <= bounds.lag / 8 { flights[slot].isPaused = false }  // 3
    return flights[slot].isPaused ? .pause : .run
  }

  // MARK: - A follower's way

  /// What this subscription is due next.
  ///
  /// 1. It was handed everything directly: only the end is left to say.
  /// 2. The flight has not committed: wait, or fail with it.
  /// 3. Its next byte is gone: it fell behind.
  /// 4. Bytes that it has not had; then the end.
  package mutating func step(_ subscription: Subscription) -> FlightStep {
    let place = subscriptions.place(of: subscription)
    let slot = Int(subscriptions[place].flight)
    guard let recording = flights[slot].recording else {
      preconditionFailure("a flight without a recording")
    }
    switch subscriptions[place].state {
    case .free: preconditionFailure("a subscription nobody has")
    case .direct:  // 1
      if case .ended(let ending) = flights[slot].phase { return .ended(ending) }
      return .wait
    case .awaitingHead:  // 2
      if let head = flights[slot].head { return .head(head) }
      if case .ended(let ending) = flights[slot].phase { return .ended(ending) }
      return .wait
    case .fellBehind: return .fellBehind  // 3
    case .following:
      if subscriptions[place].offset < recording.start {
        subscriptions[place].state = .fellBehind
        figures.fellBehind += 1
        return .fellBehind
      }
      if subscriptions[place].offset < recording.end {
        return .bytes(subscriptions[place].offset..<recording.end)
      }  // 4
      if case .ended(let ending) = flights[slot].phase { return .ended(ending) }
      return .wait
    }
  }

  /// The head was handed to this client.
  package mutating func headSent(_ subscription: Subscription) {
    let place = subscriptions.place(of: subscription)
    precondition(subscriptions[place].state == .awaitingHead)
    subscriptions[place].state = .following
  }

  /// This client has been handed `count` more bytes of the recording.
  package mutating func advance(_ subscription: Subscription, by count: Int) {
    let place = subscriptions.place(of: subscription)
    precondition(subscriptions[place].state == .following && count >= 0)
    subscriptions[place].offset += count
    precondition(
      subscriptions[place].offset <= (flights[Int(subscriptions[place].flight)].recording?.end ?? 0))
  }

  /// Lets the relay hand this client each chunk at once from now on. False where it has not had everything
  /// yet, or is not alone.
  package mutating func goDirect(_ subscription: Subscription) -> Bool {
    let place = subscriptions.place(of: subscription)
    let slot = Int(subscriptions[place].flight)
    guard subscriptions[place].state == .following, flights[slot].subscriptionCount == 1,
      let recording = flights[slot].recording, subscriptions[place].offset == recording.end
    else { return false }
    subscriptions[place].state = .direct
    flights[slot].isPaused = false
    recording.isFollowed = false
    return true
  }

  // MARK: - Looking at it

  package func recording(of flight: FlightID) -> Recording? {
    guard let slot = check(flight) else { return nil }
    return flights[slot].recording
  }

  /// Nil before commit.
  package func head(of flight: FlightID) -> AnswerHead? {
    guard let slot = check(flight) else { return nil }
    return flights[slot].head
  }

  /// Body bytes that this client has been handed, by its relay or from the recording.
  package func handed(to subscription: Subscription) -> Int {
    let place = subscriptions[subscriptions.place(of: subscription)]
    switch place.state {
    case .direct: return flights[Int(place.flight)].recording?.end ?? 0
    case .free, .awaitingHead, .following, .fellBehind: return place.offset
    }
  }

  package func flight(of subscription: Subscription) -> FlightID {
    let slot = Int(subscriptions[subscriptions.place(of: subscription)].flight)
    return FlightID(slot: UInt32(slot), generation: flights[slot].generation)
  }

  package func follower(of subscription: Subscription) -> FollowerID {
    subscriptions[subscriptions.place(of: subscription)].follower
  }

  package func subscriptionCount(of flight: FlightID) -> Int {
    check(flight).map { flights[$0].subscriptionCount } ?? 0
  }

  package func firstSubscription(of flight: FlightID) -> Subscription? {
    guard let slot = check(flight) else { return nil }
    return subscriptions.subscription(at: flights[slot].firstSubscription)
  }

  /// The next subscription of the same flight. To be asked before `subscription` leaves.
  package func subscription(after subscription: Subscription) -> Subscription? {
    subscriptions.subscription(at: subscriptions[subscriptions.place(of: subscription)].next)
  }

  // MARK: - Slots

  /// Nil for a flight that is gone: events may come late.
  private func check(_ flight: FlightID) -> Int? {
    let slot = Int(flight.slot)
    guard slot < flights.count, flights[slot].generation == flight.generation else { return nil }
    return slot
  }

  private mutating func open(_ key: Fingerprint) -> Int {
    let slot: Int
    if let reused = freeFlights.popLast() {
      slot = Int(reused)
    } else {
      slot = flights.count
      flights.append(Flight(generation: firstGeneration))
    }
    let recording = Recording(
      cap: bounds.recording, window: bounds.lag, meter: meter, keepsPace: bounds.keepsPace)
    recording.isFollowed = true
    flights[slot].phase = .waiting
    flights[slot].recording = recording
    flights[slot].key = key
    flights[slot].isListed = true
    index.insert(key, slot: slot)
    flightCount += 1
    return slot
  }

  private mutating func close(_ slot: Int) {
    unlist(slot)
    flights[slot].phase = .free
    flights[slot].generation &+= 1
    flights[slot].head = nil
    flights[slot].recording = nil
    flights[slot].isPaused = false
    freeFlights.append(Int32(slot))
    flightCount -= 1
  }

  /// Nobody finds the flight by its key any more.
  private mutating func unlist(_ slot: Int) {
    guard flights[slot].isListed else { return }
    flights[slot].isListed = false
    index.remove(flights[slot].key)
  }

  /// A direct subscription goes over to the recording, all of which it has had.
  private mutating func endDirect(_ slot: Int, _ recording: Recording) {
    recording.isFollowed = true
    let only = flights[slot].firstSubscription
    guard only != FlightSubscriptions.none else { return }
    switch subscriptions[Int(only)].state {
    case .direct:
      subscriptions[Int(only)].offset = recording.end
      subscriptions[Int(only)].state = .following
    case .free, .awaitingHead, .following, .fellBehind: break
    }
  }

  private mutating func sit(_ follower: FollowerID, in slot: Int) -> Subscription {
    flights[slot].subscriptionCount += 1
    return subscriptions.sit(follower, flight: slot, chain: &flights[slot].firstSubscription)
  }
}
