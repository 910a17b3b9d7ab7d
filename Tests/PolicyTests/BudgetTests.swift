import Base
import Policy
import TestSupport
import Testing

@Suite struct BudgetTests {
  /// Whatever is added when there is room for it, no interval of the width ever holds more than the limit.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func rollingWindowIsNeverOverspent(_ seed: UInt64) {
    var random = RandomSource(seed: seed)
    var window = RollingWindow(width: .seconds(60), buckets: 12)
    let limit: Quantity = 40
    var spent: [(at: Instant, amount: Quantity)] = []
    var now = start
    for _ in 0..<4_000 {
      now = now + .milliseconds(Int64(random.below(random.below(20) == 0 ? 60_000 : 900)))
      let amount = Quantity(1 + random.below(6))
      let due = window.due(amount, limit: limit, now: now)
      #expect(due >= now && due <= now + .seconds(60))
      if due <= now {
        window.add(amount, now: now)
        spent.append((now, amount))
      } else {
        // Then there is room, not a nanosecond before.
        var then = window
        #expect(then.due(amount, limit: limit, now: due) == due)
        var before = window
        #expect(
          before.due(amount, limit: limit, now: due - Interval(nanoseconds: 1)) > due
            - Interval(nanoseconds: 1))
      }
      spent.removeAll { $0.at <= now - .seconds(60) }
      #expect(spent.reduce(0) { $0 + $1.amount } <= limit)
    }
  }

  @Test func whatIsTakenBackIsFreeAgain() {
    var window = RollingWindow.minute
    let bucket = window.add(10, now: start)
    window.takeBack(4, from: bucket, now: start + .seconds(30))
    #expect(window.total(now: start + .seconds(30)) == 6)
    window.takeBack(6, from: bucket, now: start + .seconds(300))
    #expect(window.total(now: start + .seconds(300)) == 0)
    let another = window.add(5, now: start + .seconds(301))
    window.takeBack(5, from: another, now: start + .seconds(361))
    #expect(window.total(now: start + .seconds(361)) == 0)
  }

  /// A minute that is used up is over after a minute, wherever in a bucket it began.
  @Test func aMinuteIsAMinute() {
    for offset in stride(from: 0 as Int64, to: 5_000, by: 250) {
      var window = RollingWindow.minute
      let begun = start + .milliseconds(offset)
      window.add(3, now: begun)
      #expect(window.due(1, limit: 3, now: begun) == begun + .seconds(60))
      #expect(window.total(now: begun + .milliseconds(59_999)) == 3)
      #expect(window.total(now: begun + .seconds(60)) == 0)
    }
  }

  /// Requests come and end in any order; per key, no minute and no day holds more than the file allows.
  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func budgetsAreNeverOverspent(_ seed: UInt64) {
    var random = RandomSource(seed: seed)
    var world = World([
      provider("a") {
        $0.keys = [Secret("0"), Secret("1")]
        $0.budgets.requestsPerMinute = 7
        $0.budgets.requestsPerDay = 300
        $0.budgets.tokensPerMinute = 500
        $0.budgets.tokensPerDay = 20_000
        $0.budgets.concurrent = 3
      }
    ])
    var begun: [[(at: Instant, tokens: Quantity)]] = [[], []]
    var open: [(ticket: AttemptTicket, key: Int, place: Int)] = []
    var served = 0
    for _ in 0..<6_000 {
      world.pass(.milliseconds(Int64(random.below(random.below(50) == 0 ? 3_000_000 : 4_000))))
      if random.below(3) == 0, !open.isEmpty {
        let (ticket, key, place) = open.remove(at: random.below(open.count))
        // Estimates are never exceeded here: what usage adds afterwards was spent before it was known.
        let used: Quantity? = random.below(2) == 0 ? nil : 5
        world.health.end(ticket, AttemptOutcome(tokens: used), now: world.now)
        if let used { begun[key][place].tokens = used }
        continue
      }
      let tokens = Quantity(10 + random.below(140))
      guard let choice = world.choice(tokens: tokens) else { continue }
      served += 1
      open.append((world.health.begin(choice, now: world.now), choice.key, begun[choice.key].count))
      begun[choice.key].append((world.now, tokens))
      #expect(open.count { $0.key == choice.key } <= 3)
      let minute = begun[choice.key].filter { $0.at > world.now - .seconds(60) }
      let day = begun[choice.key].filter { $0.at > world.now - .seconds(86_400) }
      #expect(minute.count <= 7 && day.count <= 300)
      #expect(minute.reduce(0) { $0 + $1.tokens } <= 500)
      #expect(day.reduce(0) { $0 + $1.tokens } <= 20_000)
    }
    #expect(served > 500)
  }

  @Test func tokensAreReservedAndSettled() {
    let world = World([provider("a") { $0.budgets.tokensPerMinute = 1_000 }])
    let first = world.health.begin(world.choice(tokens: 700)!, now: world.now)
    #expect(world.choice(tokens: 400) == nil)
    world.health.end(first, AttemptOutcome(tokens: 100), now: world.now)
    #expect(world.choice(tokens: 900) != nil)
    #expect(world.choice(tokens: 901) == nil)
    #expect(world.health.status(of: 0, now: world.now).quota.tokens == 900)
    let second = world.health.begin(world.choice(tokens: 1)!, now: world.now)
    world.health.end(second, AttemptOutcome(tokens: 5_000), now: world.now)
    #expect(world.choice(tokens: 1) == nil)
  }

  @Test func anEstimateBeyondTheBudgetGoesAlone() {
    var world = World([provider("a") { $0.budgets.tokensPerMinute = 1_000 }])
    let ticket = world.health.begin(world.choice(tokens: 50_000)!, now: world.now)
    #expect(world.choice(tokens: 1) == nil)
    world.health.end(ticket, AttemptOutcome(tokens: 600), now: world.now)
    #expect(world.choice(tokens: 50_000) == nil)
    world.pass(.seconds(70))
    #expect(world.choice(tokens: 50_000) != nil)
  }

  @Test(arguments: [
    (Fault.unreachable, 10, 1_000), (.raceLost, 10, 1_000), (.rate(until: start), 9, 1_000),
    (.clientFault, 9, 1_000), (.serverError, 9, 800), (.clientGone, 9, 800),
  ])
  func whatAFailureIsCharged(_ fault: Fault, _ requests: Quantity, _ tokens: Quantity) {
    let world = World([
      provider("a") {
        $0.budgets.requestsPerMinute = 10
        $0.budgets.tokensPerMinute = 1_000
      }
    ])
    let ticket = world.health.begin(world.choice(tokens: 200)!, now: world.now)
    world.health.end(ticket, AttemptOutcome(fault: fault), now: world.now)
    let left = world.health.status(of: 0, now: world.now).quota
    #expect(left.requests == requests && left.tokens == tokens)
  }

  @Test func atItsLimitItIsPassedOverAndComesBackOnTime() {
    var world = World([provider("a") { $0.budgets.requestsPerMinute = 2 }, provider("b", tier: 1)])
    var visited: [Int] = []
    for _ in 0..<3 {
      visited.append(world.choice()!.provider)
      world.attempt(nil)
    }
    #expect(visited == [0, 0, 1])
    world.pass(.seconds(66))
    #expect(world.choice()?.provider == 0)
  }
}
