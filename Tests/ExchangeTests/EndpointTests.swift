import Base
import Exchange
import Testing

@Suite struct EndpointTests {
  /// The target and, where it has one, the text of its range.
  private static func read(_ path: String) -> (RequestTarget, String) {
    let bytes = path.bytes
    let target = RequestTarget(path: bytes.span)
    switch target {
    case .proxy(_, let range), .model(let range), .admin(let range):
      return (target, String(decoding: bytes[range], as: UTF8.self))
    case .models, .liveness, .readiness, .metrics, .none: return (target, "")
    }
  }

  @Test(arguments: [
    ("/chat/completions", Endpoint.chatCompletions), ("/completions", .completions),
    ("/embeddings", .embeddings), ("/responses", .responses), ("/messages", .messages),
    ("/moderations", .moderations), ("/rerank", .rerank), ("/images/generations", .images),
    ("/images/edits", .images), ("/images/variations", .images), ("/audio/speech", .audio),
    ("/audio/transcriptions", .audio), ("/audio/translations", .audio),
  ])
  func endpoints(_ suffix: String, _ endpoint: Endpoint) {
    for prefix in ["/v1", "/openai/v1"] {
      for end in ["", "/"] {
        let (target, text) = Self.read(prefix + suffix + end)
        guard case .proxy(let found, _) = target else {
          Issue.record("\(prefix)\(suffix)\(end) is \(target)")
          continue
        }
        #expect(found == endpoint)
        #expect(text == suffix)
      }
    }
  }

  @Test(arguments: [
    ("/v1/models", RequestTarget.models), ("/openai/v1/models", .models), ("/v1/models/", .models),
    ("/health/liveness", .liveness), ("/livez", .liveness), ("/healthz", .liveness), ("/health", .liveness),
    ("/health/", .liveness), ("/health/readiness", .readiness), ("/readyz", .readiness),
    ("/metrics", .metrics), ("/", .none), ("", .none), ("/v1", .none), ("/v1/", .none), ("/v2/chat", .none),
    ("/openai/v1", .none), ("/openai/chat/completions", .none), ("/openai/openai/v1/models", .none),
    ("/v1/chat", .none), ("/v1/chat/completions/x", .none), ("/v1//chat/completions", .none),
    ("//v1/chat/completions", .none), ("/V1/chat/completions", .none), ("/v1/Chat/completions", .none),
    ("/v1/images", .none), ("/v1/images/", .none), ("/v1/images/a/b", .none), ("/v1/images/..", .none),
    ("/v1/images/%2e%2e", .none), ("/v1/audio/sp?eech", .none), ("/v1/audio/", .none),
    ("/v1/audio/a\0b", .none), ("/v1/images/" + String(repeating: "a", count: 33), .none),
    ("/admin", .none), ("/admin/", .none), ("/openai/health", .none), ("/openai/metrics", .none),
  ])
  func others(_ path: String, _ target: RequestTarget) {
    #expect(Self.read(path).0 == target)
  }

  @Test(arguments: [
    ("/v1/models/gpt-4", "gpt-4"), ("/v1/models/meta-llama/Llama-3.3", "meta-llama/Llama-3.3"),
    ("/openai/v1/models/a%2Fb", "a%2Fb"), ("/v1/models/a/", "a"), ("/v1/models/a//", "a/"),
  ])
  func oneModel(_ path: String, _ id: String) {
    let (target, text) = Self.read(path)
    guard case .model = target else {
      Issue.record("\(path) is \(target)")
      return
    }
    #expect(text == id)
  }

  @Test(arguments: [("/admin/health", "health"), ("/admin/providers/a/reset/", "providers/a/reset")])
  func admin(_ path: String, _ rest: String) {
    let (target, text) = Self.read(path)
    guard case .admin = target else {
      Issue.record("\(path) is \(target)")
      return
    }
    #expect(text == rest)
  }

  @Test func whatEndpointsAnswer() {
    let all: [Endpoint] = [
      .chatCompletions, .completions, .embeddings, .responses, .messages, .moderations, .rerank, .images,
      .audio,
    ]
    #expect(all.filter { !$0.answersJSON } == [.audio])
    #expect(all.filter(\.takesEdits) == [.chatCompletions, .completions])
    #expect(all.filter { $0.errorDialect == .messages } == [.messages])
    #expect(all.filter { $0.errorDialect == .responses } == [.responses])
  }
}
