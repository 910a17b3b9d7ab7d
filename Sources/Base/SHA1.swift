/// SHA-1 (FIPS 180-4 §6.1). For the handshake of WebSocket (RFC 6455 §1.3) and nothing that has to be kept secret.
package enum SHA1 {
  package typealias Digest = InlineArray<20, UInt8>

  package static func digest(of bytes: Span<UInt8>) -> Digest {
    // §5.3.1
    var hash: InlineArray<5, UInt32> = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
    SHABlocks.each(of: bytes) { compress($0, into: &hash) }
    var digest = Digest(repeating: 0)
    for i in 0..<20 { digest[i] = UInt8(truncatingIfNeeded: hash[i / 4] >> UInt32(24 - 8 * (i % 4))) }
    return digest
  }

  /// §6.1.2, for one block of 64 bytes.
  private static func compress(_ block: Span<UInt8>, into hash: inout InlineArray<5, UInt32>) {
    var schedule = InlineArray<80, UInt32>(repeating: 0)
    for t in 0..<16 { schedule[t] = SHABlocks.word(block, t) }
    for t in 16..<80 {
      schedule[t] = rotate(schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16], 1)
    }
    var (a, b, c, d, e) = (hash[0], hash[1], hash[2], hash[3], hash[4])
    for t in 0..<80 {
      let mixed: UInt32
      let constant: UInt32
      switch t {
      case 0..<20: (mixed, constant) = (b & c ^ ~b & d, 0x5a82_7999)
      case 20..<40: (mixed, constant) = (b ^ c ^ d, 0x6ed9_eba1)
      case 40..<60: (mixed, constant) = (b & c ^ b & d ^ c & d, 0x8f1b_bcdc)
      default: (mixed, constant) = (b ^ c ^ d, 0xca62_c1d6)
      }
      let next = rotate(a, 5) &+ mixed &+ e &+ constant &+ schedule[t]
      (e, d, c, b, a) = (d, c, rotate(b, 30), a, next)
    }
    hash[0] &+= a
    hash[1] &+= b
    hash[2] &+= c
    hash[3] &+= d
    hash[4] &+= e
  }

  private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 {
    word << count | word >> (32 - count)
  }
}
