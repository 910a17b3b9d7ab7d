internal import Base

/// A place that a request can be sent to, as its path names it. A closed set: targets and metrics are counted by it.
///
/// It holds what the clients of OpenAI, Anthropic, Cohere and Mistral post with a `model` in the body, and what vLLM
/// adds to that. What names no model (files, batches, fine-tuning) cannot be routed by one.
package enum Endpoint: UInt8, CaseIterable, Sendable {
  case chatCompletions, completions, fimCompletions, embeddings
  case responses, compactResponses, countInputTokens
  /// A response that a provider keeps: its name, and what is asked of it, stand behind.
  case storedResponse
  case messages, countMessageTokens
  case moderations, chatModerations, classifications, chatClassifications, decisions
  case rerank, score
  case imageGenerations, imageEdits, imageVariations
  case speech, transcriptions, translations
  case videos, videoEdits, videoExtensions
  case ocr
  case chat2, embed2, rerank2, parse2
  /// Asked for with an upgrade to WebSocket; the second has its path in common with `responses`.
  case realtime, responsesSocket

  fileprivate init?(path: Span<UInt8>) {
    var raw: UInt8 = 0
    while let endpoint = Endpoint(rawValue: raw) {
      if endpoint != .storedResponse, path.isPath(endpoint.name) {
        self = endpoint
        return
      }
      raw += 1
    }
    return nil
  }

  /// The path behind `/v1/`, or with a version of its own; logs name it so too.
  package var name: StaticString {
    switch self {
    case .chatCompletions: "chat/completions"
    case .completions: "completions"
    case .fimCompletions: "fim/completions"
    case .embeddings: "embeddings"
    case .responses: "responses"
    case .compactResponses: "responses/compact"
    case .countInputTokens: "responses/input_tokens"
    case .storedResponse: "responses/{id}"
    case .messages: "messages"
    case .countMessageTokens: "messages/count_tokens"
    case .moderations: "moderations"
    case .chatModerations: "chat/moderations"
    case .classifications: "classifications"
    case .chatClassifications: "chat/classifications"
    case .decisions: "decisions"
    case .rerank: "rerank"
    case .score: "score"
    case .imageGenerations: "images/generations"
    case .imageEdits: "images/edits"
    case .imageVariations: "images/variations"
    case .speech: "audio/speech"
    case .transcriptions: "audio/transcriptions"
    case .translations: "audio/translations"
    case .videos: "videos"
    case .videoEdits: "videos/edits"
    case .videoExtensions: "videos/extensions"
    case .ocr: "ocr"
    case .chat2: "v2/chat"
    case .embed2: "v2/embed"
    case .rerank2: "v2/rerank"
    case .parse2: "v2/parse"
    case .realtime: "realtime"
    // No path has a blank, so that it is not taken for one.
    case .responsesSocket: "responses (socket)"
    }
  }

  /// What it is put behind a base URL as.
  package var path: StaticString { self == .responsesSocket ? "responses" : name }

  /// The endpoint that an upgrade at this one's path asks for; nil: none.
  package var upgraded: Endpoint? {
    switch self {
    case .realtime: .realtime
    case .responses: .responsesSocket
    default: nil
    }
  }

  /// What follows an answer is another protocol, in both directions.
  package var isPipe: Bool { self == .realtime || self == .responsesSocket }

  /// The name has a version of its own, which stands in the place of the base URL's (Cohere's `/v2/rerank`).
  package var hasOwnVersion: Bool {
    switch self {
    case .chat2, .embed2, .rerank2, .parse2: true
    default: false
    }
  }

  /// What is asked for, however the path spells it.
  package enum Operation: UInt8, CaseIterable, Sendable {
    case chat, textCompletion, embeddings, tokenCount, moderation, classification, rerank, images, audio,
      videos, document
  }

  package var operation: Operation {
    switch self {
    case .chatCompletions, .responses, .compactResponses, .storedResponse, .messages, .chat2, .decisions,
      .realtime, .responsesSocket:
      .chat
    case .completions, .fimCompletions: .textCompletion
    case .embeddings, .embed2: .embeddings
    case .countInputTokens, .countMessageTokens: .tokenCount
    case .moderations, .chatModerations: .moderation
    case .classifications, .chatClassifications: .classification
    case .rerank, .score, .rerank2: .rerank
    case .imageGenerations, .imageEdits, .imageVariations: .images
    case .speech, .transcriptions, .translations: .audio
    case .videos, .videoEdits, .videoExtensions: .videos
    case .ocr, .parse2: .document
    }
  }

  /// Answers with JSON (or an event stream) only, so that anything else in a 200 is foreign: a captive
  /// portal's page, a CDN's apology. Speech is sound, and a transcript may be plain text.
  package var answersJSON: Bool { operation != .audio }

  /// The same request has the same answer: nothing is drawn by lot.
  package var isRepeatable: Bool {
    switch operation {
    case .embeddings, .tokenCount, .moderation, .classification, .rerank: true
    case .chat, .textCompletion, .images, .audio, .videos, .document: false
    }
  }

  /// Presets' edits are about the fields of chats and completions; elsewhere the same names mean other things.
  package var takesEdits: Bool { self == .chatCompletions || self == .completions }

  /// How a stream says that it is over.
  package enum StreamEnd: Sendable {
    /// `[DONE]`, or a choice's `finish_reason`.
    case doneOrFinish
    /// `message_stop`, `response.completed` and their kin.
    case terminalEvent
    /// With the transport, behind an event.
    case transport
  }

  package var streamEnd: StreamEnd {
    switch self {
    case .chatCompletions, .completions, .fimCompletions: .doneOrFinish
    case .responses, .storedResponse, .messages: .terminalEvent
    default: .transport
    }
  }

  /// How an error is told inside a stream that has begun.
  package var errorDialect: ErrorDialect {
    switch self {
    case .messages: .messages
    case .responses, .storedResponse: .responses
    default: .plain
    }
  }
}

/// What of a stored response is asked for, and so how.
package enum StoredResponse: Equatable, Sendable { case itself, cancellation, inputItems }

package enum ErrorDialect: Sendable { case plain, responses, messages }

/// What a request line asks for.
package enum RequestTarget: Equatable, Sendable {
  /// An exchange with a provider.
  case proxy(Endpoint)
  /// `/v1/responses/{id}`, `…/cancel` or `…/input_items`: the ranges are the name, and all behind `responses/`.
  case stored(name: Range<Int>, StoredResponse, Range<Int>)
  case models
  /// `/v1/models/{id}`: the range is the id, still percent-encoded, slashes included.
  case model(id: Range<Int>)
  /// `/providers/{name}/…`: what a provider is asked for as it is; ranges of its name and of the rest.
  case provider(name: Range<Int>, rest: Range<Int>)
  case liveness, readiness
  /// The page for people.
  case home
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
  /// compare exactly (RFC 3986 §6.2.2.1). Azure's client puts `deployments/NAME` before the endpoint: the body names
  /// the model too.
  package init(path: Span<UInt8>) {
    var end = path.count
    while end > 1, path[end - 1] == UInt8(ascii: "/") { end -= 1 }
    guard end > 0, path[0] == UInt8(ascii: "/") else {
      self = .none
      return
    }
    var start = min(path.behindSlashes(0), end)
    if let name = path.behind("providers", at: start, upTo: path.count) {
      let slash = path.behindSegment(name, upTo: path.count)
      if slash < path.count {
        // Its slashes are its own.
        self = .provider(name: name..<slash, rest: slash + 1..<path.count)
        return
      }
    }
    let own = Self.own(path.extracting(0..<end))
    if own != .none {
      self = own
      return
    }
    if let next = path.behind("openai", at: start, upTo: end) {
      start = next
      if let name = path.behind("deployments", at: start, upTo: end) {
        start = min(path.behindSlashes(path.behindSegment(name, upTo: end)), end)
      }
    }
    while let next = path.behind("v1", at: start, upTo: end) { start = next }
    let name = path.extracting(start..<end)
    if let endpoint = Endpoint(path: name) {
      self = .proxy(endpoint)
    } else if let place = path.behind("responses", at: start, upTo: end),
      let stored = Self.stored(path, place..<end)
    {
      self = stored
    } else if name.isPath("models") {
      self = .models
    } else if let id = path.behind("models", at: start, upTo: end) {
      self = .model(id: id..<end)
    } else {
      self = .none
    }
  }

  /// What is asked of a response: names are made of letters, digits, `_`, `-` and `.`, so that nothing else can be
  /// reached by one.
  private static func stored(_ path: Span<UInt8>, _ range: Range<Int>) -> RequestTarget? {
    let end = path.behindSegment(range.lowerBound, upTo: range.upperBound)
    let name = range.lowerBound..<end
    guard name.count <= Limits.responseName, path[name.lowerBound] != UInt8(ascii: ".") else { return nil }
    for at in name {
      switch path[at] {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
        continue
      default: return nil
      }
    }
    if end == range.upperBound { return .stored(name: name, .itself, range) }
    let rest = path.extracting(end..<range.upperBound)
    if rest.equals("/cancel") { return .stored(name: name, .cancellation, range) }
    if rest.equals("/input_items") { return .stored(name: name, .inputItems, range) }
    return nil
  }

  private static func own(_ path: Span<UInt8>) -> RequestTarget {
    if path.equals("/") { return .home }
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

  /// The end of the segment that begins at `start`.
  fileprivate func behindSegment(_ start: Int, upTo end: Int) -> Int {
    var at = start
    while at < end, self[at] != UInt8(ascii: "/") { at += 1 }
    return at
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
