internal import CLinux

// Eight and 16 bytes at a time, for scans that mostly find nothing. The first byte is the lowest.

extension Span<UInt8> {
  /// Whether there is a byte at that place: the comparison that reading it makes, so that both are one.
  @inlinable @inline(__always)
  package func has(_ at: Int) -> Bool { UInt(bitPattern: at) < UInt(bitPattern: count) }

  /// The eight bytes from `at` on.
  @inlinable @inline(__always)
  package func word(at: Int) -> UInt64 {
    // Lifetime: a bounds-checked load from the span itself; "unsafe" names only the choice of the type.
    UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
  }

  /// The four bytes from `at` on.
  @inlinable @inline(__always)
  package func halfWord(at: Int) -> UInt64 {
    // Lifetime: as above.
    UInt64(UInt32(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self)))
  }

  /// The bytes from `at` on, fewer than eight, and zeros behind them.
  @inlinable package func lastWord(at: Int) -> UInt64 {
    let left = count &- at
    // Smart shifts: of no bytes nothing is left.
    if count >= 8 { return word(at: count &- 8) >> UInt64(64 &- 8 &* left) }
    if left >= 4 { return halfWord(at: at) | halfWord(at: count &- 4) << UInt64(8 &* left &- 32) }
    var word: UInt64 = 0
    for i in 0..<left { word |= UInt64(self[at &+ i]) << UInt64(8 &* i) }
    return word
  }

  /// The 16 bytes from `at` on; nil where there are fewer.
  @inlinable @inline(__always)
  package func block(at: Int) -> ByteBlock? {
    // As reading them has it, so that both comparisons are one.
    guard UInt(bitPattern: at) <= UInt(bitPattern: count), count &- at >= 16 else { return nil }
    // Lifetime: as above.
    return bytes.unsafeLoadUnaligned(fromByteOffset: at, as: ByteBlock.self)
  }
}

extension UnsafeRawPointer {
  // Lifetime: the caller keeps what is pointed at, and knows its length.
  @inlinable @inline(__always)
  func word(at: Int) -> UInt64 { UInt64(littleEndian: loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
  @inlinable @inline(__always)
  package func halfWord(at: Int) -> UInt64 {
    UInt64(UInt32(littleEndian: loadUnaligned(fromByteOffset: at, as: UInt32.self)))
  }
}

extension UInt64 {
  /// That byte eight times.
  @inlinable @inline(__always)
  package static func every(_ byte: UInt8) -> UInt64 { 0x0101_0101_0101_0101 &* UInt64(byte) }
  @inlinable @inline(__always) package static var highBits: UInt64 { 0x8080_8080_8080_8080 }

  /// The same bytes with ASCII capitals made small.
  @inlinable @inline(__always) package var asciiLowercased: UInt64 {
    self | letters(from: UInt8(ascii: "A"), to: UInt8(ascii: "Z")) >> 2
  }

  /// Whether the bytes are those of `small`, which has no capitals, but for the case of ASCII letters.
  @inlinable @inline(__always) package func equalsWithoutCase(_ small: UInt64) -> Bool {
    // A letter and its capital differ in one bit.
    (self ^ small) & ~(small.letters(from: UInt8(ascii: "a"), to: UInt8(ascii: "z")) >> 2) == 0
  }

  /// The high bit of every byte between two of ASCII.
  @inlinable @inline(__always) func letters(from first: UInt8, to last: UInt8) -> UInt64 {
    // Without their high bits no byte carries into the next.
    let low = self & ~UInt64.highBits
    let fromFirst = low &+ .every(0x80 - first)
    let aboveLast = low &+ .every(0x7F - last)
    return fromFirst & ~aboveLast & ~self & .highBits
  }
}

/// Sixteen bytes, each compared for itself.
@usableFromInline package typealias ByteBlock = SIMD16<UInt8>
/// The bytes of a block about which something is true.
@usableFromInline package typealias ByteMarks = SIMDMask<SIMD16<Int8>>

extension ByteBlock {
  @inlinable @inline(__always) package func marks(equal byte: UInt8) -> ByteMarks {
    self .== ByteBlock(repeating: byte)
  }

  @inlinable @inline(__always) package func marks(below byte: UInt8) -> ByteMarks {
    self .< ByteBlock(repeating: byte)
  }

  /// Marks the bytes below `byte`, which is ASCII, and those from 0x80 on.
  @inlinable @inline(__always) package func marks(outsideOfASCIIFrom byte: UInt8) -> ByteMarks {
    unsafeBitCast(self, to: SIMD16<Int8>.self) .< SIMD16<Int8>(repeating: Int8(bitPattern: byte))
  }

  @inlinable @inline(__always) package func marks(from first: UInt8, to last: UInt8) -> ByteMarks {
    (self &- ByteBlock(repeating: first)) .<= ByteBlock(repeating: last &- first)
  }
}

extension Span<UInt8> {
  /// The first byte from `start` on that is marked, looked for 16 at a time. Where there is none: the place behind the
  /// last whole block, from which fewer than 16 are left.
  @inline(__always)
  package func scan(from start: Int, for marks: (ByteBlock) -> ByteMarks) -> (at: Int, isFound: Bool) {
    var at = start
    while let block = block(at: at) {
      let place = marks(block).first
      if place < 16 { return (at &+ place, true) }
      // By a constant: the next block need not wait for what was found in this one.
      at &+= 16
    }
    return (at, false)
  }
}

extension ByteMarks {
  /// The place of the first byte that is marked; 16 where none is.
  @inline(__always) package var first: Int { Int(first_mark(unsafeBitCast(self, to: ByteBlock.self))) }
}
