package import Base

// Reading single values of a text that `JSONProbe` has accepted, and writing strings.

extension Span<UInt8> {
  /// Whether the string between the quotes at `inner` says `text` once its escapes are decoded.
  package func jsonEquals(_ inner: Range<Int>, _ text: StaticString) -> Bool { false }
  /// Decodes a string value (with its quotes) into `out`, behind what is there. A lone surrogate becomes U+FFFD.
  package func jsonString(_ member: JSONMember, into out: inout ByteBuffer) -> Bool { false }
  /// A number without fraction or exponent that fits; nil for anything else.
  package func jsonInteger(_ member: JSONMember) -> Int64? { nil }
  package func jsonDouble(_ member: JSONMember) -> Double? { nil }
  package func jsonBool(_ member: JSONMember) -> Bool? { nil }
}

extension ByteBuffer {
  /// Writes bytes as a JSON string with quotes. Ill-formed UTF-8 becomes U+FFFD.
  package mutating func append(jsonString bytes: Span<UInt8>) {}
  package mutating func append(jsonString text: String) {}
}
