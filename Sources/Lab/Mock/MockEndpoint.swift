internal import Base

/// What a request to the mock is for, by the end of its path, so that any base URL works.
enum MockEndpoint: UInt8, Sendable {
  case chat, completions, embeddings, responses, messages, moderations, rerank
  case speech, transcriptions, images, countTokens
  case models, health, stats, last
  case unknown

  init(path: Span<UInt8>, isPost: Bool) {
    if isPost {
      if path.hasSuffix("/chat/completions") {
        self = .chat
      } else if path.hasSuffix("/completions") {
        self = .completions
      } else if path.hasSuffix("/embeddings") {
        self = .embeddings
      } else if path.hasSuffix("/responses") {
        self = .responses
      } else if path.hasSuffix("/messages") {
        self = .messages
      } else if path.hasSuffix("/moderations") {
        self = .moderations
      } else if path.hasSuffix("/rerank") {
        self = .rerank
      } else if path.hasSuffix("/count_tokens") || path.hasSuffix("/input_tokens") {
        self = .countTokens
      } else if path.hasSuffix("/audio/speech") {
        self = .speech
      } else if path.firstRange(of: "/audio/") != nil {
        self = .transcriptions
      } else if path.firstRange(of: "/images/") != nil {
        self = .images
      } else {
        self = .unknown
      }
    } else if path.hasSuffix("/models") {
      self = .models
    } else if path.equals("/health") {
      self = .health
    } else if path.equals("/mock/stats") {
      self = .stats
    } else if path.equals("/mock/last") {
      self = .last
    } else {
      self = .unknown
    }
  }

  /// Endpoints whose answers can be event streams.
  var canStream: Bool {
    switch self {
    case .chat, .completions, .responses, .messages: true
    case .embeddings, .moderations, .rerank, .speech, .transcriptions, .images, .countTokens, .models,
      .health,
      .stats, .last, .unknown:
      false
    }
  }
}

extension Span<UInt8> {
  func hasSuffix(_ text: StaticString) -> Bool {
    count >= text.utf8CodeUnitCount && extracting((count - text.utf8CodeUnitCount)..<count).equals(text)
  }
}
