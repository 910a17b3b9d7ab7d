import Base
import Exchange
import Policy
import TestSupport
import Testing
import Wire

/// The fault table of SPEC 4, from the bytes of answers.
@Suite struct JudgeTests {
  private static let now = Moment(
    instant: Instant(nanoseconds: 77_000_000_000), wall: WallTime(milliseconds: 1_700_000_000_000))
  private static func after(_ seconds: Int64) -> Instant { now.instant + .seconds(seconds) }

  private enum Look { case whole, beginning, stream }

  private static func judge(
    _ look: Look, _ head: String, _ body: String, endpoint: Endpoint = .chatCompletions,
    hasHeadOut: Bool = false
  ) -> Verdict {
    let raw = ("HTTP/1.1 " + head + "\r\n\r\n").bytes
    let body = body.bytes
    var parsed = ResponseHead()
    parsed.parse(raw.span)
    let isEventStream = head.contains("text/event-stream")
    var observer = EventStreamObserver()
    if isEventStream {
      observer.observe(body.span)
      if look == .whole { observer.finish() }
    }
    let catalog = Scene([provider("a")]).catalog
    let shape = ExchangeShape(
      endpoint: endpoint, wantsStream: isEventStream, route: Scene.route(catalog), timeouts: TimeoutSettings()
    )
    let answer = Answer(head: parsed, raw: raw.span, body: body.span, isEventStream: isEventStream)
    switch look {
    case .whole:
      return Judge.whole(
        answer, sawError: observer.sawErrorFrame, hasHeadOut: hasHeadOut, shape: shape, now: now)
    case .beginning: return Judge.beginning(answer, hasHeadOut: hasHeadOut, shape: shape, now: now)
    case .stream: return Judge.stream(answer, sawError: observer.sawErrorFrame, shape: shape, now: now)
    }
  }

  /// A response that failed is what was asked for; an error that is no response is one.
  @Test func whatAResponseOnceFailedOfIsNoFault() {
    let failed =
      #"{"id":"r","object":"response","status":"failed","error":{"code":"server_error","message":"x"}}"#
    let event = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":\(failed)}\n\n"
    #expect(Self.judge(.whole, "200 OK", failed, endpoint: .storedResponse) == .good)
    #expect(
      Self.judge(.whole, "200 OK\r\nContent-Type: text/event-stream", event, endpoint: .storedResponse)
        == .good)
    #expect(
      Self.judge(.stream, "200 OK\r\nContent-Type: text/event-stream", event, endpoint: .storedResponse)
        == .good)
    #expect(Self.judge(.whole, "200 OK", failed, endpoint: .responses) != .good)
    #expect(Self.judge(.whole, "200 OK", #"{"error":{"message":"x"}}"#, endpoint: .storedResponse) != .good)
    #expect(
      Self.judge(.whole, "200 OK\r\nContent-Type: text/event-stream", "", endpoint: .storedResponse)
        == .fault(.emptyStream))
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var head: String
    var body: String
    var verdict: Verdict
    init(_ head: String, _ body: String, _ verdict: Verdict) {
      self.head = head
      self.body = body
      self.verdict = verdict
    }
    var testDescription: String { "\(head) \(body.prefix(60))" }
  }

  @Test(arguments: [
    // How the provider is reached is not the client's fault.
    Row(
      "400 Bad", "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
      .fault(.tls)),
    Row("400 Bad", "<html><title>400 No required SSL certificate was sent</title></html>", .fault(.tls)),
    Row("400 Bad", "Client sent an HTTP request to an HTTPS server.\n", .fault(.tls)),
    Row("400 Bad", "<html><title>400 Bad Request</title></html>", .relay),
    // 429: rate or quota, and until when.
    Row("429 Too Many", #"{"error":{"message":"Rate limit reached"}}"#, .fault(.rate(until: nil))),
    Row("429 Too Many", "", .fault(.rate(until: nil))),
    Row("429 Too Many", "<html>slow down</html>", .fault(.rate(until: nil))),
    Row("429 X\r\nRetry-After: 30", "{}", .fault(.rate(until: after(30)))),
    Row("429 X\r\nretry-after-ms: 2500", "{}", .fault(.rate(until: now.instant + .milliseconds(2500)))),
    Row(
      "429 X\r\nRetry-After: Tue, 14 Nov 2023 22:14:20 GMT", "{}", .fault(.rate(until: after(60)))),
    Row(
      "429 X\r\nx-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 6m0s", "{}",
      .fault(.rate(until: after(360)))),
    Row(
      "429 X", #"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"17s"}]}}]"#,
      .fault(.rate(until: after(17)))),
    Row(
      "429 X", #"{"error":{"message":"Limit 30 per minute. Please try again in 7.5s."}}"#,
      .fault(.rate(until: now.instant + .milliseconds(7500)))),
    Row("429 X", #"{"error":{"code":"insufficient_quota"}}"#, .fault(.quota(until: nil))),
    Row(
      "429 X\r\nRetry-After: 9", #"{"error":{"message":"Limit: 100 requests per day"}}"#,
      .fault(.quota(until: after(9)))),
    Row("429 X", #"{"error":{"message":"You exceeded your current quota"}}"#, .fault(.quota(until: nil))),
    Row(
      "429 X", #"{"error":{"message":"You exceeded your current quota. Please retry in 47.5s."}}"#,
      .fault(.quota(until: now.instant + .milliseconds(47_500)))),
    Row(
      "429 X", #"{"error":{"code":"1308","message":"Your limit will reset at 2023-11-14 22:14:20"}}"#,
      .fault(.rate(until: after(60)))),
    Row(
      "400 X",
      #"{"error":{"message":"You have reached your specified API usage limits. You will regain access on 2023-11-15 at 00:00 UTC."}}"#,
      .fault(.quota(until: after(6400)))),
    Row("402 Payment Required", "{}", .fault(.quota(until: nil))),
    Row("402 Payment Required\r\nRetry-After: 60", "", .fault(.quota(until: after(60)))),
    // The key.
    Row("401 Unauthorized", "{}", .fault(.keyRejected)),
    Row("403 Forbidden", "<html>", .fault(.keyRejected)),
    Row(
      "400 X", #"[{"error":{"message":"API key not valid. Please pass a valid one"}}]"#, .fault(.keyRejected)),
    // The model.
    Row("404 X", #"{"error":{"code":"model_not_found"}}"#, .fault(.modelMissing)),
    Row("404 X", #"{"error":"model 'x' not found"}"#, .fault(.modelMissing)),
    Row(
      "404 X", #"{"status":404,"detail":"Function 'f': Not found for account 'a'"}"#, .fault(.modelMissing)),
    Row(
      "403 X", #"{"error":{"message":"Project `p` does not have access","code":"model_not_found"}}"#,
      .fault(.modelMissing)),
    Row("403 X", #"{"error":{"code":"no_access","message":"No access to model: m"}}"#, .fault(.modelMissing)),
    Row("410 Gone", "", .fault(.modelMissing)),
    // The endpoint.
    Row("404 X", "404 page not found", .fault(.endpointMissing)),
    Row("404 X", "", .fault(.endpointMissing)), Row("404 X", "<html>nginx</html>", .fault(.endpointMissing)),
    Row("404 X", #"{"detail":"Not Found"}"#, .fault(.endpointMissing)),
    Row(
      "404 X", #"{"error":{"message":"Unknown request URL: POST /v1/x","code":"unknown_url"}}"#,
      .fault(.endpointMissing)),
    Row("405 X", "", .fault(.endpointMissing)),
    Row("405 X", #"{"detail":"Method Not Allowed"}"#, .fault(.endpointMissing)),
    Row(
      "501 X", #"{"error":{"code":501,"message":"This server does not support embeddings."}}"#,
      .fault(.endpointMissing)),
    Row(
      "404 X",
      #"{"error":{"message":"This model is only supported in v1/responses and not in v1/chat/completions."}}"#,
      .fault(.modelLacksEndpoint)),
    Row(
      "404 X",
      #"{"error":{"message":"This is not a chat model and thus not supported in the v1/chat/completions endpoint."}}"#,
      .fault(.modelLacksEndpoint)),
    // This request.
    Row(
      "403 X",
      #"{"error":{"code":403,"message":"openai/gpt-4o requires moderation and your input was flagged for "violence""}}"#,
      .fault(.requestRefused)),
    Row(
      "403 X", #"{"error":{"message":"Blocked","code":"content_policy_violation"}}"#, .fault(.requestRefused)),
    Row("403 X", #"{"error":"Content violates usage guidelines."}"#, .fault(.requestRefused)),
    Row(
      "402 X",
      #"{"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 65535 tokens, but can only afford 27342.","code":402}}"#,
      .fault(.requestRefused)),
    Row(
      "402 X", #"{"error":{"message":"Prompt tokens limit exceeded: 69120 > 36608."}}"#,
      .fault(.requestRefused)),
    Row("403 X", #"{"error":{"message":"Your account was flagged."}}"#, .fault(.keyRejected)),
    Row("403 X", #"{"error":{"message":"This API key was flagged as leaked."}}"#, .fault(.keyRejected)),
    Row(
      "403 X", #"{"error":{"message":"Input token count + max_tokens exceeds the context length"}}"#,
      .fault(.tooLong)),
    Row(
      "429 X",
      #"{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 30601.","type":"tokens","code":"rate_limit_exceeded"}}"#,
      .fault(.tooLong)),
    // The account, or the place.
    Row(
      "400 X",
      #"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
      .fault(.quota(until: nil))),
    Row("400 X", #"{"error":{"code":"billing_hard_limit_reached"}}"#, .fault(.quota(until: nil))),
    Row(
      "400 X",
      #"[{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}]"#,
      .fault(.quota(until: nil))),
    Row(
      "403 X",
      #"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported"}}"#,
      .fault(.quota(until: nil))),
    Row(
      "403 X", #"{"code":30001,"message":"Sorry, your account balance is insufficient"}"#,
      .fault(.quota(until: nil))),
    Row(
      "412 X",
      #"{"error":{"message":"Account x is suspended, possibly due to reaching the monthly spending limit"}}"#,
      .fault(.quota(until: nil))),
    Row(
      "400 X", #"{"error":{"code":"Arrearage","message":"make sure your account is in good standing"}}"#,
      .fault(.quota(until: nil))),
    Row("412 X", "", .relay),
    Row("400 X", #"{"error":{"message":"The model `x` does not exist"}}"#, .fault(.modelMissing)),
    Row("400 X", #"{"error":{"code":"model_decommissioned"}}"#, .fault(.modelMissing)),
    Row("400 X", #"{"error":{"message":"Previous response with id 'r' not found."}}"#, .fault(.unsuited)),
    Row("404 X", #"{"error":{"message":"Response with id 'r' not found."}}"#, .fault(.unsuited)),
    // The length.
    Row("413 X", "", .fault(.tooLong)),
    Row("413 X", #"{"error":{"message":"Request too large for model"}}"#, .fault(.tooLong)),
    Row("400 X", #"{"error":{"code":"context_length_exceeded"}}"#, .fault(.tooLong)),
    Row("400 X", #"{"message":"This model's maximum context length is 8192 tokens"}"#, .fault(.tooLong)),
    // Told as the client's, but the provider's own.
    Row("400 X", #"{"title":"Bad Request","detail":"Function is DEGRADED"}"#, .fault(.serverError)),
    Row("400 X", #"{"error":{"code":"tool_use_failed"}}"#, .fault(.unsuited)),
    // The client's.
    Row("400 X", #"{"error":{"message":"temperature must be at most 2"}}"#, .relay),
    Row("400 X", "", .relay), Row("409 Conflict", "{}", .relay), Row("415 X", "", .relay),
    Row("418 X", "tea", .relay),
    Row("422 X", #"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, .relay),
    Row("451 X", "", .relay), Row("423 X", "", .relay), Row("431 X", "", .relay),
    // The provider's.
    Row("408 X", "", .fault(.timedOut)), Row("500 X", "{}", .fault(.serverError)),
    Row("502 X", "<html>", .fault(.serverError)), Row("503 X\r\nRetry-After: 5", "", .fault(.serverError)),
    Row(
      "503 X", #"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
      .fault(.starting)),
    Row("503 X", #"{"error":"Model x is currently loading","estimated_time":20.0}"#, .fault(.starting)),
    Row("500 X", #"{"error":"the model is still loading"}"#, .fault(.starting)),
    Row("504 X", #"{"error":"Loading model"}"#, .fault(.serverError)),
    Row("504 X", "", .fault(.serverError)), Row("520 X", "", .fault(.serverError)),
    Row("529 X", #"{"type":"error","error":{"type":"overloaded_error"}}"#, .fault(.overloaded)),
    Row("424 X", "{}", .fault(.serverError)), Row("425 X", "", .fault(.serverError)),
    Row("460 X", "", .fault(.serverError)), Row("499 X", "", .fault(.serverError)),
    Row("498 X", #"{"error":{"code":"capacity_exceeded"}}"#, .fault(.overloaded)),
    Row("407 X", "", .fault(.serverError)), Row("421 X", "", .fault(.serverError)),
    Row("426 X", "", .fault(.serverError)),
    Row("599 X", "", .fault(.serverError)), Row("301 X\r\nLocation: /", "", .fault(.redirected)),
    Row("302 X", "<html>log in</html>", .fault(.redirected)), Row("304 X", "", .fault(.redirected)),
    // A plain 200.
    Row("200 OK\r\nContent-Type: application/json", #"{"choices":[]}"#, .good),
    Row("200 OK", " \n[1]", .good), Row("201 X", "{}", .good),
    Row("200 OK", #"{"id":"r","error":null,"output":[]}"#, .good),
    Row("200 OK", #"{"error":""}"#, .good), Row("200 OK", #"{"x":{"error":{"message":"quoted"}}}"#, .good),
    Row("200 OK\r\nContent-Type: text/html", "<html>portal</html>", .fault(.foreign)),
    Row("200 OK", "OK", .fault(.foreign)), Row("200 OK", #"{"choices":["#, .fault(.foreign)),
    Row("200 OK", "", .fault(.emptyStream)), Row("204 X", "", .fault(.emptyStream)),
    Row("200 OK", #"{"error":{"message":"upstream broke"}}"#, .fault(.errorInside)),
    Row("200 OK", #"{"error":"broken"}"#, .fault(.errorInside)),
    Row("200 OK", #"[{"error":{"code":500}}]"#, .fault(.errorInside)),
    Row("200 OK", #"{"error":{"code":"insufficient_quota"}}"#, .fault(.quota(until: nil))),
    Row("200 OK\r\nRetry-After: 4", #"{"error":{"message":"100 per day"}}"#, .fault(.quota(until: after(4)))),
    Row("200 OK", #"{"error":{"code":"invalid_api_key"}}"#, .fault(.keyRejected)),
    Row("200 OK", #"{"error":{"code":"model_not_found"}}"#, .fault(.modelMissing)),
    Row("200 OK", #"{"error":{"code":"context_length_exceeded"}}"#, .fault(.tooLong)),
    Row("200 OK", #"{"error":{"code":429,"message":"slow down"}}"#, .fault(.rate(until: nil))),
    Row("200 OK", #"{"error":{"code":401,"message":"User not found."}}"#, .fault(.keyRejected)),
    Row("200 OK", #"{"error":{"code":402,"message":"no credits"}}"#, .fault(.quota(until: nil))),
    Row("200 OK", #"{"error":{"code":403,"message":"flagged by moderation"}}"#, .fault(.requestRefused)),
    Row("200 OK", #"{"error":{"code":404,"message":"gone"}}"#, .fault(.errorInside)),
    Row("200 OK", #"{"error":{"code":400,"message":"bad"}}"#, .fault(.errorInside)),
    Row("200 OK", #"{"error":{"code":20015,"message":"bad"}}"#, .fault(.errorInside)),
    // A stream that ended without content.
    Row("200 OK\r\nContent-Type: text/event-stream", "", .fault(.emptyStream)),
    Row("200 OK\r\nContent-Type: text/event-stream", ": hi\n\ndata: [DONE]\n\n", .fault(.emptyStream)),
    Row(
      "200 OK\r\nContent-Type: text/event-stream",
      "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n", .fault(.emptyStream)),
    Row(
      "200 OK\r\nContent-Type: text/event-stream", "data: {\"error\":{\"message\":\"x\"}}\n\n",
      .fault(.errorInside)),
    Row(
      "200 OK\r\nContent-Type: text/event-stream", "event: error\ndata: {\"message\":\"x\"}\n\n",
      .fault(.errorInside)),
    Row(
      "200 OK\r\nContent-Type: text/event-stream",
      "data: {\"model\":\"moderation not found\"}\n\ndata: {\"error\":{\"code\":429,\"message\":\"x\"}}\n\n",
      .fault(.rate(until: nil))),
  ])
  func whole(_ row: Row) {
    #expect(Self.judge(.whole, row.head, row.body) == row.verdict)
  }

  @Test func soundIsNoJSON() {
    #expect(Self.judge(.whole, "200 OK\r\nContent-Type: audio/mpeg", "ID3\u{4}", endpoint: .speech) == .good)
    #expect(Self.judge(.whole, "200 OK", "a transcript", endpoint: .speech) == .good)
    #expect(Self.judge(.beginning, "200 OK", "ID3\u{4}", endpoint: .speech) == .good)
    #expect(Self.judge(.whole, "500 X", "", endpoint: .speech) == .fault(.serverError))
  }

  @Test(arguments: [
    Row("200 OK", #" {"data":[{"embedding":["#, .good), Row("200 OK", "\n[1,2", .good),
    Row("200 OK", "<html>", .fault(.foreign)), Row("200 OK", "", .fault(.foreign)),
    Row("200 OK", String(repeating: " ", count: 64) + "{", .fault(.foreign)),
    // One event larger than what is held back.
    Row("200 OK\r\nContent-Type: text/event-stream", "data: {\"b64_json\":\"AAAA", .good),
    Row("400 X", "a long complaint", .relay), Row("500 X", "a long complaint", .fault(.serverError)),
    Row("429 X\r\nRetry-After: 3", "long", .fault(.rate(until: after(3)))),
  ])
  func beginning(_ row: Row) {
    #expect(Self.judge(.beginning, row.head, row.body) == row.verdict)
  }

  @Test(arguments: [
    Row(
      "200 OK\r\nContent-Type: text/event-stream",
      "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
      .good),
    Row(
      "200 OK\r\nContent-Type: text/event-stream", "data: {\"error\":{\"code\":\"insufficient_quota\"}}\n\n",
      .fault(.quota(until: nil))),
    Row(
      "200 OK\r\nContent-Type: text/event-stream",
      "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null}}\n\n",
      .good),
    Row("400 X\r\nContent-Type: text/event-stream", "data: x\n\n", .relay),
    Row("503 X\r\nContent-Type: text/event-stream", "data: x\n\n", .fault(.serverError)),
  ])
  func stream(_ row: Row) {
    #expect(Self.judge(.stream, row.head, row.body) == row.verdict)
  }

  /// The client has the head of an event stream: nothing plain may follow it.
  @Test func behindTheHeadOfAStream() {
    for look in [Look.whole, .beginning] {
      #expect(Self.judge(look, "400 X", "{}", hasHeadOut: true) == .fault(.unsuited))
      #expect(Self.judge(look, "200 OK", "{}", hasHeadOut: true) == .fault(.foreign))
      #expect(Self.judge(look, "200 OK", "ID3", endpoint: .speech, hasHeadOut: true) == .fault(.foreign))
      #expect(Self.judge(look, "413 X", "", hasHeadOut: true) == .fault(.tooLong))
      #expect(Self.judge(look, "500 X", "", hasHeadOut: true) == .fault(.serverError))
    }
    #expect(
      Self.judge(.beginning, "200 OK\r\nContent-Type: text/event-stream", "data: {", hasHeadOut: true)
        == .good)
  }

  @Test(arguments: [
    (TransferEnd.unreachable, Fault.unreachable), (.tls, .tls), (.reset, .reset), (.cut, .cut),
    (.stale, .staleConnection), (.raceLost, .raceLost), (.noRoom, .noRoom), (.unreadable, .foreign),
  ])
  func transfers(_ end: TransferEnd, _ fault: Fault) {
    #expect(Judge.transfer(end) == fault)
  }
}
