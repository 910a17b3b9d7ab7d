import Base
import Policy
import TestSupport
import Testing

/// Requests that wait for others, and the attempt that they make together.
@Suite struct GatheringsTests {
  private static let now = Instant(nanoseconds: 1_000_000_000)
  private static let key = Fingerprint(high: 1, low: 2)

  private static func settings(_ window: Int64, _ size: Int) -> BatchSettings {
    var settings = BatchSettings()
    settings.window = .milliseconds(window)
    settings.size = size
    return settings
  }

  @Test func closesWhenFull() {
    var table = Gatherings()
    let id = table.begin(Self.key, Self.settings(3, 3), bytes: 100, now: Self.now)
    #expect(table.find(Self.key, bytes: 10) == id)
    #expect(table.find(Fingerprint(high: 1, low: 3), bytes: 10) == nil)
    let isFullWithTwo = table.join(id, bytes: 10)
    let isFullWithThree = table.join(id, bytes: 10)
    #expect(!isFullWithTwo && isFullWithThree)
    #expect(table.find(Self.key, bytes: 10) == nil)
    table.close(id)
    #expect(table.isEmpty && table.nextDue == .distantFuture)
  }

  @Test func closesWhenItsWindowIsOver() {
    var table = Gatherings()
    let late = table.begin(Self.key, Self.settings(9, 64), bytes: 1, now: Self.now)
    let soon = table.begin(
      Fingerprint(high: 5, low: 5), Self.settings(3, 64), bytes: 1, now: Self.now + .milliseconds(1))
    #expect(table.nextDue == Self.now + .milliseconds(4))
    let early = table.popDue(Self.now + .milliseconds(3))
    let first = table.popDue(Self.now + .milliseconds(4))
    #expect(early == nil && first == soon)
    // Joining does not make the first one wait longer.
    _ = table.join(late, bytes: 1)
    let second = table.popDue(Self.now + .milliseconds(9))
    #expect(second == late && table.isEmpty)
  }

  @Test func holdsNoMoreBytesThanASlice() {
    var table = Gatherings()
    let id = table.begin(Self.key, Self.settings(3, 64), bytes: Limits.gatheredBody - 100, now: Self.now)
    #expect(table.find(Self.key, bytes: 101) == nil)
    #expect(table.find(Self.key, bytes: 100) == id)
    _ = table.join(id, bytes: 100)
    #expect(table.find(Self.key, bytes: 1) == nil)
    table.leave(id, bytes: 100)
    #expect(table.find(Self.key, bytes: 100) == id)
    // What comes meanwhile waits beside it.
    let second = table.begin(Self.key, Self.settings(3, 64), bytes: 500, now: Self.now)
    #expect(second != id && table.find(Self.key, bytes: 200) == second)
  }
}

@Suite struct SharedAttemptTests {
  private static func world(_ change: (inout Provider) -> Void = { _ in }) -> World {
    World([provider("a", change), provider("b", tier: 1)])
  }

  private func left(_ world: World, _ provider: Int = 0) -> QuotaLeft {
    world.health.status(of: provider, now: world.now).quota
  }

  @Test func isOneRequestOfABudget() throws {
    let world = Self.world {
      $0.budgets.requestsPerMinute = 1
      $0.budgets.tokensPerMinute = 100
      $0.budgets.concurrent = 1
    }
    let choice = try #require(world.choice(tokens: 30))
    let first = world.health.begin(choice, now: world.now)
    #expect(world.choice()?.provider == 1)
    let second = try #require(world.health.join(first, world.request(tokens: 30), now: world.now))
    let third = try #require(world.health.join(second, world.request(tokens: 40), now: world.now))
    #expect(left(world).requests == 0 && left(world).tokens == 0)
    // Tokens are each one's own.
    #expect(world.health.join(first, world.request(tokens: 1), now: world.now) == nil)
    #expect(world.health.status(of: 0, now: world.now).inFlight == 1)
    for (ticket, tokens) in [(first, 10), (second, 20), (third, 30)] as [(AttemptTicket, Quantity)] {
      world.health.end(ticket, AttemptOutcome(tokens: tokens), now: world.now)
    }
    #expect(left(world).requests == 0 && left(world).tokens == 40)
    #expect(world.health.status(of: 0, now: world.now).inFlight == 0)
    #expect(world.health.inFlight == 0)
  }

  @Test func failsOnce() throws {
    let world = Self.world()
    for _ in 0..<2 {
      let first = world.health.begin(try #require(world.choice()), now: world.now)
      var tickets = [first]
      for _ in 0..<9 {
        tickets.append(try #require(world.health.join(first, world.request(), now: world.now)))
      }
      for ticket in tickets {
        #expect(world.health.end(ticket, AttemptOutcome(fault: .serverError), now: world.now) == nil)
      }
    }
    // Three in a row open the breaker.
    #expect(world.choice()?.provider == 0)
    #expect(world.attempt(.serverError)?.scope == .provider)
  }

  @Test func whoLeavesSaysNothing() throws {
    let world = Self.world()
    let first = world.health.begin(try #require(world.choice()), now: world.now)
    let second = try #require(world.health.join(first, world.request(), now: world.now))
    world.health.end(first, AttemptOutcome(fault: .clientGone), now: world.now)
    #expect(world.health.status(of: 0, now: world.now).inFlight == 1)
    let consequence = world.health.end(
      second, AttemptOutcome(fault: .rate(until: world.now + .seconds(9))), now: world.now)
    #expect(consequence?.scope == .account && consequence?.until == world.now + .seconds(9))
    #expect(world.choice()?.provider == 1)
  }

  @Test func anAccountThatCoolsIsNotJoined() throws {
    let world = Self.world()
    let first = world.health.begin(try #require(world.choice()), now: world.now)
    world.attempt(at: 0, .rate(until: world.now + .seconds(9)))
    #expect(world.health.join(first, world.request(), now: world.now) == nil)
    world.health.end(first, AttemptOutcome(), now: world.now)
  }

  @Test func moneyIsReservedForEach() throws {
    let world = Self.world {
      $0.cost = Cost(input: 1, output: 0)
      $0.spendPerDay = Money(dollars: 0.001)
    }
    world.health.note(Day(Moment(instant: world.now, wall: WallTime(milliseconds: 0))))
    let first = world.health.begin(try #require(world.choice(tokens: 400)), now: world.now)
    let second = try #require(world.health.join(first, world.request(tokens: 400), now: world.now))
    #expect(world.health.join(first, world.request(tokens: 400), now: world.now) == nil)
    world.health.end(first, AttemptOutcome(fault: .rate(until: nil)), now: world.now)
    world.health.end(second, AttemptOutcome(fault: .rate(until: nil)), now: world.now)
    #expect(world.health.bill(ofProvider: 0).spent == .none)
  }

  /// What failed together is tried alone, also where it failed: what was wrong may have been another's.
  @Test func whoWasTakenApartMayBeAskedAgain() throws {
    let world = World([provider("a")])
    let choice = try #require(world.choice())
    let ticket = world.health.begin(choice, now: world.now)
    var history = AttemptHistory()
    history.note(choice)
    #expect(world.health.end(ticket, AttemptOutcome(fault: .takenApart), now: world.now) == nil)
    history.note(.takenApart, of: choice)
    guard
      case .attempt(let again) = world.health.next(for: world.request(), history: &history, now: world.now)
    else {
      Issue.record("nothing to try")
      return
    }
    #expect(again.candidate == choice.candidate)
    history.note(again)
    history.note(.clientFault, of: again)
    #expect(
      world.health.next(for: world.request(), history: &history, now: world.now) == .exhausted(.allFailed))
  }
}
