import Base
import Policy
import TestSupport
import Testing

@Suite struct BreakerTests {
  private var random = RandomSource(seed: 3)
  private var breaker = Breaker()

  /// Opens a breaker with failures in a row; returns when it lets a probe through.
  private mutating func trip(at now: Instant) -> Instant {
    var until: Instant?
    for _ in 0..<3 where until == nil {
      until = breaker.fail(.serverError, begun: now, probe: 0, now: now, random: &random)
    }
    return until!
  }

  @Test(arguments: [
    // Outcomes in order, and whether the breaker is open after them: half of at least five.
    ("gggbb", false), ("ggbgb", false), ("gbgbb", true), ("bgbgb", true), ("bb", false), ("bbb", true),
    ("bbgbb", true), ("ggggggbgb", false), ("gbgbgg", false),
  ])
  mutating func opens(_ outcomes: String, _ opens: Bool) {
    for outcome in outcomes {
      if outcome == "g" {
        breaker.succeed(begun: start, now: start)
      } else {
        _ = breaker.fail(.reset, begun: start, probe: 0, now: start, random: &random)
      }
    }
    #expect((breaker.state != .closed) == opens)
  }

  @Test mutating func oldOutcomesLeaveTheWindow() {
    var now = start
    for _ in 0..<20 {
      _ = breaker.fail(.reset, begun: now, probe: 0, now: now, random: &random)
      now = now + .seconds(1)
      breaker.succeed(begun: now, now: now)
      now = now + .seconds(35)
    }
    #expect(breaker.state == .closed)
  }

  @Test mutating func backsOffWithJitterUpToFiveMinutes() {
    var now = start
    var until = trip(at: now)
    for n in 0..<12 {
      let nominal = min(15.0 * Double(1 << n), 300)
      let length = (until - now).seconds
      #expect(length >= nominal * 0.9 && length <= min(nominal * 1.1, 300))
      now = until
      let probe = breaker.takeProbe(now: now)
      #expect(probe != 0)
      until = breaker.fail(.serverError, begun: now, probe: probe, now: now, random: &random)!
    }
  }

  @Test mutating func oneProbeAndSuccessCloses() {
    let until = trip(at: start)
    #expect(!breaker.wantsProbe(now: until - .milliseconds(1)))
    #expect(breaker.takeProbe(now: until - .milliseconds(1)) == 0)
    #expect(breaker.takeProbe(now: until) != 0)
    #expect(breaker.takeProbe(now: until) == 0)
    #expect(breaker.due(now: until) > until)
    breaker.succeed(begun: until, now: until)
    #expect(breaker.state == .closed && breaker.openings == 0)
  }

  @Test mutating func abandonedProbeFreesThePlaceAndCountsAsNothing() {
    let until = trip(at: start)
    let probe = breaker.takeProbe(now: until)
    breaker.abandon(probe: probe)
    #expect(breaker.wantsProbe(now: until))
    #expect(breaker.openings == 1)
    // The first probe's number decides nothing any more.
    let second = breaker.takeProbe(now: until)
    #expect(second != probe)
    breaker.abandon(probe: probe)
    #expect(breaker.state == .probing)
    #expect(breaker.fail(.reset, begun: until, probe: probe, now: until, random: &random) == nil)
    #expect(breaker.state == .probing)
  }

  @Test mutating func stragglersSayNothingNew() {
    let before = start - .seconds(5)
    let until = trip(at: start)
    breaker.succeed(begun: before, now: start)
    #expect(breaker.state == .open(until: until))
    #expect(breaker.fail(.reset, begun: before, probe: 0, now: start, random: &random) == nil)
    #expect(breaker.state == .open(until: until))
  }

  @Test(
    arguments: [
      (Fault.rate(until: nil), "is at its rate limit"), (.keyRejected, "rejected its key"),
      (.tooLong, "failed"),
      (.clientFault, "failed"), (.clientGone, "probe free"),
    ] as [(Fault, String?)])
  func refusalOfAProbeEndsAnOutage(_ fault: Fault, _ reason: String?) {
    var world = World([provider("a")])
    for _ in 0..<3 { world.attempt(.serverError) }
    world.pass(.seconds(17))
    #expect(world.isDueForProbe(0))
    world.attempt(fault)
    if reason == "probe free" {
      #expect(world.isDueForProbe(0))
    } else {
      #expect(!world.isDueForProbe(0))
      #expect(world.health.status(of: 0, now: world.now).reason == reason)
    }
  }
}
