internal import Base

/// The name of one exchange in answers and logs: the client's own if it sent a sane one.
package struct RequestID {
  private var bytes = InlineArray<64, UInt8>(repeating: 0)
  private var count: UInt8 = 0

  /// A new one: 16 hexadecimal digits of a counter that started at random, scrambled.
  package init(number: UInt64) {
    // The finaliser of MurmurHash3 is a bijection: no two numbers meet.
    var mixed = number
    mixed = (mixed ^ (mixed >> 33)) &* 0xff51_afd7_ed55_8ccd
    mixed = (mixed ^ (mixed >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    mixed ^= mixed >> 33
    put("req_")
    put(hex: mixed >> 32)
    put(hex: mixed & 0xffff_ffff)
  }

  /// Eight digits of 32 bits, reckoned together.
  private mutating func put(hex value: UInt64) {
    var digits = (value | value << 16) & 0x0000_ffff_0000_ffff
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f
    // Behind the nine come the letters, 39 places further.
    let letters = (digits &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    digits = digits &+ 0x3030_3030_3030_3030 &+ letters &* 39
    let start = Int(count)
    for i in 0..<8 { bytes[start + i] = UInt8(truncatingIfNeeded: digits >> UInt64(56 - 8 * i)) }
    count += 8
  }

  /// Nil unless it is 1 to 64 letters, digits and `-_.:/+=`: it goes into a header and a log line.
  package init?(client value: Span<UInt8>) {
    guard value.count > 0, value.count <= 64 else { return nil }
    for i in 0..<value.count {
      let byte = value[i]
      let isSane =
        byte.asciiLowercased &- 97 < 26 || byte.isDigit || byte == UInt8(ascii: "-")
        || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
        || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "=")
      guard isSane else { return nil }
      put(byte)
    }
  }

  private mutating func put(_ byte: UInt8) {
    bytes[Int(count)] = byte
    count += 1
  }

  private mutating func put(_ text: StaticString) {
    for i in 0..<text.utf8CodeUnitCount { put(text.utf8Start[i]) }
  }

  package var span: Span<UInt8> {
    @_lifetime(borrow self)
    get { bytes.span.extracting(0..<Int(count)) }
  }
}
