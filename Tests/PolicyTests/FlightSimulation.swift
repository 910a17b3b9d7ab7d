import Base
import Policy

/// Clients, upstream exchanges, flights and a cache, driven by a seed: what the server's loop does with them,
/// without sockets.
struct FlightSimulation: ~Copyable {
  enum Outcome: Equatable { case complete, cut, failed, fellBehind, left }

  struct Client {
    enum State: Equatable {
      case subscribed(Subscription)
      case replaying
      case over(Outcome)
    }
    var state: State
    /// Which upstream exchange its bytes come from; -1 before it is known.
    var upstream: Int
    var hasHead = false
    var received = 0
    /// Handed over by the relay, and not taken by the socket yet.
    var backlog = 0
    /// Bytes its socket takes in a turn; 0 while stalled.
    var rate: Int
    var replay: CachedAnswer?
  }

  struct Upstream {
    var flight: FlightID
    var key: Int
    var total: Int
    var ending: FlightEnding
    var produced = 0
    var isCommitted = false
    var isOver = false
    var isPaused = false
    /// The client that the relay hands chunks to.
    var direct: Int?
  }

  private static let source = (0..<4 * 65_521).map {
    UInt8(truncatingIfNeeded: (UInt64($0 % 65_521) &* 0x9e37_79b9_7f4a_7c15) >> 40)
  }

  private var state: UInt64
  private let mostFollowers: Int
  var table: FlightTable
  var cache: ResponseCache
  var clients: [Client] = []
  var upstreams: [Upstream] = []
  /// By key: the one whose answer the cache may hold.
  var stored: [Int: Int] = [:]
  var failures: [String] = []
  var refusals = 0
  var mostBytes = 0
  var droppedWhileReplayed = 0
  private var now = Instant(nanoseconds: 1)

  init(seed: UInt64) {
    state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    let pool = BlockPool()
    var bounds = FlightTable.Bounds(recording: 100_000, memory: seed % 3 == 0 ? 150_000 : 1 << 20)
    bounds.flights = 4
    bounds.followers = seed % 4 == 1 ? 3 : 100
    bounds.lag = 60_000
    mostFollowers = bounds.followers
    table = FlightTable(bounds: bounds, pool: pool)
    cache = ResponseCache(budget: 500_000, ttl: .seconds(60), pool: pool)
  }

  mutating func random(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }

  mutating func check(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds, failures.count < 10 { failures.append(what()) }
  }

  private func fingerprint(_ key: Int) -> Fingerprint { Fingerprint(high: UInt64(key), low: UInt64(key)) }

  private func head(_ upstream: Int) -> AnswerHead {
    AnswerHead(
      status: 200, contentType: [], fields: [], provider: upstream, providerName: "p", isStream: true)
  }

  private static func body(_ upstream: Int, _ range: Range<Int>) -> ArraySlice<UInt8> {
    let start = (range.lowerBound + upstream * 7_919) % 65_521
    return source[start..<start + range.count]
  }

  // MARK: - Clients

  mutating func arrive() {
    let key = random(6)
    let id = clients.count
    let rate = random(3) == 0 ? 500 + random(3_000) : 1 << 20
    var client = Client(state: .replaying, upstream: -1, rate: rate)
    if random(3) > 0, let answer = cache.lookup(fingerprint(key), now: now) {
      client.replay = answer
      client.upstream = answer.head.provider
      client.hasHead = true
      check(stored[key] == client.upstream, "the cache gave another request's answer")
      clients.append(client)
      return
    }
    switch table.join(fingerprint(key), follower: FollowerID(UInt64(id))) {
    case .refused(.flights):
      check(table.flightCount == 4, "refused below the bound of flights")
      refusals += 1
    case .refused(.followers):
      refusals += 1
    case .lead(let subscription):
      client.state = .subscribed(subscription)
      clients.append(client)
      let kind = random(10)
      upstreams.append(
        Upstream(
          flight: table.flight(of: subscription), key: key,
          total: random(4) == 0 ? random(600_000) : random(60_000),
          ending: kind == 0 ? .failed(code: 5) : kind == 1 ? .cut : .complete))
    case .follow(let subscription):
      client.state = .subscribed(subscription)
      clients.append(client)
      let flight = table.flight(of: subscription)
      check(table.subscriptionCount(of: flight) <= mostFollowers, "too many followers")
      for index in upstreams.indices where upstreams[index].flight == flight { upstreams[index].direct = nil }
    }
  }

  mutating func leave(_ id: Int, _ outcome: Outcome) {
    switch clients[id].state {
    case .over: return
    case .replaying: clients[id].replay = nil
    case .subscribed(let subscription):
      check(table.follower(of: subscription) == FollowerID(UInt64(id)), "the subscription is another's")
      let flight = table.flight(of: subscription)
      switch table.leave(subscription) {
      case .othersRemain: break
      case .flightOver: check(!upstreams.contains { $0.flight == flight && !$0.isOver }, "over too soon")
      case .cancelUpstream(let gone):
        check(gone == flight, "another flight was cancelled")
        for index in upstreams.indices where upstreams[index].flight == flight {
          check(!upstreams[index].isOver, "an upstream exchange was cancelled after its end")
          upstreams[index].isOver = true
        }
      }
    }
    clients[id].state = .over(outcome)
  }

  /// The client's socket takes bytes that were recorded, and sees whether they are the right ones.
  private mutating func take(_ id: Int, from recording: Recording, room: inout Int) -> Int {
    let offset = clients[id].received + clients[id].backlog
    let upstream = clients[id].upstream
    let (taken, isRight) = recording.withBytes(from: offset) { bytes in
      let n = min(bytes.count, room)
      return (n, bytes.extracting(0..<n).equals(Self.body(upstream, offset..<offset + n).span))
    }
    check(isRight, "client \(id) got wrong bytes at \(offset)")
    room -= taken
    clients[id].received += taken
    return taken
  }

  /// One turn of a client that can be written to.
  mutating func pump(_ id: Int) {
    var room = clients[id].rate
    let drained = min(room, clients[id].backlog)
    clients[id].backlog -= drained
    clients[id].received += drained
    room -= drained
    switch clients[id].state {
    case .over: return
    case .replaying:
      guard let recording = clients[id].replay?.recording else { return }
      while room > 0, clients[id].received < recording.end { _ = take(id, from: recording, room: &room) }
      if clients[id].received == recording.end { finish(id, .complete) }
    case .subscribed(let subscription): pump(id, subscription, room)
    }
  }

  private mutating func pump(_ id: Int, _ subscription: Subscription, _ given: Int) {
    var room = given
    let flight = table.flight(of: subscription)
    while room > 0, clients[id].backlog == 0 {
      switch table.step(subscription) {
      case .wait: return
      case .head(let head):
        check(!clients[id].hasHead, "two heads")
        clients[id].hasHead = true
        clients[id].upstream = head.provider
        table.headSent(subscription)
      case .bytes(let range):
        check(range.lowerBound == clients[id].received, "a gap")
        guard range.lowerBound == clients[id].received else { return leave(id, .cut) }
        guard let recording = table.recording(of: flight) else { return }
        table.advance(subscription, by: take(id, from: recording, room: &room))
      case .fellBehind:
        check(table.recording(of: flight)?.isOverflown == true, "dropped though everything is there")
        check(clients[id].rate < 1 << 20, "a fast client fell behind")
        return leave(id, .fellBehind)
      case .ended(.complete): return finish(id, .complete)
      case .ended(.cut): return finish(id, clients[id].hasHead ? .cut : .failed)
      case .ended(.failed):
        check(!clients[id].hasHead, "failed after a head")
        return leave(id, .failed)
      }
    }
  }

  private mutating func finish(_ id: Int, _ outcome: Outcome) {
    if clients[id].hasHead {
      let upstream = upstreams[clients[id].upstream]
      check(upstream.isOver, "ended before its upstream")
      check(clients[id].received == upstream.produced, "client \(id) lacks bytes")
      check(outcome != .complete || upstream.produced == upstream.total, "a cut answer called complete")
    }
    leave(id, outcome)
  }

  // MARK: - Upstream exchanges

  mutating func feed(_ index: Int) {
    guard !upstreams[index].isOver else { return }
    let flight = upstreams[index].flight
    let ending = upstreams[index].ending
    if !upstreams[index].isCommitted {
      if case .failed = ending { return end(index) }
      upstreams[index].isCommitted = true
      table.commit(flight, head: head(index))
      return
    }
    // What was on its way when the pause was asked for still comes.
    if upstreams[index].isPaused, random(4) > 0 { return }
    if let direct = upstreams[index].direct, clients[direct].backlog > 0 { return }
    let size = min(
      1 + random(random(6) == 0 ? 16_000 : 900), upstreams[index].total - upstreams[index].produced)
    if size > 0, !(ending == .cut && random(30) == 0) { return chunk(index, size) }
    end(index)
  }

  private mutating func chunk(_ index: Int, _ size: Int) {
    let start = upstreams[index].produced
    guard let recording = table.recording(of: upstreams[index].flight) else {
      return check(false, "a running upstream exchange without a flight")
    }
    recording.append(Self.body(index, start..<start + size).span, at: now)
    upstreams[index].produced += size
    if !recording.isFollowed {
      // The relay: as much as the socket takes, the rest to the backlog.
      guard let id = upstreams[index].direct else { return check(false, "nobody takes the bytes") }
      check(clients[id].received + clients[id].backlog == start, "direct bytes with a gap")
      clients[id].backlog += size
    }
  }

  private mutating func end(_ index: Int) {
    upstreams[index].isOver = true
    let upstream = upstreams[index]
    var ending = upstream.ending
    if ending == .cut, upstream.produced == upstream.total { ending = .complete }
    let recording = table.end(upstream.flight, ending)
    if let recording {
      check(ending == .complete && recording.end == upstream.total, "an incomplete answer to store")
      if cache.insert(fingerprint(upstream.key), head: head(index), recording: recording, now: now) == .stored
      {
        stored[upstream.key] = index
      }
    }
  }

  /// The end of a turn: everyone is pumped, then paces are set.
  mutating func turn() {
    now = now + .milliseconds(Int64(random(50)))
    for id in clients.indices where clients[id].rate > 0 { pump(id) }
    for index in upstreams.indices where !upstreams[index].isOver {
      let flight = upstreams[index].flight
      upstreams[index].isPaused = table.settle(flight) == .pause
      guard let subscription = table.firstSubscription(of: flight),
        table.subscription(after: subscription) == nil
      else { continue }
      if table.goDirect(subscription) { upstreams[index].direct = Int(table.follower(of: subscription).raw) }
    }
    cache.settle(steps: 2)
    mostBytes = max(mostBytes, table.bytes)
    check(cache.bytes <= cache.budget, "the cache is over its budget")
  }

  var openClients: [Int] {
    clients.indices.filter {
      if case .over = clients[$0].state { return false }
      return true
    }
  }

  func count(_ outcome: Outcome) -> Int { clients.filter { $0.state == .over(outcome) }.count }

  // MARK: - A whole run

  mutating func run(steps: Int) {
    for _ in 0..<steps { step() }
    // No more arrivals; stalled clients wake up, and everything runs out.
    for id in clients.indices where clients[id].rate == 0 { clients[id].rate = 3_000 }
    var turns = 0
    while !openClients.isEmpty, turns < 20_000 {
      for index in upstreams.indices { feed(index) }
      turn()
      turns += 1
    }
  }

  private mutating func step() {
    switch random(30) {
    case 0, 1: arrive()
    case 2:
      let open = openClients
      if !open.isEmpty, random(3) == 0 { leave(open[random(open.count)], .left) }
    case 3:
      let open = openClients
      if !open.isEmpty {
        let id = open[random(open.count)]
        // A stall, or the end of one. The fast ones stay fast.
        if clients[id].rate < 1 << 20 { clients[id].rate = random(2) == 0 ? 0 : 100 + random(4_000) }
      }
    case 4 where random(8) == 0:
      droppedWhileReplayed += clients.count { $0.state == .replaying }
      cache.clear()
      stored = [:]
    default:
      for index in upstreams.indices.suffix(20) where random(2) == 0 { feed(index) }
    }
    turn()
  }
}
