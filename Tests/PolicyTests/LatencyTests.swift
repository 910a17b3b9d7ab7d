import Base
import Policy
import TestSupport
import Testing

@Suite struct LatencyTests {
  private var latency = Latency()

  @Test mutating func risesAtOnceAndComesDownSlowly() {
    latency.add(.milliseconds(100), now: start)
    latency.add(.milliseconds(900), now: start + .seconds(1))
    #expect(latency.current == .milliseconds(900))
    latency.add(.milliseconds(100), now: start + .seconds(2))
    let after = latency.current!.milliseconds
    #expect(after > 800 && after < 900)
    for n in 3..<120 { latency.add(.milliseconds(100), now: start + .seconds(Int64(n))) }
    #expect(latency.current!.milliseconds < 125)
  }

  @Test mutating func fadesWhileNothingIsHeard() {
    latency.add(.milliseconds(1_000), now: start)
    let then = latency.score(inFlight: 0, now: start + .seconds(30)) / latency.score(inFlight: 0, now: start)
    #expect(then > 0.35 && then < 0.40)
    #expect(latency.score(inFlight: 3, now: start) == 4 * latency.score(inFlight: 0, now: start))
    #expect(latency.score(inFlight: 0, now: start + .seconds(86_400)) < 1_000_000)
  }

  @Test mutating func failuresAddUp() {
    #expect(latency.score(inFlight: 0, now: start) == 0)
    #expect(latency.score(inFlight: 1, now: start) > 0)
    latency.addFailure(after: .milliseconds(1), now: start)
    #expect(latency.current == .seconds(1))
    latency.addFailure(after: .milliseconds(1), now: start)
    #expect(latency.current == .seconds(2))
    latency.addFailure(after: .seconds(60), now: start)
    #expect(latency.current == .seconds(60))
    for _ in 0..<99 { latency.addFailure(after: .zero, now: start + .seconds(600)) }
    #expect(latency.current == .seconds(30))
  }

  @Test func aProviderThatIsBackIsAsFastAsItsAnswer() {
    var world = World([provider("a"), provider("b")])
    for _ in 0..<3 { world.attempt(at: 0, .serverError) }
    for _ in 0..<9 { world.attempt(at: 1, nil, after: .milliseconds(300)) }
    world.pass(.seconds(20))
    #expect(world.choice()?.provider == 0, "its probe")
    world.attempt(nil, after: .milliseconds(100))
    #expect(world.health.status(of: 0, now: world.now).latency == .milliseconds(100))
    #expect(world.choice()?.provider == 0)
  }

  /// Failures count as slow where candidates are compared; people are shown what was measured.
  @Test func whatIsShownWasMeasured() {
    var world = World([provider("a")])
    func latency() -> Interval? { world.health.status(of: 0, now: world.now).latency }
    #expect(latency() == nil)
    world.attempt(.serverError)
    #expect(latency() == nil)
    world.attempt(nil, after: .milliseconds(100))
    for _ in 0..<2 {
      world.pass(.seconds(1))
      world.attempt(.serverError)
    }
    #expect(latency() == .milliseconds(100))
    #expect(
      world.health.explain(Array("m".utf8).span, now: world.now)?.first?.latency ?? .zero >= .seconds(2))
  }

  @Test mutating func nonsenseDoesNoHarm() {
    latency.add(.seconds(-4), now: start)
    #expect(latency.current == .zero)
    latency.add(Interval(nanoseconds: .max), now: start - .seconds(9))
    #expect(latency.current == Limits.longestLatency)
  }
}
