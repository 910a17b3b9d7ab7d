import Base
import TestSupport
import Testing

@testable import Policy

/// Conversations that go where they were answered last.
@Suite struct AffinityTests {
  private static let equals: [Provider] = ["a", "b", "c"].map { name in
    provider(name) { $0.keys = [Secret("\(name)-0"), Secret("\(name)-1")] }
  }

  private static func conversation(_ number: Int) -> Fingerprint {
    Fingerprint(high: UInt64(number) &* 0x9e37_79b9_7f4a_7c15, low: UInt64(number) &* 0xbf58_476d_1ce4_e5b9)
  }

  private func choice(_ world: World, _ conversation: Int?, tokens: Quantity = 10) -> Choice? {
    var history = AttemptHistory()
    var request = world.request(tokens: tokens)
    request.conversation = conversation.map { Self.conversation($0) }
    guard case .attempt(let choice) = world.health.next(for: request, history: &history, now: world.now)
    else {
      return nil
    }
    return choice
  }

  /// One turn, over after `time`.
  @discardableResult
  private func turn(
    _ world: inout World, _ conversation: Int, fault: Fault? = nil, after time: Interval = .zero
  )
    -> Choice?
  {
    guard let choice = choice(world, conversation) else { return nil }
    let ticket = world.health.begin(choice, now: world.now)
    world.pass(time)
    world.health.end(
      ticket, AttemptOutcome(fault: fault, timeToFirstToken: fault == nil ? time : nil), now: world.now)
    return choice
  }

  private func isSamePlace(_ a: Choice?, _ b: Choice?) -> Bool {
    a != nil && a?.candidate == b?.candidate && a?.key == b?.key
  }

  /// Many conversations at a time over three equals with two keys each: no turn moves, and nobody gets more than a fifth
  /// beyond his share.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func noTurnMovesAndTheLoadIsEven(_ seed: UInt64) {
    struct Open {
      var conversation: Int
      var ticket: AttemptTicket
      var endsAt: Instant
    }
    var world = World(Self.equals, seed: seed)
    var random = RandomSource(seed: seed &* 977)
    var open: [Open] = []
    var homes: [Int: Choice] = [:]
    var turns: [Int: Int] = [:]
    var load = [Int](repeating: 0, count: 6)
    var made = 0
    for _ in 0..<6000 {
      world.pass(.milliseconds(Int64(20 + random.below(30))))
      while let place = open.firstIndex(where: { $0.endsAt <= world.now }) {
        world.health.end(
          open[place].ticket, AttemptOutcome(timeToFirstToken: .milliseconds(300)), now: world.now)
        open.remove(at: place)
      }
      // A conversation has one turn at a time, and ten or so in all.
      let isNew = turns.count < 40 || random.below(10) == 0
      if isNew { made += 1 }
      let known = turns.keys.sorted()
      let next = isNew ? made : known[random.below(known.count)]
      if open.contains(where: { $0.conversation == next }) { continue }
      guard let choice = choice(world, next) else {
        Issue.record("nobody is ready")
        return
      }
      if let home = homes[next] { #expect(isSamePlace(choice, home), "turn \(turns[next] ?? 0) moved") }
      homes[next] = choice
      load[choice.provider * 2 + choice.key] += 1
      turns[next, default: 0] += 1
      if turns[next] == 20 { turns[next] = nil }
      open.append(
        Open(
          conversation: next, ticket: world.health.begin(choice, now: world.now),
          endsAt: world.now + .milliseconds(Int64(100 + random.below(900)))))
    }
    let byProvider = [load[0] + load[1], load[2] + load[3], load[4] + load[5]]
    let mean = Double(load.reduce(0, +)) / 3
    for n in byProvider { #expect(abs(Double(n) - mean) < mean / 5, "\(load)") }
  }

  @Test func aCoolingProviderIsLeftOnceAndForAll() {
    var world = World(Self.equals)
    let home = turn(&world, 1)!
    world.attempt(at: home.provider, .rate(until: world.now + .seconds(20)))
    world.attempt(at: home.provider, .rate(until: world.now + .seconds(20)))
    let second = turn(&world, 1)!
    #expect(second.provider != home.provider)
    world.pass(.seconds(30))
    for _ in 0..<20 { #expect(isSamePlace(turn(&world, 1), second)) }
  }

  @Test func ofAProviderWithAKeyThatCoolsTheOtherIsNoHome() {
    var world = World([provider("a") { $0.keys = [Secret("0"), Secret("1")] }])
    let first = turn(&world, 1)!
    #expect(isSamePlace(turn(&world, 1), first))
    turn(&world, 1, fault: .rate(until: world.now + .seconds(5)))
    let second = turn(&world, 1)!
    #expect(second.key != first.key)
    world.pass(.seconds(10))
    for _ in 0..<10 { #expect(isSamePlace(turn(&world, 1), second)) }
  }

  @Test func aFaultMovesNothing() {
    var world = World(Self.equals)
    let home = turn(&world, 1)!
    turn(&world, 1, fault: .clientFault)
    turn(&world, 1, fault: .clientGone)
    #expect(isSamePlace(turn(&world, 1), home))
  }

  @Test func aBetterTierThatComesBackWins() {
    var world = World([provider("good"), provider("spare", tier: 1)])
    world.attempt(at: 0, .rate(until: world.now + .seconds(20)))
    #expect(turn(&world, 1)?.provider == 1)
    #expect(turn(&world, 1)?.provider == 1)
    world.pass(.seconds(30))
    #expect(turn(&world, 1)?.provider == 0)
  }

  @Test func aWishComesBeforeTheHome() {
    var world = World(Self.equals)
    let home = turn(&world, 1)!
    var request = world.request(preference: (home.provider + 1) % 3)
    request.conversation = Self.conversation(1)
    var history = AttemptHistory()
    let decision = world.health.next(for: request, history: &history, now: world.now)
    guard case .attempt(let choice) = decision else { return #expect(Bool(false)) }
    #expect(choice.provider != home.provider)
  }

  @Test func fourAttemptsStayAndTheFifthMovesNothing() {
    var world = World([provider("a"), provider("b")])
    let home = turn(&world, 1)!
    // Latency would have everything go to the other one.
    for _ in 0..<4 {
      let other = choice(world, nil)!
      if other.provider == home.provider { _ = world.health.begin(other, now: world.now) }
    }
    let subscriptions = (0..<4).map { _ in
      let choice = choice(world, 1)!
      #expect(isSamePlace(choice, home))
      return world.health.begin(choice, now: world.now)
    }
    var elsewhere = 0
    for _ in 0..<20 {
      let fifth = choice(world, 1)!
      if fifth.provider != home.provider { elsewhere += 1 }
      let ticket = world.health.begin(fifth, now: world.now)
      world.health.end(ticket, AttemptOutcome(timeToFirstToken: .milliseconds(1)), now: world.now)
    }
    #expect(elsewhere > 0)
    world.health.end(subscriptions[0], AttemptOutcome(timeToFirstToken: .milliseconds(1)), now: world.now)
    #expect(isSamePlace(choice(world, 1), home))
  }

  /// Also subscriptions that were taken at the first answer, or whose conversation has moved or was pushed out meanwhile.
  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func permitsAreGivenBack(_ seed: UInt64) {
    var settings = AffinitySettings()
    settings.entries = 16
    var world = World(Self.equals, seed: seed)
    world.health = HealthStore(world.catalog, seed: seed, affinity: settings)
    var random = RandomSource(seed: seed &* 31)
    var open: [AttemptTicket] = []
    for _ in 0..<4000 {
      world.pass(.milliseconds(Int64(random.below(200))))
      if open.count < 40, random.below(2) == 0 {
        guard let choice = choice(world, random.below(30)) else { continue }
        open.append(world.health.begin(choice, now: world.now))
      } else if !open.isEmpty {
        let ticket = open.remove(at: random.below(open.count))
        if random.below(3) == 0 {
          world.health.commit(ticket, timeToFirstToken: .milliseconds(5), now: world.now)
        }
        let faults: [Fault?] = [nil, nil, nil, .clientGone, .rate(until: world.now + .seconds(1)), .cut]
        world.health.end(ticket, AttemptOutcome(fault: faults[random.below(faults.count)]), now: world.now)
      }
      #expect(world.health.memory.homes.count <= 16)
      if random.below(500) == 0 {
        settings.entries = settings.entries == 16 ? 12 : 16
        world.health = HealthStore(world.catalog, keeping: world.health, affinity: settings)
        // Attempts of the former health store end there.
        open.removeAll()
      }
    }
    for ticket in open { world.health.end(ticket, AttemptOutcome(fault: .clientGone), now: world.now) }
    world.pass(.seconds(400))
    for n in 0..<30 where world.health.memory.homes.home(of: Self.conversation(n), now: world.now) != nil {
      #expect(world.health.memory.homes.home(of: Self.conversation(n), now: world.now)?.isFull == false)
    }
  }

  @Test func theOneUsedLongestAgoGoesFirst() {
    var settings = AffinitySettings()
    settings.entries = 16
    var world = World(Self.equals)
    world.health = HealthStore(world.catalog, seed: 1, affinity: settings)
    for n in 0..<16 { turn(&world, n) }
    turn(&world, 0)
    turn(&world, 99)
    let known = (0..<16).filter {
      world.health.memory.homes.home(of: Self.conversation($0), now: world.now) != nil
    }
    #expect(known == [0] + Array(2..<16))
    // Of a table that becomes smaller the newest stay, in their order.
    settings.entries = 3
    world.health.memory.homes.adopt(settings)
    turn(&world, 98)
    let kept = [15, 0, 99, 98].filter {
      world.health.memory.homes.home(of: Self.conversation($0), now: world.now) != nil
    }
    #expect(kept == [0, 99, 98])
  }

  @Test func whatWasUsedTooLongAgoIsForgotten() {
    var world = World(Self.equals)
    turn(&world, 1)
    world.pass(.seconds(600))
    #expect(world.health.memory.homes.home(of: Self.conversation(1), now: world.now) != nil)
    world.pass(.milliseconds(1))
    #expect(world.health.memory.homes.home(of: Self.conversation(1), now: world.now) == nil)
  }

  @Test func aReloadLeavesConversationsAtHome() {
    var world = World(Self.equals)
    var homes: [Choice] = []
    for n in 0..<12 { homes.append(turn(&world, n)!) }
    // Providers change places, one goes, one comes, and a key is gone.
    var changed = [Self.equals[2], provider("new"), Self.equals[0]]
    changed[0].keys.remove(at: 0)
    var next = World(changed)
    // An exchange that began before the reload is answered behind it.
    let late = choice(world, 50)!
    let ticket = world.health.begin(late, now: world.now)
    next.health = HealthStore(next.catalog, keeping: world.health)
    next.now = world.now
    world.health.end(ticket, AttemptOutcome(timeToFirstToken: .milliseconds(1)), now: world.now)
    homes.append(late)
    for (n, home) in zip(Array(0..<12) + [50], homes) {
      let name = world.catalog.providers[home.provider].name
      guard let place = next.catalog.providers.firstIndex(where: { $0.name == name }) else { continue }
      let secret = world.health.secret(for: home)
      guard let key = next.catalog.providers[place].keys.firstIndex(where: { $0 == secret }) else { continue }
      let choice = choice(next, n)
      #expect(choice?.provider == place && choice?.key == key, "conversation \(n) of \(name)")
    }
  }

  @Test func whereAllGoToOnePlaceNothingIsRemembered() {
    var world = World([provider("a")])
    for n in 0..<5 { #expect(turn(&world, n) != nil) }
    #expect(world.health.memory.homes.count == 0)
  }

  @Test func atRestNoAttemptIsLost() {
    let world = World(Self.equals)
    let first = world.health.begin(choice(world, 1)!, now: world.now)
    world.health.rest()
    world.health.end(first, AttemptOutcome(timeToFirstToken: .milliseconds(1)), now: world.now)
    world.health.rest()
    let second = world.health.begin(choice(world, 1)!, now: world.now)
    #expect(second != first && world.health.inFlight == 1)
    world.health.end(second, AttemptOutcome(timeToFirstToken: .milliseconds(1)), now: world.now)
    #expect(world.health.inFlight == 0)
  }
}
