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

  init?(path: Span<UInt8>) {
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

  /// An error inside is what once became of a response, and is no fault of who tells it now.
  package var tellsOfThePast: Bool { self == .storedResponse }

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

package enum ErrorDialect: Sendable { case plain, responses, messages }
