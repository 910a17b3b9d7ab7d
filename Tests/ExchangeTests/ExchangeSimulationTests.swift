import Base
import Exchange
import Policy
import Testing

@Suite struct ExchangeSimulationTests {
  private static let active = 5

  /// Runs some hundred exchanges, a few at a time; returns how often each end came.
  private static func simulate(seed: UInt64, exchanges: Int) -> [String: Int] {
    var world = ExchangeSimulation(seed: seed)
    var runs: [ExchangeSimulation.Run] = []
    var begun = 0
    while begun < exchanges || !runs.isEmpty {
      if begun < exchanges, runs.count < active, world.chance(3) {
        let run = world.newRun(begun)
        begun += 1
        world.tell(run, .started)
        runs.append(run)
      }
      if world.chance(6), !world.stragglers.isEmpty {
        let ticket = world.stragglers.remove(at: world.random.below(world.stragglers.count))
        let fault: Fault = world.pick([.raceLost, .unreachable, .tls])
        world.health.end(ticket, AttemptOutcome(fault: fault), now: world.now)
      }
      // The operator ends cooldowns, or most of the day nothing would happen.
      if world.chance(20) { world.health.reset(provider: world.random.below(world.catalog.providers.count)) }
      runs.removeAll(where: \.isConcluded)
      step(&world, &runs)
    }
    for ticket in world.stragglers {
      world.health.end(ticket, AttemptOutcome(fault: .raceLost), now: world.now)
    }
    #expect(world.health.inFlight == 0, "every ticket comes back once")
    #expect(world.opened > exchanges / 10)
    return world.ends
  }

  /// Time goes on, or something happens, or somebody goes silent for good.
  private static func step(_ world: inout ExchangeSimulation, _ runs: inout [ExchangeSimulation.Run]) {
    guard !runs.isEmpty else {
      world.now = world.now + .milliseconds(Int64(world.random.below(3_000)))
      return
    }
    let place = world.random.below(runs.count)
    runs[place].steps += 1
    #expect(runs[place].steps < 5_000, "every exchange ends")
    if world.chance(60), !runs[place].isFrozen {
      runs[place].isFrozen = true
      runs[place].frozenAt = world.now
    }
    let due = runs.indices.min { runs[$0].exchange.nextDue < runs[$1].exchange.nextDue }!
    if world.chance(4) {
      // The loop may be late.
      let late = Interval.milliseconds(world.chance(10) ? Int64(world.random.below(500)) : 0)
      world.now = max(world.now, runs[due].exchange.nextDue) + late
    } else {
      world.now = world.now + .milliseconds(Int64(world.random.below(40)))
    }
    for index in runs.indices where runs[index].exchange.nextDue <= world.now {
      world.tell(runs[index], .timePassed)
      checkFrozen(runs[index], world)
    }
    if !runs[place].isConcluded, !runs[place].isFrozen { world.happen(runs[place]) }
  }

  /// Time alone brings it to its end: the deadline before commit, `stream_idle` behind it.
  private static func checkFrozen(_ run: ExchangeSimulation.Run, _ world: ExchangeSimulation) {
    guard run.isFrozen, !run.isConcluded else { return }
    let timeouts = run.exchange.shape.timeouts
    // A local server is given up to 90 s here, from when it has the request.
    let patience = Interval.seconds(world.catalog.providers.contains { $0.isLocal } ? 90 : 0)
    let last =
      run.committed == nil
      ? run.exchange.startedAt + timeouts.request + patience : run.frozenAt + timeouts.streamIdle * 2
    #expect(world.now <= max(last, run.frozenAt) + .seconds(1), "\(run.exchange.state)")
  }

  @Test(arguments: 1...16 as ClosedRange<UInt64>)
  func invariantsHold(_ seed: UInt64) {
    _ = Self.simulate(seed: seed &* 0x9e37_79b9_7f4a_7c15, exchanges: 200)
  }

  /// The simulation reaches every way in which an exchange can end.
  @Test func everyEndIsReached() {
    var ends: [String: Int] = [:]
    for seed in 100...111 as ClosedRange<UInt64> {
      ends.merge(Self.simulate(seed: seed &* 7_919, exchanges: 200), uniquingKeysWith: +)
    }
    let all = [
      "complete", "relayed", "upstream_cut", "upstream_stalled", "client_left", "upstream_routing_failure",
      "rate_limit_exceeded", "no_provider_available", "deadline_exceeded", "overloaded",
    ]
    for word in all { #expect(ends[word, default: 0] > 0, "\(word) in \(ends)") }
    #expect(ends.count == all.count)
  }

  @Test func equalSeedsGiveEqualRuns() {
    #expect(Self.simulate(seed: 5, exchanges: 200) == Self.simulate(seed: 5, exchanges: 200))
  }
}
