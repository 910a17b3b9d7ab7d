package import Base

/// One quota of a response head: a `…remaining…` field and the `…reset…` field that belongs to it.
package struct QuotaReading: Hashable, Sendable {
  package var remaining: Quantity
  /// Nil where no field names it, or not believably.
  package var reset: Interval?
  /// Counted in tokens, else in requests.
  package var isTokens: Bool

  package init(remaining: Quantity, reset: Interval?, isTokens: Bool) {
    self.remaining = remaining
    self.reset = reset
    self.isTokens = isTokens
  }
}

extension RetryHints {
  /// Every quota that the head tells, in the order of its fields.
  ///
  /// Recognised by name: `ratelimit` or `tokenlimit` and `remaining` (`x-ratelimit-remaining-requests`,
  /// `anthropic-ratelimit-tokens-remaining`, `x-tokenlimit-remaining`, `ratelimit-remaining`). Its reset has
  /// the same name but for that word.
  package static func forEachQuota(
    _ head: ResponseHead, in raw: Span<UInt8>, now: WallTime, _ body: (QuotaReading) -> Void
  ) {
    for i in head.fields.indices {
      let name = raw.extracting(head.fields[i].name)
      guard let place = name.quotaWord("remaining"),
        let remaining = raw.extracting(head.fields[i].value).quantity
      else { continue }
      let before = name.extracting(0..<place)
      let behind = name.extracting(place + 9..<name.count)
      var reset: Interval?
      for other in head.fields.indices {
        let candidate = raw.extracting(head.fields[other].name)
        guard candidate.count == name.count - 4, let word = candidate.quotaWord("reset"), word == place,
          candidate.extracting(0..<word).equalsIgnoringCase(before),
          candidate.extracting(word + 5..<candidate.count).equalsIgnoringCase(behind)
        else { continue }
        reset = resetInterval(raw.extracting(head.fields[other].value), now: now)
      }
      body(
        QuotaReading(
          remaining: remaining, reset: reset, isTokens: name.firstRangeIgnoringCase(of: "token") != nil))
    }
  }

  /// The longest reset among quotas that are used up; nil where none is, or none names its reset.
  package static func exhaustedReset(_ head: ResponseHead, in raw: Span<UInt8>, now: WallTime) -> Interval? {
    var longest: Interval?
    forEachQuota(head, in: raw, now: now) { quota in
      guard quota.remaining == 0, let reset = quota.reset, reset > .zero else { return }
      if reset > longest ?? .zero { longest = reset }
    }
    return longest
  }
}

extension Span<UInt8> {
  /// The place of a word in the name of a rate-limit field.
  fileprivate func quotaWord(_ word: StaticString) -> Int? {
    guard count < 80,
      firstRangeIgnoringCase(of: "ratelimit") != nil || firstRangeIgnoringCase(of: "tokenlimit") != nil
    else { return nil }
    return firstRangeIgnoringCase(of: word)
  }

  /// Whether a field of that name tells when a quota is reset.
  var isReset: Bool { quotaWord("reset") != nil }
}
