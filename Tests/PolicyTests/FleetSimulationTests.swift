import Base
import Glibc
import Policy
import Testing

/// Several sidecars before the same accounts, sharing nothing. `contrib/fleet-table` has the table of a whole day made.
@Suite struct FleetSimulationTests {
  enum Budgets: String, CaseIterable {
    case whole = "in each file"
    case divided = "divided"
    case untold = "not written"

    func tiers(of sidecars: Int) -> [FreeTier] {
      switch self {
      case .whole: FreeTier.day
      case .divided: FreeTier.divided(by: sidecars)
      case .untold: FreeTier.untold
      }
    }
  }

  private static func day(_ requests: Int, _ sidecars: Int, _ limits: Budgets, hashed: Bool)
    -> DaySimulation.Report
  {
    let fleet = Fleet(sidecars: sidecars, isHashed: hashed, seed: 18)
    var simulation = DaySimulation(limits.tiers(of: sidecars), learning: true, fleet: fleet, seed: 2026)
    return simulation.run(requests)
  }

  private static func percent(_ share: Double) -> String {
    let hundredths = Int((share * 10_000).rounded())
    return "\(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10) %"
  }

  @Test func clientsDoNotNoticeThatSidecarsShareNothing() {
    let single = Self.day(40_000, 1, .whole, hashed: true)
    let spread = Self.day(40_000, 10, .whole, hashed: false)
    let many = Self.day(40_000, 100, .untold, hashed: false)
    let careful = Self.day(40_000, 10, .divided, hashed: true)
    for report in [single, spread, many, careful] {
      #expect(report.requests > 39_000 && report.repeats > 6_000)
      #expect(report.successRate > 0.999 && report.lateShare < 0.02)
    }
    #expect(single.refusedShare < 0.001 && single.hitShare > 0.9)
    // What it costs in 429s and in the cache, and what the file and the balancer win back.
    #expect(spread.refusedShare > 0.02 && many.refusedShare > spread.refusedShare)
    #expect(careful.refusedShare < spread.refusedShare / 10)
    #expect(spread.hitShare < 0.2 && careful.hitShare > 0.5)
  }

  @Test(.enabled(if: getenv("SYNAXIS_FLEET_TABLE") != nil))
  func table() {
    print(
      "| sidecars | limits | picked by | 429s per request | late or unanswered | unanswered | repeats from the cache |"
    )
    print("|---:|---|---|---:|---:|---:|---:|")
    for sidecars in [1, 10, 100, 1_000] {
      for limits in Budgets.allCases where sidecars > 1 || limits != .divided {
        for hashed in sidecars > 1 ? [false, true] : [true] {
          let report = Self.day(40_000, sidecars, limits, hashed: hashed)
          let picked = sidecars == 1 ? "–" : hashed ? "conversation" : "chance"
          print(
            "| \(sidecars) | \(limits.rawValue) | \(picked) | \(Self.percent(report.refusedShare)) |",
            "\(Self.percent(report.lateShare)) | \(Self.percent(1 - report.successRate)) |",
            "\(Self.percent(report.hitShare)) |")
        }
      }
    }
  }
}
