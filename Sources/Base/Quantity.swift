/// A count that somebody else told us: tokens of an answer's usage, requests that a quota has left, a budget of the
/// tier file.
///
/// 64 bits, also where `Int` has 32. It is never negative, and where it is read it is at most `Limits.quantity`, so
/// that millions of them fit into one sum. Sums and differences stop at the ends of the range: no arithmetic on what
/// a client, a provider or a file says can trap.
@frozen @usableFromInline package struct Quantity: Comparable, Hashable, Sendable {
  /// 0…2⁶³−1
  @usableFromInline package let value: Int64

  /// What was told, brought into 0…`Limits.quantity`.
  package init(_ told: some FixedWidthInteger) {
    value = min(max(0, Int64(clamping: told)), Limits.quantity)
  }

  /// As above; a fraction is cut off, and what is no number counts as none.
  package init(_ told: Double) {
    value = told >= Double(Limits.quantity) ? Limits.quantity : told > 0 ? Int64(told) : 0
  }

  /// A result of the arithmetic below.
  @inlinable init(within value: Int64) { self.value = value }

  @inlinable package static func < (a: Quantity, b: Quantity) -> Bool { a.value < b.value }

  @inlinable package static func + (a: Quantity, b: Quantity) -> Quantity {
    let (sum, isOver) = a.value.addingReportingOverflow(b.value)
    return Quantity(within: isOver ? .max : sum)
  }

  /// None where more is taken than there is.
  @inlinable package static func - (a: Quantity, b: Quantity) -> Quantity {
    Quantity(within: a.value > b.value ? a.value &- b.value : 0)
  }

  @inlinable package static func += (a: inout Quantity, b: Quantity) { a = a + b }
  @inlinable package static func -= (a: inout Quantity, b: Quantity) { a = a - b }
}

extension Quantity: ExpressibleByIntegerLiteral {
  @usableFromInline package init(integerLiteral value: Int64) { self.init(value) }
}
