import Base
import Policy
import Testing

@Suite struct DaySimulationTests {
  @Test func sixFreeTiersLookLikeOneReliableProvider() {
    var learning = DaySimulation(FreeTier.day, learning: true, seed: 2026)
    let day = learning.run(40_000)
    var unaided = DaySimulation(FreeTier.untold, learning: true, seed: 2026)
    let untold = unaided.run(40_000)
    var plain = DaySimulation(FreeTier.day, learning: false, seed: 2026)
    let without = plain.run(40_000)
    print(Self.table(day, untold, without))
    #expect(day.requests == without.requests && day.requests > 39_000)
    // The goal: fewer than one refusal in a thousand requests once limits are learned.
    for report in [day, untold] {
      #expect(report.refusedShareLater < 0.001)
      #expect(report.refusedShare < 0.002)
      #expect(report.successRate > 0.999)
      #expect(report.successRate > without.successRate - 0.001)
      #expect(report.p50 < without.p50 && report.p95 < without.p95)
    }
    #expect(without.refusedShare > 0.05, "a day that has no limits to hit shows nothing")
    #expect(day.spent == .none)
    #expect(day.savedByTiers.billionths == Int64(day.succeeded) * (1_500 * 590 + 90 * 790))
    #expect(day.share.allSatisfy { $0.share > 0 })
  }

  private static func table(
    _ told: DaySimulation.Report, _ untold: DaySimulation.Report, _ plain: DaySimulation.Report
  ) -> String {
    let columns = [told, untold, plain]
    func row(_ title: String, _ value: (DaySimulation.Report) -> String) -> String {
      "| \(title) | " + columns.map(value).joined(separator: " | ") + " |"
    }
    func number(_ value: Double, _ digits: Int) -> String {
      let scale = digits == 3 ? 1_000 : 100
      let scaled = Int((value * Double(scale)).rounded())
      let fraction = String(scaled % scale)
      return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
    var rows = [
      "| \(told.requests) requests in a day | limits in the file | nothing in the file | plain tier order |",
      "|---|---:|---:|---:|",
      row("answered") { number($0.successRate * 100, 2) + " %" },
      row("attempts per request") { number($0.attempts, 2) },
      row("429s received per 100 requests") { number($0.refusedShare * 100, 3) },
      row("… after the first hour") { number($0.refusedShareLater * 100, 3) },
      row("time to first token, p50") { "\($0.p50) ms" },
      row("time to first token, p95") { "\($0.p95) ms" },
    ]
    rows.append(
      "| saved against paying 0.59 and 0.79 USD per million tokens | "
        + [told, untold].map { "$" + number(Double($0.savedByTiers.billionths) / 1e9, 2) }
        .joined(separator: " | ") + " | – |")
    for (n, entry) in told.share.enumerated() {
      rows.append(row("answered by \(entry.name)") { number($0.share[n].share * 100, 2) + " %" })
    }
    return rows.joined(separator: "\n")
  }
}
