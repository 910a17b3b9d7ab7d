internal import Wire

/// Who is to blame for an answer with an error status: one row for each kind (SPEC 4, "Faults").
///
/// The first row decides that has the status and, where it names any, one of the words. What the words are is in
/// `ErrorTraits`, with where each was seen.
enum BlameTable {
  enum Ruling {
    case serverError, overloaded, starting, timedOut, redirected
    /// The account's rate or quota, until the time that the answer gives.
    case rate, quota
    case keyRejected, modelMissing, endpointMissing, modelLacksEndpoint
    case tooLong, requestRefused, unsuited, wrongTransport
    /// The client's own: as it came.
    case relay
  }

  struct Row {
    let statuses: ClosedRange<Int>
    let words: ErrorTraits
    let ruling: Ruling

    init(_ statuses: ClosedRange<Int>, _ ruling: Ruling) { self.init(statuses, saying: [], ruling) }

    init(_ statuses: ClosedRange<Int>, saying words: ErrorTraits, _ ruling: Ruling) {
      self.statuses = statuses
      self.words = words
      self.ruling = ruling
    }
  }

  static func ruling(status: Int, saying traits: ErrorTraits) -> Ruling {
    for row in rows
    where row.statuses.contains(status) && (row.words.isEmpty || !row.words.isDisjoint(with: traits)) {
      return row.ruling
    }
    return .relay
  }

  /// Made anew for each use: a constant whose only users are inlined into other modules comes out empty in the
  /// Embedded build (Swift 6.3).
  private static var rows: [Row] {
    [
      // Never followed: the key would go along (RFC 9110 §15.4).
      Row(300...399, .redirected),

      // How the provider is reached is its operator's to set, whatever the status. nginx's own are 495 to 497, which it
      // sends as 400.
      Row(400...499, saying: .wrongTransport, .wrongTransport),

      // Another provider, or another key, may have made it.
      Row(400...404, saying: .responseUnknown, .unsuited),

      // OpenRouter (openrouter.ai/docs/errors: 403 for a flagged input, 402 for more tokens than the credit pays
      // for), xAI. Before the rows of account and key, which the same statuses mean otherwise.
      Row(402...403, saying: .requestRefused, .requestRefused),
      // Together (docs.together.ai/docs/error-codes): 403 for input and max_tokens beyond the context.
      Row(403...403, saying: .contextTooLong, .tooLong),
      // OpenAI: a project without access to a model, 403 model_not_found; Groq: model_permission_blocked_org.
      Row(403...403, saying: .modelNotFound, .modelMissing),

      // Anthropic and OpenAI (400), Google (400, the place), OpenAI (403, the place), SiliconFlow (403),
      // Fireworks (412): a status of the request for what is the account's.
      Row(400...403, saying: .account, .quota),
      Row(412...412, saying: .account, .quota),
      Row(402...402, .quota),
      Row(401...401, .keyRejected),
      Row(403...403, .keyRejected),

      // OpenAI: a model that another endpoint has.
      Row(404...405, saying: .otherEndpoint, .modelLacksEndpoint),
      // A retired model is 404 or 410.
      Row(404...405, saying: .modelNotFound, .modelMissing),
      Row(410...410, .modelMissing),
      // No such path, or not for POST (RFC 9110 §15.5.5, §15.5.6): FastAPI's {"detail":"Not Found"}, Go's "404 page
      // not found", OpenAI's unknown_url. 501 is llama.cpp's for an endpoint that it was not started for.
      Row(404...405, .endpointMissing),
      Row(501...501, .endpointMissing),

      // Between us and the provider: its proxy wants a login, the host is not the one that was meant, TLS or another
      // version is wanted (RFC 9110 §15.5.8, §15.5.20, §15.5.22).
      Row(407...407, .serverError),
      Row(421...421, .serverError),
      Row(426...426, .serverError),
      Row(408...408, .timedOut),
      Row(413...413, .tooLong),

      // OpenAI: "Request too large for gpt-4o … on tokens per min (TPM): Limit 30000, Requested 30601".
      Row(429...429, saying: .requestTooLarge, .tooLong),
      Row(429...429, saying: [.quota, .daily], .quota),
      Row(429...429, .rate),

      // Groq (console.groq.com/docs/errors): 424 a dependency of its own, 498 no capacity, 499 it gave up. 425 Too
      // Early (RFC 8470 §5.2). AWS load balancers say 460 where they believe that the client left.
      Row(424...425, .serverError),
      Row(460...460, .serverError),
      Row(498...498, .overloaded),
      Row(499...499, .serverError),

      // The rest of 4xx, where the words say more than the status.
      Row(400...499, saying: .badKey, .keyRejected),
      Row(400...499, saying: .contextTooLong, .tooLong),
      Row(400...499, saying: .modelNotFound, .modelMissing),
      Row(400...499, saying: .degraded, .serverError),
      Row(400...499, saying: .toolUseFailed, .unsuited),
      Row(400...499, .relay),

      // llama.cpp: 503 "Loading model".
      Row(500...503, saying: .loading, .starting),
      // Anthropic: overloaded_error.
      Row(529...529, .overloaded),
      Row(500...999, .serverError),
    ]
  }
}
