internal import Base

/// A place that a request can be sent to, as its path names it. A closed set: targets and metrics are counted by it.
package enum Endpoint: UInt8, CaseIterable, Sendable {
  case chatCompletions, completions, embeddings, responses, messages, moderations, rerank
  case imageGenerations, imageEdits, imageVariations
  case speech, transcriptions, translations

  fileprivate init?(path: Span<UInt8>) {
    var raw: UInt8 = 0
    while let endpoint = Endpoint(rawValue: raw) {
      if path.isPath(endpoint.name) {
        self = endpoint
        return
      }
      raw += 1
    }
    return nil
  }

  /// The path behind `/v1/`; logs name it so too.
  package var name: StaticString {
    switch self {
    case .chatCompletions: "chat/completions"
    case .completions: "completions"
    case .embeddings: "embeddings"
    case .responses: "responses"
    case .messages: "messages"
    case .moderations: "moderations"
    case .rerank: "rerank"
    case .imageGenerations: "images/generations"
    case .imageEdits: "images/edits"
    case .imageVariations: "images/variations"
    case .speech: "audio/speech"
    case .transcriptions: "audio/transcriptions"
    case .translations: "audio/translations"
    }
  }

  /// Answers with JSON (or an event stream) only, so that anything else in a 200 is foreign: a captive
  /// portal's page, a CDN's apology. Speech is sound, and a transcript may be plain text.
  package var answersJSON: Bool {
    switch self {
    case .chatCompletions, .completions, .embeddings, .responses, .messages, .moderations, .rerank,
      .imageGenerations, .imageEdits, .imageVariations:
      true
    case .speech, .transcriptions, .translations: false
    }
  }

  /// Presets' edits are about the fields of chats and completions; elsewhere the same names mean other things.
  package var takesEdits: Bool { self == .chatCompletions || self == .completions }

  /// How an error is told inside a stream that has begun.
  package var errorDialect: ErrorDialect {
    switch self {
    case .messages: .messages
    case .responses: .responses
    case .chatCompletions, .completions, .embeddings, .moderations, .rerank, .imageGenerations, .imageEdits,
      .imageVariations, .speech, .transcriptions, .translations:
      .plain
    }
  }
}

package enum ErrorDialect: Sendable { case plain, responses, messages }

/// What a request line asks for.
package enum RequestTarget: Equatable, Sendable {
  /// An exchange with a provider.
  case proxy(Endpoint)
  case models
  /// `/v1/models/{id}`: the range is the id, still percent-encoded, slashes included.
  case model(id: Range<Int>)
  case liveness, readiness
  case metrics
  /// `/admin/…`: the range is what follows `/admin/`.
  case admin(Range<Int>)
  case none
}

extension RequestTarget {
  /// Reads a path without its query.
  ///
  /// Endpoints and models stand behind `/v1`, behind `/openai/v1`, or at the root: SDKs are given all three as their
  /// base URL, with a slash at its end or `/v1` twice. Repeated slashes are one, and one at the end is none. Letters
  /// compare exactly (RFC 3986 §6.2.2.1).
  package init(path: Span<UInt8>) {
    var end = path.count
    while end > 1, path[end - 1] == UInt8(ascii: "/") { end -= 1 }
    guard end > 0, path[0] == UInt8(ascii: "/") else {
      self = .none
      return
    }
    var start = min(path.behindSlashes(0), end)
    let own = Self.own(path.extracting(0..<end))
    if own != .none {
      self = own
      return
    }
    if let next = path.behind("openai", at: start, upTo: end) { start = next }
    while let next = path.behind("v1", at: start, upTo: end) { start = next }
    let name = path.extracting(start..<end)
    if let endpoint = Endpoint(path: name) {
      self = .proxy(endpoint)
    } else if name.isPath("models") {
      self = .models
    } else if let id = path.behind("models", at: start, upTo: end) {
      self = .model(id: id..<end)
    } else {
      self = .none
    }
  }

  private static func own(_ path: Span<UInt8>) -> RequestTarget {
    if path.equals("/health/liveness") || path.equals("/livez") || path.equals("/healthz")
      || path.equals("/health")
    {
      return .liveness
    }
    if path.equals("/health/readiness") || path.equals("/readyz") { return .readiness }
    if path.equals("/metrics") { return .metrics }
    if path.hasPrefix("/admin/"), path.count > 7 { return .admin(7..<path.count) }
    return .none
  }
}

extension Span<UInt8> {
  /// The first place from `start` on that is no slash.
  fileprivate func behindSlashes(_ start: Int) -> Int {
    var at = start
    while at < count, self[at] == UInt8(ascii: "/") { at += 1 }
    return at
  }

  /// Behind a segment that stands at `start` and the slashes that follow it; nil where something else stands there,
  /// or nothing follows.
  fileprivate func behind(_ segment: StaticString, at start: Int, upTo end: Int) -> Int? {
    guard start < end, extracting(start..<end).hasPrefix(segment) else { return nil }
    let slash = start + segment.utf8CodeUnitCount
    guard slash < end, self[slash] == UInt8(ascii: "/") else { return nil }
    return behindSlashes(slash)
  }

  /// Whether this is that path, with slashes repeated or not.
  fileprivate func isPath(_ path: StaticString) -> Bool {
    var at = 0
    for i in 0..<path.utf8CodeUnitCount {
      guard at < count, self[at] == path.utf8Start[i] else { return false }
      at = path.utf8Start[i] == UInt8(ascii: "/") ? behindSlashes(at) : at + 1
    }
    return at == count
  }
}
