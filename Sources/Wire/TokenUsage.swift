package import Base

/// The tokens that an answer says it used. Nil where it was not said.
package struct TokenUsage: Hashable, Sendable {
  package var input: Quantity?
  package var output: Quantity?
  package var total: Quantity?
  package init(input: Quantity? = nil, output: Quantity? = nil, total: Quantity? = nil) {
    self.input = input
    self.output = output
    self.total = total
  }
  package var isKnown: Bool { input != nil || output != nil || total != nil }

  /// Takes over what a later report says; what it leaves out stays (Anthropic tells the input at the start of
  /// a stream and the output at its end).
  package mutating func merge(_ later: TokenUsage) {
    input = later.input ?? input
    output = later.output ?? output
    total = later.total ?? total
  }

  /// Reads `usage` of an answer or an event: at the top, or in `response` (Responses API), `message`
  /// (Messages API) or `x_groq`.
  init(_ answer: borrowing JSONProbe, in bytes: Span<UInt8>) {
    self.init()
    for i in answer.members.indices {
      let member = answer.members[i]
      if bytes.jsonEquals(member.key, "usage") {
        merge(TokenUsage(usage: member, in: bytes))
      } else if member.kind == .object,
        bytes.jsonEquals(member.key, "response")
          || bytes.jsonEquals(member.key, "message") || bytes.jsonEquals(member.key, "x_groq"),
        let usage = bytes.jsonMember("usage", in: member)
      {
        merge(TokenUsage(usage: usage, in: bytes))
      }
    }
  }

  /// Reads the `usage` object, in OpenAI's two spellings.
  private init(usage: JSONMember, in bytes: Span<UInt8>) {
    self.init()
    guard usage.kind == .object else { return }
    var cursor = JSONCursor(usage)
    while let member = cursor.next(bytes) {
      guard let count = bytes.jsonQuantity(member) else { continue }
      if bytes.jsonEquals(member.key, "prompt_tokens") || bytes.jsonEquals(member.key, "input_tokens") {
        input = count
      } else if bytes.jsonEquals(member.key, "completion_tokens")
        || bytes.jsonEquals(member.key, "output_tokens")
      {
        output = count
      } else if bytes.jsonEquals(member.key, "total_tokens") {
        total = count
      }
    }
  }
}
