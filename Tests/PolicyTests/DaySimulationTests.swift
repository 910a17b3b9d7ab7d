import Base
import Policy
import Testing

@Suite struct DaySimulationTests {
  @Test func sixFreeTiersLookLikeOneReliableProvider() {
    var learning = DaySimulation(learning: true, seed: 2026)
    let day = learning.run(40_000)
    var plain = DaySimulation(learning: false, seed: 2026)
    let without = plain.run(40_000)
    print(Self.table(day, without))
    #expect(day.requests == without.requests && day.requests > 39_000)
    // The goal: fewer than one refusal in a thousand requests once limits are learned.
    #expect(day.refusedShareLater < 0.001)
    #expect(day.refusedShare < 0.002)
    #expect(day.successRate > 0.999)
    #expect(day.successRate >= without.successRate)
    #expect(day.p95 < without.p95 * 2)
    #expect(without.refusedShare > 0.05, "a day that has no limits to hit shows nothing")
    #expect(day.share.allSatisfy { $0.share > 0 })
  }

  private static func table(_ a: DaySimulation.Report, _ b: DaySimulation.Report) -> String {
    func percent(_ value: Double, _ digits: Int = 1) -> String {
      var scale = 1
      for _ in 0..<digits { scale *= 10 }
      let scaled = Int((value * 100 * Double(scale)).rounded())
      let fraction = String(scaled % scale)
      return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction + " %"
    }
    var rows = [
      "| a day of \(a.requests) requests, six free tiers | synaxis | plain tier order |", "|---|---:|---:|",
      "| answered | \(percent(a.successRate, 3)) | \(percent(b.successRate, 3)) |",
      "| requests sent upstream per request | \(percent(a.attempts)) | \(percent(b.attempts)) |",
      "| 429s received, of requests | \(percent(a.refusedShare, 3)) | \(percent(b.refusedShare, 3)) |",
      "| … after the first hour | \(percent(a.refusedShareLater, 3)) | \(percent(b.refusedShareLater, 3)) |",
      "| time to first token p50 | \(a.p50) ms | \(b.p50) ms |",
      "| time to first token p95 | \(a.p95) ms | \(b.p95) ms |",
    ]
    for (x, y) in zip(a.share, b.share) {
      rows.append("| answers by \(x.name) | \(percent(x.share)) | \(percent(y.share)) |")
    }
    return rows.joined(separator: "\n")
  }
}
