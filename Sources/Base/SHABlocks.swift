/// What SHA-1 and SHA-256 have in common (FIPS 180-4): blocks of 64 bytes, and words of 32 bits, the highest byte first.
enum SHABlocks {
  /// Gives each block of a message, the padding at its end included (§5.1.1, §5.2.1).
  @inline(__always)
  static func each(of bytes: Span<UInt8>, _ compress: (Span<UInt8>) -> Void) {
    let whole = bytes.count / 64 * 64
    var at = 0
    while at < whole {
      compress(bytes.extracting(at..<at + 64))
      at += 64
    }
    // A one bit, zeros, and the length in bits fill the last one or two blocks.
    var tail = InlineArray<128, UInt8>(repeating: 0)
    let left = bytes.count - whole
    for i in 0..<left { tail[i] = bytes[whole + i] }
    tail[left] = 0x80
    let end = left < 56 ? 64 : 128
    let bits = UInt64(bytes.count) * 8
    for i in 0..<8 { tail[end - 1 - i] = UInt8(truncatingIfNeeded: bits >> UInt64(8 * i)) }
    compress(tail.span.extracting(0..<64))
    if end == 128 { compress(tail.span.extracting(64..<128)) }
  }

  /// The word at place `t` of a block.
  @inline(__always)
  static func word(_ block: Span<UInt8>, _ t: Int) -> UInt32 {
    UInt32(block[4 * t]) << 24 | UInt32(block[4 * t + 1]) << 16 | UInt32(block[4 * t + 2]) << 8
      | UInt32(block[4 * t + 3])
  }
}
