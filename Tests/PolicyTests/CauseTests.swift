import Base
import Policy
import TestSupport
import Testing

/// What was said with a fault stays with the cooldown that it brought, and is told for as long as that lasts.
@Suite struct CauseTests {
  /// One attempt at whatever comes first, which ends with a fault and words.
  private func fail(_ world: World, _ fault: Fault, _ status: Int, _ words: String) {
    guard let choice = world.choice() else { return }
    var outcome = AttemptOutcome(fault: fault)
    outcome.status = status
    outcome.words = Array(words.utf8)
    world.health.end(world.health.begin(choice, now: world.now), outcome, now: world.now)
  }

  private func told(_ world: World) -> [String] {
    world.health.obstructions(of: world.request(), now: world.now).map(\.text)
  }

  @Test(
    arguments: [
      (.keyRejected, 401, "No such key.", 3_599, "rejected its key (401: No such key)"),
      (.rate(until: nil), 429, "Slow down", 59, "is at its rate limit (429: Slow down)"),
      (.quota(until: nil), 402, "", 3_599, "is out of quota or credit (402)"),
      (.modelMissing, 404, "No model m", 3_599, "does not have this model (404: No model m)"),
      (.endpointMissing, 404, "Not Found", 3_599, "does not have this endpoint (404: Not Found)"),
      (.serverError, 500, "Three dots...", 10, "failed (500: Three dots...)"),
      (.unreachable, 0, "h refuses connections", 10, "cannot be reached (h refuses connections)"),
      (.silence, 0, "", 10, "does not answer any more"),
    ] as [(Fault, Int, String, Int64, String)])
  func wordsLastAsLongAsTheCooldown(
    _ fault: Fault, _ status: Int, _ words: String, _ seconds: Int64, _ text: String
  ) {
    var world = World([provider("a")])
    for _ in 0..<3 { fail(world, fault, status, words) }
    #expect(told(world) == [text])
    world.pass(.seconds(seconds))
    #expect(told(world) == [text])
    world.pass(.seconds(20))
    #expect(told(world) == [])
    // The operator ends it, and what was said.
    world.health.reset(provider: 0)
    #expect(world.health.status(of: 0, now: world.now).reason == nil)
  }

  @Test func aLongerCooldownKeepsItsOwnWords() {
    let world = World([provider("a")])
    let choice = world.choice()!
    let tickets = [world.health.begin(choice, now: world.now), world.health.begin(choice, now: world.now)]
    for (ticket, (seconds, words)) in zip(tickets, [(500, "first"), (100, "second")] as [(Int64, String)]) {
      var outcome = AttemptOutcome(fault: .rate(until: world.now + .seconds(seconds)))
      outcome.status = 429
      outcome.words = Array(words.utf8)
      world.health.end(ticket, outcome, now: world.now)
    }
    #expect(told(world) == ["is at its rate limit (429: first)"])
  }

  @Test func whatAilsOneThatCanBeUsed() {
    let world = World([provider("a") { $0.keys = [Secret("one"), Secret("two")] }])
    func reason() -> String? { world.health.status(of: 0, now: world.now).reason }
    fail(world, .serverError, 500, "once")
    #expect(reason() == "failed (500: once)")
    world.attempt(nil)
    #expect(reason() == nil)
    fail(world, .keyRejected, 401, "not this one")
    #expect(reason()?.hasSuffix(": rejected its key (401: not this one)") == true)
    #expect(world.health.status(of: 0, now: world.now).state == .online)
  }

  @Test(
    arguments: [
      (.keyRejected, "rejected its key (401: No)"), (.modelMissing, "m: does not have this model (401: No)"),
      (.serverError, "failed (401: No)"),
    ] as [(Fault, String)])
  func aReloadKeepsTheWords(_ fault: Fault, _ reason: String) {
    let world = World([provider("a")])
    fail(world, fault, 401, "No")
    let health = HealthStore(world.catalog, keeping: world.health)
    #expect(health.status(of: 0, now: world.now).reason == reason)
  }

  @Test func twoCandidatesThatSayTheSameSayItOnce() {
    let world = World(
      [provider("a") { $0.models.append(Model(name: "n", upstreamName: "n")) }],
      aliases: [
        Alias(
          name: "both",
          targets: [Alias.Target(provider: "a", model: "m"), Alias.Target(provider: "a", model: "n")])
      ])
    fail(world, .keyRejected, 401, "x")
    #expect(world.health.obstructions(of: world.request("both"), now: world.now).count == 1)
  }
}
