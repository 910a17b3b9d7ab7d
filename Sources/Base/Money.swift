/// US dollars, in whole billionths.
///
/// 64 bits, never negative. Sums and differences stop at the ends of the range, as those of `Quantity` do: nine billion
/// dollars are enough, and no rounding adds up.
package struct Money: Comparable, Hashable, Sendable {
  package let billionths: Int64

  package init(billionths: Int64) { self.billionths = max(0, billionths) }

  /// The nearest billionth; what is no number counts as none.
  package init(dollars: Double) {
    let value = (dollars * 1e9).rounded()
    billionths = value >= 9e18 ? 9_000_000_000_000_000_000 : value > 0 ? Int64(value) : 0
  }

  package static var none: Money { Money(billionths: 0) }

  package static func < (a: Money, b: Money) -> Bool { a.billionths < b.billionths }

  package static func + (a: Money, b: Money) -> Money {
    let (sum, isOver) = a.billionths.addingReportingOverflow(b.billionths)
    return Money(billionths: isOver ? .max : sum)
  }

  /// None where more is taken than there is.
  package static func - (a: Money, b: Money) -> Money {
    Money(billionths: a.billionths &- min(a, b).billionths)
  }

  package static func += (a: inout Money, b: Money) { a = a + b }
  package static func -= (a: inout Money, b: Money) { a = a - b }
}
