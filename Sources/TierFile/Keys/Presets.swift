package import Policy

/// What is known of a provider type before the file says anything (PROVIDERS.md). Limits change, so no numbers
/// of any provider's are in here.
package struct Preset: Sendable {
  package enum KeyNeed: Equatable, Sendable { case required, optional, none }
  /// The type as the file writes it, in lower case.
  package var name: String
  /// Other spellings, normalised (lower case, without `_`, `-` and blanks).
  package var spellings: [String] = []
  /// Where `{account_id}` or `{resource}` stands, the file's value is put in. nil: the file must say.
  package var endpoint: String?
  package var keyNeed = KeyNeed.required
  package var keyScheme = KeyScheme.bearer
  package var headers: [(name: String, value: String)] = []
  package var edits: [RequestEdit] = []
  package var quotaHeaders = QuotaHeaders.openAI
  package var quotaIsShared = false
  /// Hours east of UTC: what dates in its error messages mean that name no zone.
  package var zone: Int64 = 0
  package var isLocal = false

  /// The preset of a type as the file spells it.
  package static func named(_ type: String) -> Preset? {
    let wanted = Spelling.normalised(type)
    return all.first { $0.name == wanted || $0.spellings.contains(wanted) }
  }

  /// Types of the server edition that speak no OpenAI API: read, warned about and left out.
  static let serverOnly = ["antigravity", "githubcopilot", "duckduckgo", "aihorde", "kilocode", "opencode"]

  package static let all: [Preset] = [
    Preset(name: "openai", endpoint: "https://api.openai.com/v1"),
    Preset(name: "custom", spellings: ["openaicompatible", "generic"], endpoint: nil, keyNeed: .optional),
    Preset(
      name: "groq", endpoint: "https://api.groq.com/openai/v1",
      edits: drops("logprobs", "top_logprobs", "logit_bias", "messages[].name") + [onlyOne]),
    Preset(
      name: "together", spellings: ["togetherai"], endpoint: "https://api.together.xyz/v1",
      quotaHeaders: .together),
    Preset(
      name: "cloudflare", spellings: ["workersai", "cloudflareworkersai"],
      endpoint: "https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1",
      edits: [RequestEdit(path: "messages[].content", action: .replace("null", with: "\"\""))],
      quotaIsShared: true),
    Preset(name: "deepinfra", endpoint: "https://api.deepinfra.com/v1/openai"),
    Preset(
      name: "fireworks", spellings: ["fireworksai"], endpoint: "https://api.fireworks.ai/inference/v1"),
    Preset(
      name: "cohere", endpoint: "https://api.cohere.ai/compatibility/v1",
      edits: drops(
        "logit_bias", "logprobs", "top_logprobs", "n", "tools[].function.parameters.additionalProperties",
        "tools[].function.parameters.$schema"),
      quotaIsShared: true),
    Preset(
      name: "gemini", spellings: ["google", "googleai"],
      endpoint: "https://generativelanguage.googleapis.com/v1beta/openai"),
    Preset(
      name: "openrouter", endpoint: "https://openrouter.ai/api/v1", quotaHeaders: .plain, quotaIsShared: true),
    Preset(
      name: "nvidia", spellings: ["nvidianim", "nim"], endpoint: "https://integrate.api.nvidia.com/v1",
      quotaIsShared: true),
    Preset(name: "huggingface", spellings: ["hf"], endpoint: "https://router.huggingface.co/v1"),
    Preset(name: "sambanova", endpoint: "https://api.sambanova.ai/v1"),
    Preset(
      name: "cerebras", endpoint: "https://api.cerebras.ai/v1",
      edits: drops("frequency_penalty", "presence_penalty", "logit_bias"), quotaHeaders: .cerebras),
    Preset(
      name: "mistral", spellings: ["mistralai"], endpoint: "https://api.mistral.ai/v1",
      edits: [
        RequestEdit(path: "seed", action: .rename("random_seed")),
        RequestEdit(path: "max_completion_tokens", action: .rename("max_tokens")),
      ]
        + drops(
          "logit_bias", "logprobs", "top_logprobs", "user", "store", "service_tier", "stream_options")),
    Preset(
      name: "github", spellings: ["githubmodels"], endpoint: "https://models.github.ai/inference"),
    Preset(name: "siliconflow", endpoint: "https://api.siliconflow.com/v1"),
    Preset(name: "hyperbolic", endpoint: "https://api.hyperbolic.xyz/v1"),
    // "Your limit will reset at 2026-09-12 00:35:41" was 16:35:41 UTC of the day before, by its own usage page.
    Preset(
      name: "zai", spellings: ["z.ai", "zhipu", "bigmodel"], endpoint: "https://open.bigmodel.cn/api/paas/v4",
      zone: 8),
    Preset(name: "deepseek", endpoint: "https://api.deepseek.com/v1"),
    Preset(
      name: "pollinations", endpoint: "https://text.pollinations.ai/openai", keyNeed: .none, keyScheme: .none),
    // Its rate-limit headers may say 0 or −1 while it answers: none are believed.
    Preset(
      name: "azure", spellings: ["azureopenai"], endpoint: "https://{resource}.openai.azure.com/openai/v1",
      keyScheme: .header("api-key"), quotaHeaders: QuotaHeaders([])),
    Preset(
      name: "anthropic", spellings: ["claude"], endpoint: "https://api.anthropic.com/v1",
      keyScheme: .header("x-api-key"), headers: [(name: "anthropic-version", value: "2023-06-01")],
      quotaHeaders: .anthropic),
    Preset(
      name: "ollama", endpoint: "http://localhost:11434/v1", keyNeed: .none, keyScheme: .none, isLocal: true),
    Preset(
      name: "llamacpp", spellings: ["llama.cpp", "llamaserver"], endpoint: "http://localhost:8081/v1",
      keyNeed: .optional, isLocal: true),
    Preset(name: "vllm", endpoint: "http://localhost:8000/v1", keyNeed: .optional),
    Preset(
      name: "lmstudio", endpoint: "http://localhost:1234/v1", keyNeed: .none, keyScheme: .none, isLocal: true),
  ]

  private static func drops(_ paths: String...) -> [RequestEdit] {
    paths.map { RequestEdit(path: $0, action: .drop) }
  }

  private static let onlyOne = RequestEdit(path: "n", action: .dropUnless("1"))
}

extension QuotaHeaders {
  /// What OpenAI sends and most others copy.
  static let openAI = QuotaHeaders([
    Pair(remaining: "x-ratelimit-remaining-requests", reset: "x-ratelimit-reset-requests", unit: .requests),
    Pair(remaining: "x-ratelimit-remaining-tokens", reset: "x-ratelimit-reset-tokens", unit: .tokens),
  ])
  static let plain = QuotaHeaders([
    Pair(remaining: "x-ratelimit-remaining", reset: "x-ratelimit-reset", unit: .requests)
  ])
  static let together = QuotaHeaders([
    Pair(remaining: "x-ratelimit-remaining", reset: "x-ratelimit-reset", unit: .requests),
    Pair(remaining: "x-tokenlimit-remaining", reset: "x-ratelimit-reset", unit: .tokens),
  ])
  static let cerebras = QuotaHeaders([
    Pair(
      remaining: "x-ratelimit-remaining-requests-day", reset: "x-ratelimit-reset-requests-day",
      unit: .requests),
    Pair(
      remaining: "x-ratelimit-remaining-tokens-minute", reset: "x-ratelimit-reset-tokens-minute",
      unit: .tokens),
  ])
  static let anthropic = QuotaHeaders([
    Pair(
      remaining: "anthropic-ratelimit-requests-remaining", reset: "anthropic-ratelimit-requests-reset",
      unit: .requests),
    Pair(
      remaining: "anthropic-ratelimit-tokens-remaining", reset: "anthropic-ratelimit-tokens-reset",
      unit: .tokens),
    Pair(
      remaining: "anthropic-ratelimit-input-tokens-remaining",
      reset: "anthropic-ratelimit-input-tokens-reset",
      unit: .tokens),
    Pair(
      remaining: "anthropic-ratelimit-output-tokens-remaining",
      reset: "anthropic-ratelimit-output-tokens-reset", unit: .tokens),
  ])
}
