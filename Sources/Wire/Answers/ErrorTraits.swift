internal import Base

/// What an error body says, in the words of the fault table.
package struct ErrorTraits: OptionSet, Hashable, Sendable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }
  /// Quota or billing, as far as a 429 goes: waiting a minute does not help.
  package static let quota = ErrorTraits(rawValue: 1)
  package static let modelNotFound = ErrorTraits(rawValue: 2)
  package static let contextTooLong = ErrorTraits(rawValue: 4)
  package static let badKey = ErrorTraits(rawValue: 8)
  package static let toolUseFailed = ErrorTraits(rawValue: 16)
  package static let degraded = ErrorTraits(rawValue: 32)
  /// A daily or monthly allowance is named; `quota` is set too.
  package static let daily = ErrorTraits(rawValue: 64)
  /// The account is out of money or allowance, or the place it is called from is not served, whatever the status.
  package static let account = ErrorTraits(rawValue: 128)
  /// This request is refused for what it says or how much it asks for; another may pass.
  package static let requestRefused = ErrorTraits(rawValue: 256)
  /// This one request is beyond a whole limit.
  package static let requestTooLarge = ErrorTraits(rawValue: 512)
  /// The model is there, and not at this endpoint.
  package static let otherEndpoint = ErrorTraits(rawValue: 1024)
  /// The server's port wants TLS, or TLS a certificate of ours: no request would do.
  package static let wrongTransport = ErrorTraits(rawValue: 2048)
  /// The server is starting, or loads the model.
  package static let loading = ErrorTraits(rawValue: 4096)
  /// It did not make the response that the request continues.
  package static let responseUnknown = ErrorTraits(rawValue: 8192)
}

extension ErrorTraits {
  /// Reads the words of an error, in lower case: its message, codes and types. `whole` is the body that they
  /// stand in.
  init(_ words: Span<UInt8>, whole: Span<UInt8>) {
    self = []
    for (text, trait) in Self.vocabulary where !contains(trait) && words.says(text) { insert(trait) }
    if words.says("model"), words.says("not found") || words.says("does not exist") || words.says("not_found")
    {
      insert(.modelNotFound)
    }
    // An account that is flagged is no request's fault.
    if words.says("flagged"), !words.says("your account"), !words.says("your organization"),
      !words.says("api key")
    {
      insert(.requestRefused)
    }
    formUnion(Self.quota(words, whole: whole))
  }

  /// What providers write, in lower case, and where that was seen.
  private static var vocabulary: [(StaticString, ErrorTraits)] {
    [
      // Groq: console.groq.com/docs/errors.
      ("tool_use_failed", .toolUseFailed),
      // NVIDIA: a 400 "DEGRADED function cannot be invoked".
      ("degraded", .degraded),
      // OpenAI, Google ("API key not valid", a 400), Anthropic.
      ("invalid_api_key", .badKey), ("api key not valid", .badKey), ("invalid api key", .badKey),
      ("incorrect api key", .badKey), ("api_key_invalid", .badKey), ("authentication_error", .badKey),
      ("invalid x-api-key", .badKey), ("api key expired", .badKey), ("invalid authentication", .badKey),
      ("wrong api key", .badKey),
      // OpenAI, Anthropic, llama.cpp ("exceed_context_size_error"), Together ("Input token count", a 403).
      ("context_length_exceeded", .contextTooLong), ("maximum context length", .contextTooLong),
      ("context window", .contextTooLong), ("context length", .contextTooLong),
      ("prompt is too long", .contextTooLong), ("too many tokens", .contextTooLong),
      ("input is too long", .contextTooLong), ("request too large", .contextTooLong),
      ("reduce the length", .contextTooLong), ("exceed_context_size", .contextTooLong),
      // OpenAI says 429 and Groq 413 to one request that is larger than what a whole minute allows.
      ("request too large", .requestTooLarge),
      // OpenAI, Groq, OpenRouter, the Hugging Face router, GitHub Models ("No access to model"), NVIDIA ("Function
      // '…': Not found for account", of models that the account may not use).
      ("model_not_found", .modelNotFound), ("model_decommissioned", .modelNotFound),
      ("unknown model", .modelNotFound), ("no such model", .modelNotFound),
      ("not a valid model", .modelNotFound), ("invalid model", .modelNotFound),
      ("no endpoints found", .modelNotFound), ("unsupported model", .modelNotFound),
      ("decommissioned", .modelNotFound), ("model_not_supported", .modelNotFound),
      ("model_permission_blocked", .modelNotFound), ("no access to model", .modelNotFound),
      ("not found for account", .modelNotFound),
      // OpenAI, with a 404: "only supported in v1/responses and not in v1/chat/completions", "not a chat model and
      // thus not supported in the v1/chat/completions endpoint".
      ("supported in v1/", .otherEndpoint), ("supported in the v1/", .otherEndpoint),
      ("not a chat model", .otherEndpoint),
      // llama.cpp: 503 "Loading model"; Hugging Face: 503 "Model … is currently loading".
      ("loading model", .loading), ("model is loading", .loading), ("currently loading", .loading),
      ("still loading", .loading), ("being loaded", .loading), ("warming up", .loading),
      ("starting up", .loading),
      // OpenAI: billing_hard_limit_reached with a 400.
      ("insufficient_quota", .account), ("billing_hard_limit", .account), ("billing hard limit", .account),
      // Anthropic, with a 400: "Your credit balance is too low to access the Anthropic API", "You have reached your
      // specified API usage limits. You will regain access on 2026-04-01 at 00:00 UTC."
      ("credit balance is too low", .account), ("regain access", .account),
      // DeepSeek (402), SiliconFlow ("Sorry, your account balance is insufficient", a 403), OpenRouter.
      ("insufficient balance", .account), ("insufficient_balance", .account),
      ("balance is insufficient", .account), ("insufficient credits", .account),
      ("payment required", .account),
      // Fireworks, with a 412: "Account … is suspended, possibly due to reaching the monthly spending limit".
      ("spending limit", .account), ("used all available credits", .account),
      // Alibaba's Model Studio, with a 400: Arrearage, "make sure your account is in good standing".
      ("arrearage", .account),
      // Google, with a 400 FAILED_PRECONDITION; OpenAI, with a 403.
      ("location is not supported", .account), ("unsupported_country_region", .account),
      ("country, region, or territory not supported", .account),
      // OpenRouter, with a 403: "requires moderation", guardrails, content_policy_violation; xAI: "Content violates
      // usage guidelines"; Azure and its kin: content_filter.
      ("moderation", .requestRefused), ("guardrail", .requestRefused), ("content policy", .requestRefused),
      ("content_policy", .requestRefused), ("content filter", .requestRefused),
      ("content_filter", .requestRefused), ("content violates", .requestRefused),
      // OpenAI and Azure, with a 400: "Previous response with id 'resp_…' not found."; vLLM, with a 404: "Response with
      // id '…' not found."
      ("previous_response_not_found", .responseUnknown), ("response with id", .responseUnknown),
      // nginx, with a page and a 400; Apache; Go's net/http, and so Caddy and Traefik; Tomcat.
      ("plain http request was sent to https port", .wrongTransport),
      ("no required ssl certificate was sent", .wrongTransport),
      ("the ssl certificate error", .wrongTransport),
      ("speaking plain http to an ssl-enabled server port", .wrongTransport),
      ("client sent an http request to an https server", .wrongTransport),
      ("combination of host and port requires tls", .wrongTransport),
      // OpenRouter, with a 402: "requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but
      // can only afford 27342", "Prompt tokens limit exceeded: 69120 > 36608".
      ("fewer max_tokens", .requestRefused), ("prompt tokens limit exceeded", .requestRefused),
    ]
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
    if words.saysAny("per day", "per month", "daily", "monthly") || words.saysAny("(rpd)", "(tpd)", "per-day")
      || whole.firstRange(of: "PerDay") != nil
    {
      return [.quota, .daily]  // 2
    }
    if words.saysAny("per minute", "per min", "per-minute", "(rpm)")
      || words.saysAny("(tpm)", "per second", "per hour") || whole.firstRange(of: "PerMinute") != nil
      || whole.firstRange(of: "\"retryDelay\"") != nil
    {
      return []  // 3
    }
    let isQuota =
      words.saysAny("billing", "credit", "quota exceeded", "current quota")
      || words.says("exceeded your quota")
    return isQuota ? .quota : []  // 4
  }
}

extension Span<UInt8> {
  fileprivate func says(_ text: StaticString) -> Bool { firstRange(of: text) != nil }

  fileprivate func saysAny(
    _ a: StaticString, _ b: StaticString, _ c: StaticString, _ d: StaticString = ""
  ) -> Bool {
    says(a) || says(b) || says(c) || (d.utf8CodeUnitCount > 0 && says(d))
  }
}
