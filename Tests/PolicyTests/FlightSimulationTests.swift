import Base
import Policy
import Testing

@Suite struct FlightSimulationTests {
  /// Joiners, leavers, stalls, failures before and after commit, and evictions in the middle of a replay.
  @Test(arguments: UInt64(1)...30)
  func everyClientEndsWithItsBytes(_ seed: UInt64) {
    var run = FlightSimulation(seed: seed)
    run.run(steps: 1_500)
    #expect(run.failures == [])
    #expect(run.openClients.isEmpty)
    // One upstream call per flight, and nothing is left.
    #expect(run.upstreams.count == run.table.figures.flights)
    #expect(run.table.flightCount == 0 && run.table.subscriptionCount == 0 && run.table.bytes == 0)
    #expect(run.mostBytes <= run.table.bounds.memory + 4 * 4 * BlockPool.room)
    run.cache.clear()
    run.cache.settle(steps: .max)
    let empty = run.cache.bytes
    run.clients = []
    #expect(run.cache.bytes == empty && run.cache.count == 0)
  }

  /// The runs above would prove little if some ends never came about in them.
  @Test func theRunsReachEveryEnd() {
    var ends = (complete: 0, cut: 0, failed: 0, fellBehind: 0, left: 0)
    var figures = (joined: 0, cancelled: 0, refused: 0, hits: 0, evictedWhileReplayed: 0)
    for seed in UInt64(1)...16 {
      var run = FlightSimulation(seed: seed)
      run.run(steps: 1_500)
      ends.complete += run.count(.complete)
      ends.cut += run.count(.cut)
      ends.failed += run.count(.failed)
      ends.fellBehind += run.count(.fellBehind)
      ends.left += run.count(.left)
      #expect(run.table.figures.fellBehind >= run.count(.fellBehind))
      figures.joined += Int(run.table.figures.joined)
      figures.cancelled += Int(run.table.figures.cancelled)
      figures.refused += run.refusals
      #expect(run.refusals == run.table.figures.refused)
      figures.hits += Int(run.cache.figures.hits)
      figures.evictedWhileReplayed += run.droppedWhileReplayed
    }
    #expect(ends.complete > 200 && ends.cut > 10 && ends.failed > 10 && ends.fellBehind > 3 && ends.left > 50)
    #expect(figures.joined > 200 && figures.cancelled > 10 && figures.refused > 10 && figures.hits > 50)
    #expect(figures.evictedWhileReplayed > 3)
  }
}
