internal import Base

// Eight and 32 bytes at a time, for scans that mostly find nothing. The first byte is the lowest.

extension Span<UInt8> {
  /// The eight bytes from `at` on.
  @inline(__always)
  func word(at: Int) -> UInt64 {
    // Lifetime: a bounds-checked load from the span itself; "unsafe" names only the choice of the type.
    UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
  }

  /// The 32 bytes from `at` on. Only for questions that do not depend on the order of bytes.
  @inline(__always)
  func words(at: Int) -> WordBlock {
    // Lifetime: as above.
    bytes.unsafeLoadUnaligned(fromByteOffset: at, as: WordBlock.self)
  }
}

extension UInt64 {
  /// That byte eight times.
  @inline(__always) static func every(_ byte: UInt8) -> UInt64 { 0x0101_0101_0101_0101 &* UInt64(byte) }
  @inline(__always) static var highBits: UInt64 { 0x8080_8080_8080_8080 }
  /// The high bit of every byte that is zero. Bits above the first may be set falsely.
  @inline(__always) var zeroBytes: UInt64 { (self &- .every(1)) & ~self & .highBits }
}

/// Four words at once.
typealias WordBlock = SIMD4<UInt64>

extension WordBlock {
  /// That byte 32 times.
  @inline(__always) static func filled(_ byte: UInt8) -> Self { Self(repeating: UInt64.every(byte)) }
  /// The bits of all four words together.
  @inline(__always) var union: UInt64 { self[0] | self[1] | self[2] | self[3] }
}
