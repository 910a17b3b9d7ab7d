internal import Base

/// A place that a request can be sent to, as its path names it: `/v1/…` or `/openai/v1/…`.
package enum Endpoint: Equatable, Sendable {
  case chatCompletions, completions, embeddings, responses, messages, moderations, rerank
  /// `images/` and one more segment: `generations`, `edits`, `variations`.
  case images
  /// `audio/` and one more segment: `speech`, `transcriptions`, `translations`.
  case audio

  /// As logs and metrics name it.
  package var name: StaticString {
    switch self {
    case .chatCompletions: "chat/completions"
    case .completions: "completions"
    case .embeddings: "embeddings"
    case .responses: "responses"
    case .messages: "messages"
    case .moderations: "moderations"
    case .rerank: "rerank"
    case .images: "images"
    case .audio: "audio"
    }
  }

  /// Answers with JSON (or an event stream) only, so that anything else in a 200 is foreign: a captive
  /// portal's page, a CDN's apology. Speech is sound, and a transcript may be plain text.
  package var answersJSON: Bool {
    switch self {
    case .chatCompletions, .completions, .embeddings, .responses, .messages, .moderations, .rerank, .images:
      true
    case .audio: false
    }
  }

  /// Presets' edits are about the fields of chats and completions; elsewhere the same names mean other things.
  package var takesEdits: Bool { self == .chatCompletions || self == .completions }

  /// How an error is told inside a stream that has begun.
  package var errorDialect: ErrorDialect {
    switch self {
    case .messages: .messages
    case .responses: .responses
    case .chatCompletions, .completions, .embeddings, .moderations, .rerank, .images, .audio: .plain
    }
  }
}

package enum ErrorDialect: Sendable { case plain, responses, messages }

/// What a request line asks for.
package enum RequestTarget: Equatable, Sendable {
  /// An exchange with a provider; the range is the path behind `/v1`, with its slash: `/chat/completions`.
  case proxy(Endpoint, suffix: Range<Int>)
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
  /// Reads a path without its query. A trailing slash makes no difference. Paths compare exactly, as RFC 3986
  /// §6.2.2.1 has it: nobody's SDK writes them otherwise.
  package init(path: Span<UInt8>) {
    var end = path.count
    if end > 1, path[end - 1] == UInt8(ascii: "/") { end -= 1 }
    var start = 0
    if path.hasPrefix("/openai/v1/") { start = 7 }
    let rest = path.extracting(start..<end)
    guard rest.hasPrefix("/v1/") else {
      self = Self.own(path.extracting(0..<end))
      return
    }
    let suffix = (start + 3)..<end
    let name = path.extracting((start + 4)..<end)
    if let endpoint = Self.endpoint(name) {
      self = .proxy(endpoint, suffix: suffix)
    } else if name.equals("models") {
      self = .models
    } else if name.hasPrefix("models/"), name.count > 7 {
      self = .model(id: (start + 11)..<end)
    } else {
      self = .none
    }
  }

  private static func endpoint(_ name: Span<UInt8>) -> Endpoint? {
    if name.equals("chat/completions") { return .chatCompletions }
    if name.equals("completions") { return .completions }
    if name.equals("embeddings") { return .embeddings }
    if name.equals("responses") { return .responses }
    if name.equals("messages") { return .messages }
    if name.equals("moderations") { return .moderations }
    if name.equals("rerank") { return .rerank }
    if name.hasPrefix("images/"), isSegment(name, from: 7) { return .images }
    if name.hasPrefix("audio/"), isSegment(name, from: 6) { return .audio }
    return nil
  }

  /// One path segment of unreserved letters: it is appended to a provider's URL as it stands.
  private static func isSegment(_ name: Span<UInt8>, from start: Int) -> Bool {
    guard name.count > start, name.count - start <= 32 else { return false }
    for i in start..<name.count {
      let byte = name[i]
      guard byte.asciiLowercased &- 97 < 26 || byte.isDigit || byte == 45 || byte == 95 else { return false }
    }
    return true
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
