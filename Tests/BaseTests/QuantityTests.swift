import Base
import Testing

@Suite struct QuantityTests {
  private static let most: Int64 = 1 << 40
  private static let edges: [Int64] = [
    .min, .min + 1, -(1 << 53), -(1 << 32), -1, 0, 1, 1 << 31 - 1, 1 << 31, 1 << 32, 1 << 40 - 1, 1 << 40,
    1 << 40 + 1,
    1 << 53, .max - 1, .max,
  ]

  @Test(arguments: edges) func isClampedWhereItIsRead(_ told: Int64) {
    #expect(Quantity(told).value == max(0, min(told, Self.most)))
    #expect(Quantity(UInt64(bitPattern: told)).value == (told < 0 ? Self.most : min(told, Self.most)))
  }

  @Test(
    arguments: [
      (-1e308, 0), (-0.0, 0), (0.9, 0), (1.9, 1), (1_099_511_627_775.5, 1_099_511_627_775), (1e13, most),
      (1e308, most), (.infinity, most), (-.infinity, 0), (.nan, 0),
    ] as [(Double, Int64)])
  func aFractionIsCutOff(_ told: Double, _ expected: Int64) {
    #expect(Quantity(told).value == expected)
  }

  @Test func sumsStopAtTheEnds() {
    var sum: Quantity = 0
    for _ in 0..<100 { sum = sum + sum + Quantity(Int64.max) }
    #expect(sum.value == .max)
    #expect((sum + 1).value == .max)
    #expect((3 - sum).value == 0)
    #expect((sum - 1).value == .max - 1)
    sum -= sum
    #expect(sum == 0)
    sum += 7
    #expect(sum - 9 == 0 && 9 - sum == 2 && sum + 3 == 10 && sum < 8)
  }
}
