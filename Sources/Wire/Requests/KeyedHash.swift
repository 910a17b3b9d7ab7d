package import Base

/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012), fed in pieces.
///
/// A keyed pseudo-random function: who does not know the key cannot find two inputs with one output. Pieces
/// are not told apart: "ab" and "a", "b" hash alike, so callers write lengths where it matters.
package struct KeyedHash: Sendable {
  /// Random bits, drawn once per process.
  package struct Key: Sendable {
    package var first: UInt64
    package var second: UInt64
    package init(first: UInt64, second: UInt64) {
      self.first = first
      self.second = second
    }
  }

  private var v0: UInt64
  private var v1: UInt64
  private var v2: UInt64
  private var v3: UInt64
  /// Bytes that do not make a word yet, the first one lowest.
  private var tail: UInt64 = 0
  private var tailBits: UInt64 = 0
  private var length: UInt64 = 0

  package init(key: Key) {
    v0 = key.first ^ 0x736f_6d65_7073_6575
    v1 = key.second ^ 0x646f_7261_6e64_6f6d ^ 0xee
    v2 = key.first ^ 0x6c79_6765_6e65_7261
    v3 = key.second ^ 0x7465_6462_7974_6573
  }

  package mutating func absorb(_ bytes: Span<UInt8>) {
    let count = bytes.count
    // In registers: half the instructions of a word go into the state's memory otherwise.
    var hash = self
    var at = 0
    while at &+ 8 <= count {
      let word = bytes.word(at: at)
      if hash.tailBits == 0 {
        hash.compress(word)
      } else {
        hash.compress(hash.tail | word << hash.tailBits)
        hash.tail = word >> (64 &- hash.tailBits)
      }
      at &+= 8
    }
    hash.length &+= UInt64(count)
    let rest = bytes.lastWord(at: at)
    let bits = hash.tailBits &+ UInt64(8 &* (count &- at))
    hash.tail |= rest << hash.tailBits
    if bits >= 64 {
      hash.compress(hash.tail)
      hash.tail = rest >> (64 &- hash.tailBits)
    }
    hash.tailBits = bits & 63
    self = hash
  }

  /// Zeros up to the next whole word: what follows costs less. Only behind what had its length before it.
  mutating func fill() {
    guard tailBits > 0 else { return }
    length &+= (64 &- tailBits) / 8
    compress(tail)
    tail = 0
    tailBits = 0
  }

  package mutating func absorb(_ byte: UInt8) {
    tail |= UInt64(byte) << tailBits
    tailBits += 8
    length &+= 1
    if tailBits == 64 {
      compress(tail)
      tail = 0
      tailBits = 0
    }
  }

  /// Eight bytes, the lowest first.
  package mutating func absorb(word: UInt64) {
    length &+= 8
    if tailBits == 0 {
      compress(word)
    } else {
      compress(tail | word << tailBits)
      tail = word >> (64 - tailBits)
    }
  }

  package mutating func absorb(count: Int) { absorb(word: UInt64(truncatingIfNeeded: count)) }

  package consuming func finish() -> Fingerprint {
    compress(tail | length << 56)
    v2 ^= 0xee
    for _ in 0..<4 { round() }
    let first = v0 ^ v1 ^ v2 ^ v3
    v1 ^= 0xdd
    for _ in 0..<4 { round() }
    return Fingerprint(high: first, low: v0 ^ v1 ^ v2 ^ v3)
  }

  @inline(__always) private mutating func compress(_ word: UInt64) {
    v3 ^= word
    round()
    round()
    v0 ^= word
  }

  @inline(__always) private mutating func round() {
    v0 = v0 &+ v1
    v2 = v2 &+ v3
    v1 = v1 << 13 | v1 >> 51
    v3 = v3 << 16 | v3 >> 48
    v1 ^= v0
    v3 ^= v2
    v0 = v0 << 32 | v0 >> 32
    v2 = v2 &+ v1
    v0 = v0 &+ v3
    v1 = v1 << 17 | v1 >> 47
    v3 = v3 << 21 | v3 >> 43
    v1 ^= v2
    v3 ^= v0
    v2 = v2 << 32 | v2 >> 32
  }
}
