/// 128 bits that stand for a request: equal fingerprints mean equal requests, since they come from a keyed
/// hash whose key nobody outside the process knows.
package struct Fingerprint: Hashable, Sendable {
  package var high: UInt64
  package var low: UInt64

  @inlinable package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}
