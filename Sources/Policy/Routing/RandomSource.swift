/// A small seeded generator (xorshift64*, Vigna 2016): for jitter and for picking two, never for secrets.
package struct RandomSource: Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed == 0 ? 0x9e37_79b9_7f4a_7c15 : seed }

  package mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_f491_4f6c_dd1d
  }

  /// A number below `bound`. The tiny bias of a multiply-shift does not matter here.
  package mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0)
    return Int(((next() >> 32) &* UInt64(bound)) >> 32)
  }

  /// A number from 0 up to but without 1.
  package mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
