package import Base

/// Where and why a text is not JSON.
package struct JSONFault: Error, Hashable, Sendable {
  package enum Reason: UInt8, Sendable {
    case unexpectedEnd, unexpectedByte, trailingBytes, badLiteral, badNumber, badEscape, controlCharacter
    case badUTF8, tooDeep, tooManyMembers
  }
  /// The byte at which reading stopped.
  package var offset: Int
  package var reason: Reason
}

package enum JSONKind: UInt8, Sendable { case object, array, string, number, bool, null }

/// A member of an object or an element of an array, as ranges over the text.
package struct JSONMember: Hashable, Sendable {
  /// Between the quotes, escapes not decoded; empty for an element.
  package var key: Range<Int>
  /// The whole value: with quotes, braces or brackets, without white space around it.
  package var value: Range<Int>
  package var kind: JSONKind
}

/// Checks a whole JSON text (RFC 8259) and remembers where its top-level members are.
package struct JSONProbe: Sendable {
  /// The members of the outermost object, in order, duplicates kept.
  package private(set) var members: [JSONMember] = []
  /// The whole text's value.
  package private(set) var root = JSONMember(key: 0..<0, value: 0..<0, kind: .null)

  package init() {}

  package mutating func scan(_ bytes: Span<UInt8>) throws(JSONFault) {}

  /// The last member with that key (as Python, Go and JavaScript have it), escapes in keys decoded.
  package func value(of key: StaticString, in bytes: Span<UInt8>) -> JSONMember? { nil }
  /// How many members have that key.
  package func count(of key: StaticString, in bytes: Span<UInt8>) -> Int { 0 }
}
