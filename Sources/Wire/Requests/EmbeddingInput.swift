internal import Base

/// The one thing that a request for embeddings asks about: a text, or a list of tokens.
package struct EmbeddingInput: Equatable, Sendable {
  package enum Form: UInt8, Sendable { case text = 1, tokens }

  package let form: Form
  /// The value of `input` in the body, whose place a list of several takes.
  package let member: Range<Int>
  /// The text with its quotes, or the list of tokens with its brackets.
  package let value: Range<Int>
  /// What it counts of the tokens of a list: bytes of a text as it is written, or tokens.
  package let weight: Int

  /// Nil where it is not one input: none or several, something else (objects of other modalities), nothing (which
  /// providers refuse, and a whole list with it), or a body that says twice what it asks about.
  ///
  /// `"text"`, `["text"]`, `[1, 2]` (tokens, as OpenAI has it) and `[[1, 2]]` are one.
  package init?(_ probe: borrowing JSONProbe, in bytes: Span<UInt8>) {
    guard probe.count(of: "input", in: bytes) == 1, let input = probe.value(of: "input", in: bytes) else {
      return nil
    }
    var one = input
    if input.kind == .array {
      var cursor = JSONCursor(input)
      guard let first = cursor.next(bytes) else { return nil }
      if first.kind != .number {
        if cursor.next(bytes) != nil { return nil }
        one = first
      }
    }
    switch one.kind {
    case .string:
      form = .text
      weight = one.value.count - 2
    case .array:
      guard let tokens = bytes.jsonNumbers(in: one) else { return nil }
      form = .tokens
      weight = tokens
    case .object, .number, .bool, .null: return nil
    }
    if weight == 0 { return nil }
    member = input.value
    value = one.value
  }
}

extension Span<UInt8> {
  /// How many numbers an array has; nil where it has anything else.
  fileprivate func jsonNumbers(in array: JSONMember) -> Int? {
    var count = 0
    var cursor = JSONCursor(array)
    while let element = cursor.next(self) {
      if element.kind != .number { return nil }
      count += 1
    }
    return count
  }
}
