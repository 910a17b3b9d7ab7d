/// Clients' places in flights: dense slots, chained by flight, with a generation each.
struct FlightSubscriptions {
  enum State {
    case free
    /// The head is still due.
    case awaitingHead
    /// The relay hands it each chunk; it has had all that was recorded.
    case direct
    case following
    /// Its next byte is gone.
    case fellBehind
  }

  struct Place {
    var state = State.free
    var generation: UInt32 = 0
    var follower = FollowerID(0)
    var flight = FlightSubscriptions.none
    /// In the recording; of no meaning while direct.
    var offset = 0
    var next = FlightSubscriptions.none
    var previous = FlightSubscriptions.none
  }

  static let none: Int32 = -1

  private var places: [Place] = []
  private var free: [Int32] = []
  private(set) var count = 0
  /// See `rest`.
  private var firstGeneration: UInt32 = 0

  subscript(place: Int) -> Place {
    get { places[place] }
    _modify { yield &places[place] }
  }

  /// The place of a subscription that is still taken.
  func place(of subscription: Subscription) -> Int {
    let place = Int(subscription.slot)
    precondition(
      place < places.count && places[place].generation == subscription.generation, "the subscription was left"
    )
    return place
  }

  /// Nil for the end of a chain.
  func subscription(at place: Int32) -> Subscription? {
    if place == Self.none { return nil }
    return Subscription(slot: UInt32(place), generation: places[Int(place)].generation)
  }

  /// Takes a free place and puts it in front of a flight's chain.
  mutating func sit(_ follower: FollowerID, flight: Int, chain first: inout Int32) -> Subscription {
    let place: Int
    if let reused = free.popLast() {
      place = Int(reused)
    } else {
      place = places.count
      places.append(Place(generation: firstGeneration))
    }
    places[place].state = .awaitingHead
    places[place].follower = follower
    places[place].flight = Int32(flight)
    places[place].offset = 0
    places[place].next = first
    places[place].previous = Self.none
    if first != Self.none { places[Int(first)].previous = Int32(place) }
    first = Int32(place)
    count += 1
    return Subscription(slot: UInt32(place), generation: places[place].generation)
  }

  /// Frees a place and takes it out of its flight's chain.
  mutating func stand(_ place: Int, chain first: inout Int32) {
    let next = places[place].next
    let previous = places[place].previous
    if next != Self.none { places[Int(next)].previous = previous }
    if previous != Self.none { places[Int(previous)].next = next } else { first = next }
    places[place].state = .free
    places[place].generation &+= 1
    free.append(Int32(place))
    count -= 1
  }

  /// Gives all places back; none is taken. No subscription of before names one of those to come.
  mutating func rest() {
    firstGeneration = places.reduce(firstGeneration) { max($0, $1.generation) } &+ 1
    places = []
    free = []
  }
}
