internal import CLinux

// What the parsers ask of bytes. Wire bytes are never a String: `Int(_:)` accepts "+5" and "\r\n" is one
// Character.

extension Span<UInt8> {
  @inlinable package func equals(_ text: StaticString) -> Bool {
    count == text.utf8CodeUnitCount && begins(with: text)
  }

  @inlinable package func equals(_ other: Span<UInt8>) -> Bool {
    count == other.count && other.withUnsafeBufferPointer { count == 0 || hasBytes($0.baseAddress!, count) }
  }

  /// As above, for a text that is no literal: comparing with a literal counts no references.
  @_disfavoredOverload
  package func equals(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { equals(Span(_unsafeElements: $0)) }
  }

  /// ASCII letters compare without case; every other byte exactly. `text` must be lower case.
  @inlinable @inline(__always)
  package func equalsIgnoringCase(_ text: StaticString) -> Bool {
    count == text.utf8CodeUnitCount && beginsWithoutCase(with: text)
  }

  /// As above, for a name from the configuration.
  @_disfavoredOverload
  package func equalsIgnoringCase(_ text: String) -> Bool {
    guard count == text.utf8.count else { return false }
    var text = text
    return text.withUTF8 { count == 0 || hasBytesWithoutCase($0.baseAddress!, count) }
  }

  @inlinable package func hasPrefix(_ text: StaticString) -> Bool {
    count >= text.utf8CodeUnitCount && begins(with: text)
  }

  /// ASCII letters compare without case on both sides.
  package func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    return other.withUnsafeBufferPointer {
      count == 0
        || agrees(with: $0.baseAddress!, count) {
          $0 == $1 || $0.equalsWithoutCase($1.asciiLowercased)
        }
    }
  }

  /// `text` must be lower case.
  @inlinable @inline(__always)
  package func hasPrefixIgnoringCase(_ text: StaticString) -> Bool {
    count >= text.utf8CodeUnitCount && beginsWithoutCase(with: text)
  }

  /// ASCII letters compare without case; `text` must be lower case.
  package func hasSuffixIgnoringCase(_ text: StaticString) -> Bool {
    let length = text.utf8CodeUnitCount
    return count >= length && extracting(count - length..<count).equalsIgnoringCase(text)
  }

  // Most texts differ in their first bytes, which needs no call. Lifetime: a literal's bytes are always there.

  @inlinable func begins(with text: StaticString) -> Bool {
    let length = text.utf8CodeUnitCount
    return length == 0 || self[0] == text.utf8Start[0] && hasBytes(text.utf8Start, length)
  }

  /// Inlined always: of a literal's bytes up to the 16th a few numbers are left.
  @inlinable @inline(__always)
  func beginsWithoutCase(with text: StaticString) -> Bool {
    let length = text.utf8CodeUnitCount
    let small = UnsafeRawPointer(text.utf8Start)
    if length >= 8 {
      if !word(at: 0).equalsWithoutCase(small.word(at: 0)) { return false }
      if length > 16 { return hasBytesWithoutCase(text.utf8Start, length) }
      return length == 8 || word(at: length &- 8).equalsWithoutCase(small.word(at: length &- 8))
    }
    if length >= 4 {
      return halfWord(at: 0).equalsWithoutCase(small.halfWord(at: 0))
        && (length == 4 || halfWord(at: length &- 4).equalsWithoutCase(small.halfWord(at: length &- 4)))
    }
    return length == 0
      || self[0].asciiLowercased == text.utf8Start[0] && hasBytesWithoutCase(text.utf8Start, length)
  }

  /// Whether the first bytes are those at `other`.
  @usableFromInline func hasBytes(_ other: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    agrees(with: other, length) { $0 == $1 }
  }

  /// As above, our letters without case, the other's small.
  @usableFromInline func hasBytesWithoutCase(_ other: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    agrees(with: other, length) { $0 == $1 || $0.equalsWithoutCase($1) }
  }

  /// Whether `isSame` says so of our first bytes and those at `other`: eight or four at a time, the last once more where
  /// they overlap.
  @inline(__always)
  private func agrees(
    with other: UnsafePointer<UInt8>, _ length: Int, _ isSame: (UInt64, UInt64) -> Bool
  ) -> Bool {
    // Lifetime: the callers' texts and spans outlive the call and are that long.
    let other = UnsafeRawPointer(other)
    if length >= 8 {
      var at = 0
      while at < length &- 8 {
        if !isSame(word(at: at), other.word(at: at)) { return false }
        at &+= 8
      }
      return isSame(word(at: length &- 8), other.word(at: length &- 8))
    }
    if length >= 4 {
      return isSame(halfWord(at: 0), other.halfWord(at: 0))
        && isSame(halfWord(at: length &- 4), other.halfWord(at: length &- 4))
    }
    for i in 0..<length
    where !isSame(UInt64(self[i]), UInt64(other.load(fromByteOffset: i, as: UInt8.self))) {
      return false
    }
    return true
  }

  /// The first place of a byte, found with memchr(3).
  package func firstIndex(of byte: UInt8) -> Int? {
    withUnsafeBufferPointer { p in
      guard let base = p.baseAddress, let found = memchr(base, Int32(byte), p.count) else { return nil }
      return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }
  }

  /// The first place of a text, found with memmem(3).
  package func firstRange(of text: StaticString) -> Int? {
    withUnsafeBufferPointer { p in
      guard let base = p.baseAddress,
        let found = memmem(base, p.count, text.utf8Start, text.utf8CodeUnitCount)
      else { return nil }
      return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }
  }

  /// The first place of other bytes, found with memmem(3). An empty needle is nowhere.
  package func firstRange(of needle: Span<UInt8>) -> Int? {
    withUnsafeBufferPointer { p in
      needle.withUnsafeBufferPointer { n in
        guard let base = p.baseAddress, let text = n.baseAddress, n.count > 0,
          let found = memmem(base, p.count, text, n.count)
        else { return nil }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
      }
    }
  }

  /// The place of a lower-case ASCII text, letters compared without case. For short inputs: error texts.
  package func firstRangeIgnoringCase(of text: StaticString) -> Int? {
    let n = text.utf8CodeUnitCount
    guard n > 0, count >= n else { return nil }
    for start in 0...(count - n) where extracting(start..<start + n).equalsIgnoringCase(text) { return start }
    return nil
  }

  /// A run of ASCII digits and nothing else; nil where it is empty or does not fit.
  @inlinable package var decimal: Int64? {
    guard count > 0, count <= 19 else { return nil }
    // So many digits are always within 64 bits without a sign.
    var value: UInt64 = 0
    for i in 0..<count {
      let digit = self[i] &- 48
      guard digit <= 9 else { return nil }
      value = value &* 10 &+ UInt64(digit)
    }
    return Int64(exactly: value)
  }

  /// The range without spaces and tabs at either end (OWS, RFC 9110 §5.6.3).
  @inlinable package func trimmed(_ range: Range<Int>) -> Range<Int> {
    var low = range.lowerBound
    var high = range.upperBound
    while low < high, self[low] == 32 || self[low] == 9 { low += 1 }
    while high > low, self[high - 1] == 32 || self[high - 1] == 9 { high -= 1 }
    return low..<high
  }

  /// A copy of the bytes.
  package var array: [UInt8] {
    withUnsafeBufferPointer { bytes in
      // Lifetime: into the new array's own memory, as long as the bytes. What the library has copies one by one.
      [UInt8](unsafeUninitializedCapacity: bytes.count) { copy, length in
        if let from = bytes.baseAddress, let to = copy.baseAddress { memcpy(to, from, bytes.count) }
        length = bytes.count
      }
    }
  }

  /// The bytes as text, ill-formed UTF-8 replaced. For messages and logs, never for decisions.
  package var text: String {
    withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }
}

extension UInt8 {
  @inlinable package var asciiLowercased: UInt8 { self &- 65 < 26 ? self | 32 : self }
  @inlinable package var isDigit: Bool { self &- 48 < 10 }
  /// The value of a hexadecimal digit.
  @inlinable package var hexValue: UInt8? {
    if isDigit { return self - 48 }
    let lower = asciiLowercased
    return lower &- 97 < 6 ? lower - 87 : nil
  }
}
