internal import Base

/// What an error body says, in the words of the fault table.
package struct ErrorTraits: OptionSet, Hashable, Sendable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }
  /// Quota or billing: waiting a minute does not help.
  package static let quota = ErrorTraits(rawValue: 1)
  package static let modelNotFound = ErrorTraits(rawValue: 2)
  package static let contextTooLong = ErrorTraits(rawValue: 4)
  package static let badKey = ErrorTraits(rawValue: 8)
  package static let toolUseFailed = ErrorTraits(rawValue: 16)
  package static let degraded = ErrorTraits(rawValue: 32)
  /// A daily or monthly allowance is named; `quota` is set too.
  package static let daily = ErrorTraits(rawValue: 64)
}

/// An error body of a provider, read for the fault table and for the log.
///
/// The shapes: OpenAI's `{error: {message, type, code}}`, the same in an array (Gemini), `{error: "text"}`,
/// `{errors: [{message}]}` (Cloudflare), `{title, detail}` (RFC 9457, NVIDIA), `{message}`, an HTML page's title, and
/// plain text.
package struct ErrorBody: Sendable {
  package private(set) var traits: ErrorTraits = []
  package private(set) var isJSON = false
  /// At most `Limits.errorMessage` bytes of valid UTF-8 without control characters and without what looks
  /// like a key.
  package private(set) var message: [UInt8] = []

  package init(_ body: Span<UInt8>) {
    let whole = body.extracting(0..<min(body.count, Limits.errorBody))
    var probe = JSONProbe()
    var text = ByteBuffer()
    var words = ByteBuffer()
    do throws(JSONFault) {
      try probe.scan(whole)
      isJSON = true
      Self.collect(probe.root, in: whole, message: &text, words: &words)
    } catch {
      text.append(whole.extracting(0..<min(whole.count, Limits.errorText)))
    }
    words.append(text.bytes.extracting(0..<min(text.count, Limits.errorText)))
    traits = Self.traits(words.bytes, whole: whole)
    if !isJSON, let title = PageTitle.find(in: whole) {
      message = PublicText.sanitised(whole.extracting(title), limit: Limits.errorMessage)
    } else {
      message = PublicText.sanitised(text.bytes, limit: Limits.errorMessage)
    }
  }

  /// Decodes the message, and into `words` the codes and types beside it.
  private static func collect(
    _ root: JSONMember, in bytes: Span<UInt8>, message: inout ByteBuffer, words: inout ByteBuffer
  ) {
    var object = root
    // Down through what may wrap the error, at most three steps: [ {error: {…}} ].
    for _ in 0..<3 {
      if object.kind == .array {
        var cursor = JSONCursor(object)
        guard let first = cursor.next(bytes) else { return }
        object = first
      } else if let inner = bytes.jsonMember("error", in: object) ?? bytes.jsonMember("errors", in: object),
        inner.kind == .object || inner.kind == .array || inner.kind == .string
      {
        collectNames(object, in: bytes, into: &words)
        object = inner
      }
    }
    if bytes.jsonString(object, into: &message) { return }
    collectNames(object, in: bytes, into: &words)
    let keys: [StaticString] = ["message", "detail", "title", "msg", "error_description"]
    for key in keys {
      guard let member = bytes.jsonMember(key, in: object) else { continue }
      if message.isEmpty {
        _ = bytes.jsonString(member, into: &message)
      } else {
        _ = bytes.jsonString(member, into: &words)
        words.append(UInt8(ascii: "\n"))
      }
    }
  }

  private static func collectNames(_ object: JSONMember, in bytes: Span<UInt8>, into words: inout ByteBuffer)
  {
    let keys: [StaticString] = ["code", "type", "status", "error_code"]
    for key in keys {
      guard let member = bytes.jsonMember(key, in: object), bytes.jsonString(member, into: &words) else {
        continue
      }
      words.append(UInt8(ascii: "\n"))
    }
  }

  private static func traits(_ words: Span<UInt8>, whole: Span<UInt8>) -> ErrorTraits {
    var traits: ErrorTraits = []
    if words.saysAny("tool_use_failed") { traits.insert(.toolUseFailed) }
    if words.saysAny("degraded") { traits.insert(.degraded) }
    if words.saysAny(
      "invalid_api_key", "api key not valid", "invalid api key", "incorrect api key", "api_key_invalid")
      || words.saysAny(
        "authentication_error", "invalid x-api-key", "api key expired", "invalid authentication",
        "wrong api key")
    {
      traits.insert(.badKey)
    }
    if words.saysAny(
      "context_length_exceeded", "maximum context length", "context window", "context length",
      "prompt is too long")
      || words.saysAny(
        "too many tokens", "input is too long", "request too large", "reduce the length",
        "exceed_context_size")
    {
      traits.insert(.contextTooLong)
    }
    if words.saysAny(
      "model_not_found", "model_decommissioned", "unknown model", "no such model", "not a valid model")
      || words.saysAny("invalid model", "no endpoints found", "unsupported model", "decommissioned")
      || words.saysAny("model") && words.saysAny("not found", "does not exist", "not_found")
    {
      traits.insert(.modelNotFound)
    }
    traits.formUnion(quota(words, whole: whole))
    return traits
  }

  /// Tells a quota from a rate:
  /// 1. a code that means billing and nothing else: quota,
  /// 2. a day or a month is named, also in the names of Gemini's quotas: quota, daily,
  /// 3. a minute is named, or a short delay given: a rate, though Gemini speaks of quota and billing there too,
  /// 4. the words of quota and billing: quota.
  private static func quota(_ words: Span<UInt8>, whole: Span<UInt8>) -> ErrorTraits {
    if words.saysAny("insufficient_quota", "insufficient_balance", "insufficient balance", "payment required")
    {
      return .quota  // 1
    }
    if words.saysAny("per day", "per month", "daily", "monthly", "(rpd)") || words.saysAny("(tpd)", "per-day")
      || whole.firstRange(of: "PerDay") != nil
    {
      return [.quota, .daily]  // 2
    }
    if words.saysAny("per minute", "per min", "per-minute", "(rpm)", "(tpm)")
      || words.saysAny("per second", "per hour") || whole.firstRange(of: "PerMinute") != nil
      || whole.firstRange(of: "\"retryDelay\"") != nil
    {
      return []  // 3
    }
    let isQuota = words.saysAny("billing", "credit", "quota exceeded", "current quota", "exceeded your quota")
    return isQuota ? .quota : []  // 4
  }
}

extension Span<UInt8> {
  /// Whether one of some lower-case texts occurs, in any case.
  fileprivate func saysAny(
    _ a: StaticString, _ b: StaticString = "", _ c: StaticString = "", _ d: StaticString = "",
    _ e: StaticString = ""
  ) -> Bool {
    // An empty text is nowhere.
    firstRangeIgnoringCase(of: a) != nil || firstRangeIgnoringCase(of: b) != nil
      || firstRangeIgnoringCase(of: c) != nil || firstRangeIgnoringCase(of: d) != nil
      || firstRangeIgnoringCase(of: e) != nil
  }
}
