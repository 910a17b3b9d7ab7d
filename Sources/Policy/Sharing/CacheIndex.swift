internal import Base

/// Which slot a fingerprint is in: open addressing over dense slots, with linear probing.
///
/// Fingerprints are keyed hashes already, so their low bits are the bucket. Nothing allocates after the first
/// insert. Removal closes the gap, so there are no tombstones and a probe never grows long.
struct CacheIndex {
  /// Slots that can be in use at once.
  let capacity: Int
  private var buckets: [Int32] = []
  /// By slot.
  private var keys: [Fingerprint] = []

  init(capacity: Int) {
    precondition(capacity > 0 && capacity < Int(Int32.max) / 4)
    self.capacity = capacity
  }

  /// Memory, in bytes, once anything was inserted.
  var footprint: Int {
    bucketCount * MemoryLayout<Int32>.stride + capacity * MemoryLayout<Fingerprint>.stride + 64
  }

  /// At most half full.
  private var bucketCount: Int { 1 << (Int.bitWidth - (capacity * 2 - 1).leadingZeroBitCount) }

  private func home(of key: Fingerprint) -> Int { Int(truncatingIfNeeded: key.low) & (buckets.count - 1) }

  func find(_ key: Fingerprint) -> Int? {
    guard let bucket = bucket(of: key) else { return nil }
    return Int(buckets[bucket])
  }

  func key(of slot: Int) -> Fingerprint { keys[slot] }

  /// Puts a key that is not in yet into a slot below `capacity`.
  mutating func insert(_ key: Fingerprint, slot: Int) {
    precondition(slot < capacity)
    if buckets.isEmpty {
      buckets = Array(repeating: -1, count: bucketCount)
      keys.reserveCapacity(capacity)
    }
    while keys.count <= slot { keys.append(Fingerprint(high: 0, low: 0)) }
    keys[slot] = key
    var at = home(of: key)
    while buckets[at] >= 0 { at = (at + 1) & (buckets.count - 1) }
    buckets[at] = Int32(slot)
  }

  /// Takes a key out. What was pushed aside by it moves back toward its home.
  mutating func remove(_ key: Fingerprint) {
    guard var hole = bucket(of: key) else { return }
    let mask = buckets.count - 1
    var at = hole
    while true {
      at = (at + 1) & mask
      if buckets[at] < 0 { break }
      let home = home(of: keys[Int(buckets[at])])
      // It may move into the hole if its home is not between the hole (excluded) and where it is.
      if (at - home) & mask >= (at - hole) & mask {
        buckets[hole] = buckets[at]
        hole = at
      }
    }
    buckets[hole] = -1
  }

  private func bucket(of key: Fingerprint) -> Int? {
    if buckets.isEmpty { return nil }
    var at = home(of: key)
    while buckets[at] >= 0 {
      if keys[Int(buckets[at])] == key { return at }
      at = (at + 1) & (buckets.count - 1)
    }
    return nil
  }
}
