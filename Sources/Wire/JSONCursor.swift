package import Base

/// Walks the members of an object, or the elements of an array, in a text that `JSONProbe` has accepted.
package struct JSONCursor: Sendable {
  /// `container` is the range of an object's or an array's value. Anything else has no members.
  package init(_ container: Range<Int>) {}
  package init(_ member: JSONMember) {}

  package mutating func next(_ bytes: Span<UInt8>) -> JSONMember? { nil }
}

extension Span<UInt8> {
  /// The value of the last member with that key in the object at `object`.
  package func jsonMember(_ key: StaticString, in object: JSONMember) -> JSONMember? { nil }
}
