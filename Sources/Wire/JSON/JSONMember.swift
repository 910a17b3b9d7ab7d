/// Where and why a text is not JSON.
package struct JSONFault: Error, Hashable, Sendable {
  package enum Reason: UInt8, Sendable {
    case unexpectedEnd, unexpectedByte, trailingBytes, badLiteral, badNumber, badEscape, controlCharacter
    case badUTF8, tooDeep, tooManyMembers

    /// A short text for the error's message.
    package var text: StaticString {
      switch self {
      case .unexpectedEnd: "unexpected end"
      case .unexpectedByte: "unexpected character"
      case .trailingBytes: "text behind the value"
      case .badLiteral: "malformed literal"
      case .badNumber: "malformed number"
      case .badEscape: "malformed escape"
      case .controlCharacter: "control character in a string"
      case .badUTF8: "ill-formed UTF-8"
      case .tooDeep: "nested too deeply"
      case .tooManyMembers: "too many members"
      }
    }
  }
  /// The byte at which reading stopped.
  package var offset: Int
  package var reason: Reason

  package init(offset: Int, reason: Reason) {
    self.offset = offset
    self.reason = reason
  }
}

@frozen @usableFromInline
package enum JSONKind: UInt8, Sendable { case object, array, string, number, bool, null }

/// A member of an object or an element of an array, as ranges over the text.
@frozen @usableFromInline package struct JSONMember: Hashable, Sendable {
  /// Between the quotes, escapes not decoded; empty for an element.
  @usableFromInline package var key: Range<Int>
  /// The whole value: with quotes, braces or brackets, without white space around it.
  @usableFromInline package var value: Range<Int>
  @usableFromInline package var kind: JSONKind

  package init(key: Range<Int>, value: Range<Int>, kind: JSONKind) {
    self.key = key
    self.value = value
    self.kind = kind
  }

  /// A string's bytes between its quotes, escapes not decoded; nil for other kinds.
  package var inner: Range<Int>? {
    kind == .string ? value.lowerBound + 1..<value.upperBound - 1 : nil
  }
}
