package import Base

/// The tokens that an answer says it used. Nil where it was not said.
package struct TokenUsage: Hashable, Sendable {
  /// Of the prompt, what the provider had cached or has cached now included.
  package var input: Quantity? {
    get { told.map { $0 + (readApart ?? 0) + (writtenApart ?? 0) } }
    set { told = newValue }
  }
  package var output: Quantity?
  package var total: Quantity?
  /// The prompt as it was told. OpenAI includes what was cached, Anthropic tells that apart.
  private var told: Quantity?
  private var cachedWithin: Quantity?
  private var readApart: Quantity?
  private var writtenApart: Quantity?

  package init(input: Quantity? = nil, output: Quantity? = nil, total: Quantity? = nil) {
    told = input
    self.output = output
    self.total = total
  }
  /// Of the prompt, what the provider had cached.
  package var cached: Quantity? { cachedWithin ?? readApart }

  /// Tokens of request and answer together, as rates count them: without what was read from a cache and told apart.
  package var sum: Quantity? {
    if let total { return total }
    return isKnown ? (told ?? 0) + (writtenApart ?? 0) + (output ?? 0) : nil
  }

  package var isKnown: Bool { input != nil || output != nil || total != nil }

  /// Takes over what a later report says; what it leaves out stays (Anthropic tells the input at the start of
  /// a stream and the output at its end).
  package mutating func merge(_ later: TokenUsage) {
    told = later.told ?? told
    cachedWithin = later.cachedWithin ?? cachedWithin
    readApart = later.readApart ?? readApart
    writtenApart = later.writtenApart ?? writtenApart
    output = later.output ?? output
    total = later.total ?? total
  }

  /// Reads `usage` of an answer or an event: at the top, or in `response` (Responses API), `message`
  /// (Messages API) or `x_groq`.
  init(_ answer: borrowing JSONProbe, in bytes: Span<UInt8>) {
    self.init()
    for i in answer.members.indices {
      guard answer.members[i].kind == .object else { continue }
      let member = answer.members[i]
      if bytes.jsonEquals(member.key, "usage") {
        read(member, in: bytes)
      } else if bytes.jsonEquals(member.key, "response")
        || bytes.jsonEquals(member.key, "message") || bytes.jsonEquals(member.key, "x_groq"),
        let usage = bytes.jsonMember("usage", in: member)
      {
        read(usage, in: bytes)
      }
    }
  }

  /// Reads a `usage` object, in OpenAI's two spellings. What it leaves out stays.
  private mutating func read(_ usage: JSONMember, in bytes: Span<UInt8>) {
    guard usage.kind == .object else { return }
    var cursor = JSONCursor(usage)
    while let member = cursor.next(bytes) {
      guard let count = bytes.jsonQuantity(member) else {
        readDetails(member, in: bytes)
        continue
      }
      if bytes.jsonEquals(member.key, "prompt_tokens") || bytes.jsonEquals(member.key, "input_tokens") {
        told = count
      } else if bytes.jsonEquals(member.key, "completion_tokens")
        || bytes.jsonEquals(member.key, "output_tokens")
      {
        output = count
      } else if bytes.jsonEquals(member.key, "total_tokens") {
        total = count
      } else if bytes.jsonEquals(member.key, "cache_read_input_tokens") {
        readApart = count
      } else if bytes.jsonEquals(member.key, "cache_creation_input_tokens") {
        writtenApart = count
      } else if bytes.jsonEquals(member.key, "prompt_cache_hit_tokens") {
        // DeepSeek.
        cachedWithin = count
      }
    }
  }

  /// `prompt_tokens_details` of chats, `input_tokens_details` of responses.
  private mutating func readDetails(_ details: JSONMember, in bytes: Span<UInt8>) {
    guard details.kind == .object,
      bytes.jsonEquals(details.key, "prompt_tokens_details")
        || bytes.jsonEquals(details.key, "input_tokens_details"),
      let cached = bytes.jsonMember("cached_tokens", in: details)
    else { return }
    cachedWithin = bytes.jsonQuantity(cached) ?? cachedWithin
  }
}
