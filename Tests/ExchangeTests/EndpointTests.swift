import Base
import Exchange
import TestSupport
import Testing

@Suite struct EndpointTests {
  /// The target and, where it has one, the text of its range.
  private static func read(_ path: String) -> (RequestTarget, String) {
    let bytes = path.bytes
    let target = RequestTarget(path: bytes.span)
    switch target {
    case .model(let range), .admin(let range): return (target, String(decoding: bytes[range], as: UTF8.self))
    case .provider(let name, let rest):
      return (target, String(decoding: bytes[name.lowerBound..<rest.upperBound], as: UTF8.self))
    case .stored(let name, let wanted, let range):
      return (
        target,
        "\(String(decoding: bytes[name], as: UTF8.self)) \(wanted) \(String(decoding: bytes[range], as: UTF8.self))"
      )
    case .proxy, .models, .liveness, .readiness, .home, .metrics, .none: return (target, "")
    }
  }

  @Test(arguments: Endpoint.allCases.filter { $0 != .storedResponse && $0 != .responsesSocket })
  func endpoints(_ endpoint: Endpoint) {
    let name = String(describing: endpoint.name)
    for prefix in [
      "/v1", "/openai/v1", "", "/openai", "/", "//", "//v1", "/v1/", "/v1/v1", "/v1//v1/", "//openai//v1/v1",
    ] {
      for end in ["", "/", "//"] {
        #expect(Self.read("\(prefix)/\(name)\(end)").0 == .proxy(endpoint))
      }
    }
    let doubled = name.split(separator: "/").joined(separator: "//")
    #expect(Self.read("/v1/\(doubled)").0 == .proxy(endpoint))
    for other in [
      "/v1\(name)", "v1/\(name)", "/v1/\(name)x", "/v1/\(name)/x", "/x/\(name)", "/v1/openai/\(name)",
    ] {
      if case .stored = Self.read(other).0, name.hasPrefix("responses") { continue }
      #expect(Self.read(other).0 == .none)
    }
  }

  @Test(arguments: [
    ("/v1/responses/resp_1", "resp_1 itself resp_1"), ("/responses/a-B.9/", "a-B.9 itself a-B.9"),
    ("/openai/v1/responses/r/cancel", "r cancellation r/cancel"),
    ("//v1//responses//r/input_items/", "r inputItems r/input_items"),
  ])
  func stored(_ path: String, _ told: String) { #expect(Self.read(path).1 == told) }

  @Test(arguments: [
    "/v1/responses/r/cancel/x", "/v1/responses/r//cancel", "/v1/responses/r/items", "/v1/responses/.r",
    "/v1/responses/../files", "/v1/responses/r%20", "/v1/responses/r?x", "/v1/responses/{id}",
    "/v1/responses/\(String(repeating: "r", count: 257))", "/v1/x/responses/r",
  ])
  func nothingStored(_ path: String) { #expect(Self.read(path).0 == .none) }

  @Test(arguments: [
    ("/v1/models", RequestTarget.models), ("/openai/v1/models", .models), ("/v1/models/", .models),
    ("/models", .models), ("//v1//models//", .models),
    ("/health/liveness", .liveness), ("/livez", .liveness), ("/healthz", .liveness), ("/health", .liveness),
    ("/health/", .liveness), ("/health/readiness", .readiness), ("/readyz", .readiness),
    ("/metrics", .metrics), ("/", .home), ("//", .home), ("", .none), ("x", .none), ("/v1", .none),
    ("/v1/", .none), ("/v1/v1", .none), ("/v2/chat", .proxy(.chat2)), ("/v1/v2/chat", .proxy(.chat2)),
    ("/v2/chat/completions", .none), ("/v2/models", .none), ("/v1/messages/batches", .none),
    ("/openai/v1", .none), ("/openai/openai/v1/models", .none), ("/v1/openai/models", .none),
    ("/v1/chat", .none), ("/v1/chat/", .none), ("/v1/chat/completions/x", .none),
    ("/v1chat/completions", .none),
    ("/V1/chat/completions", .none), ("/v1/Chat/completions", .none), ("/v11/completions", .none),
    ("/v1/images", .none), ("/v1/images/", .none), ("/v1/images/a", .none), ("/v1/images/..", .none),
    ("/v1/images/%2e%2e", .none), ("/v1/audio/sp?eech", .none), ("/v1/audio/", .none),
    ("/v1/../v1/completions", .none), ("/v1/%63ompletions", .none),
    ("/admin", .none), ("/admin/", .none), ("/openai/health", .none), ("/openai/metrics", .none),
    ("/v1/health", .none), ("/v1/metrics", .none), ("/v1/admin/health", .none),
  ])
  func others(_ path: String, _ target: RequestTarget) {
    #expect(Self.read(path).0 == target)
  }

  /// A provider's own API: what stands behind the name is left as it is.
  @Test(arguments: [
    ("/providers/groq/files", "groq/files"), ("/providers/groq/", "groq/"),
    ("//providers//groq//a//", "groq//a//"),
    ("/providers/a%2Fb/..", "a%2Fb/.."),
  ])
  func providers(_ path: String, _ text: String) {
    let (target, read) = Self.read(path)
    #expect(read == text)
    guard case .provider(let name, _) = target else {
      Issue.record("it is no provider's")
      return
    }
    #expect(!Array(path.utf8)[name].contains(UInt8(ascii: "/")))
  }

  @Test(arguments: ["/providers", "/providers/", "/providers/groq", "/v1/providers/groq/files"])
  func noProviders(_ path: String) { #expect(Self.read(path).0 == .none) }

  /// The client of Azure names the model in the path too.
  @Test func azure() {
    #expect(Self.read("/openai/deployments/gpt-4/chat/completions").0 == .proxy(.chatCompletions))
    #expect(Self.read("/openai/deployments/a%2Fb//embeddings/").0 == .proxy(.embeddings))
    for path in ["", "/", "/m", "/m/", "/m/models2"] {
      #expect(Self.read("/openai/deployments" + path).0 == .none)
    }
    #expect(Self.read("/v1/deployments/m/chat/completions").0 == .none)
  }

  @Test(arguments: [
    ("/v1/models/gpt-4", "gpt-4"), ("/v1/models/meta-llama/Llama-3.3", "meta-llama/Llama-3.3"),
    ("/openai/v1/models/a%2Fb", "a%2Fb"), ("/v1/models/a/", "a"), ("/v1/models/a//", "a"),
    ("/models/a", "a"), ("//v1//models//a//b", "a//b"),
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
    let all = Endpoint.allCases
    #expect(all.filter { !$0.answersJSON } == [.speech, .transcriptions, .translations])
    #expect(all.filter(\.takesEdits) == [.chatCompletions, .completions])
    #expect(all.filter(\.hasOwnVersion) == [.chat2, .embed2, .rerank2, .parse2])
    #expect(
      all.filter { $0.streamEnd == .doneOrFinish } == [.chatCompletions, .completions, .fimCompletions])
    #expect(all.filter { $0.streamEnd == .terminalEvent } == [.responses, .storedResponse, .messages])
    #expect(all.filter { $0.errorDialect == .messages } == [.messages])
    #expect(all.filter { $0.errorDialect == .responses } == [.responses, .storedResponse])
  }
}
