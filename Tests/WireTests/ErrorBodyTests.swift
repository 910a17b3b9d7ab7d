import Base
import TestSupport
import Testing

@testable import Wire

@Suite struct ErrorBodyTests {
  @Test(arguments: [
    (#"{"error":{"message":"no","type":"t","code":"c"}}"#, "no"),
    (#"[{"error":{"message":"arr","status":"X"}}]"#, "arr"),
    (#"{"error":"text"}"#, "text"), (#"{"errors":[{"message":"cf","code":1}],"success":false}"#, "cf"),
    (#"{"title":"T","detail":"D"}"#, "D"), (#"{"title":"T"}"#, "T"), (#"{"message":"m"}"#, "m"),
    (#""just text""#, "just text"),
    ("plain text", "plain text"), ("", ""), ("{}", ""), ("[]", ""), ("{\"error\":{}}", ""),
    (#"{"error":null,"message":"m"}"#, "m"),
    (#"{"error":{"message":"a\n\tb\u0000c  d"}}"#, "a b c d"),
    (#"{"error":{"message":"caf\u00e9 \ud83d\ude00"}}"#, "café 😀"),
    (
      #"{"error":{"message":"Incorrect API key provided: sk-abcd****wxyz. See"}}"#,
      "Incorrect API key provided: *** See"
    ),
    (#"{"message":"Bearer abc denied"}"#, "Bearer *** denied"),
    (#"{"message":"key gsk_0123456789 bad"}"#, "key *** bad"),
    (#"{"message":"?key=AIzaSyA-b_C1d2&x=1"}"#, "?key=***&x=1"),
    (#"{"message":"t abcdefghij0123456789 u"}"#, "t *** u"),
    (#"{"message":"id 123e4567-e89b-12d3-a456-426614174000"}"#, "id ***"),
    (
      #"{"message":"model meta-llama/Llama-3.3-70B-Instruct-Turbo gone"}"#,
      "model meta-llama/Llama-3.3-70B-Instruct-Turbo gone"
    ),
    (#"{"message":"skip internationalization sk-"}"#, "skip internationalization sk-"),
  ])
  func readsMessages(_ body: String, _ expected: String) {
    let bytes = body.bytes
    let error = ErrorBody(bytes.span)
    #expect(String(decoding: error.message, as: UTF8.self) == expected)
  }

  @Test func boundsMessages() {
    for padding in 190...203 {
      let body = (String(repeating: "ab ", count: 70).prefix(padding) + "éé").description.bytes
      let message = ErrorBody(body.span).message
      #expect(message.count <= Limits.errorMessage)
      #expect(String(validating: message, as: UTF8.self) != nil)
    }
    let broken: [UInt8] = [0x61, 0xFF, 0xC3]
    #expect(String(decoding: ErrorBody(broken.span).message, as: UTF8.self) == "a\u{FFFD}\u{FFFD}")
  }

  @Test(
    arguments: [
      (
        #"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","code":"insufficient_quota"}}"#,
        [.quota, .account]
      ),
      (#"{"error":{"message":"Rate limit reached for requests per min (RPM): Limit 3"}}"#, []),
      (
        #"{"error":{"message":"Rate limit reached on tokens per day (TPD): Limit 100000","code":"rate_limit_exceeded"}}"#,
        [.quota, .daily]
      ),
      (
        #"{"errors":[{"message":"you have used up your daily free allocation of 10,000 neurons"}]}"#,
        [.quota, .daily]
      ),
      (#"{"error":{"message":"Insufficient credits. Add more","code":402}}"#, [.quota, .account]),
      (
        #"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","details":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"},{"retryDelay":"17s"}]}}]"#,
        []
      ),
      (
        #"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","details":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"},{"retryDelay":"17s"}]}}]"#,
        [.quota, .daily]
      ),
      (
        #"{"error":{"message":"The model `x` does not exist or you do not have access to it.","code":"model_not_found"}}"#,
        .modelNotFound
      ),
      (#"{"error":"model 'x' not found"}"#, .modelNotFound), (#"{"error":{"message":"file not found"}}"#, []),
      (
        #"[{"error":{"code":404,"message":"models/x is not found for API version v1main","status":"NOT_FOUND"}}]"#,
        .modelNotFound
      ),
      (
        #"{"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}}"#,
        .contextTooLong
      ),
      (
        #"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens"}}"#,
        .contextTooLong
      ),
      (
        #"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
        .badKey
      ),
      (#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#, .badKey),
      (
        #"{"error":{"message":"Failed to call a function.","type":"invalid_request_error","code":"tool_use_failed"}}"#,
        .toolUseFailed
      ),
      (
        #"{"status":400,"title":"Bad Request","detail":"Function id 'x': DEGRADED function cannot be invoked"}"#,
        .degraded
      ),
      (#"{"error":{"message":"Invalid value for temperature"}}"#, []), ("upstream connect error", []),
      (#"{"error":{"message":"Bad credentials"}}"#, []), ("", []),
      (#"{"error":{"message":"Billing hard limit has been reached"}}"#, [.account, .quota]),
      (#"{"error":{"message":"Your input was flagged"}}"#, .requestRefused),
      (#"{"error":{"message":"Your account was flagged"}}"#, []),
      (#"{"error":{"message":"Request too large for m"}}"#, [.contextTooLong, .requestTooLarge]),
      (#"{"error":{"message":"m is only supported in v1/responses"}}"#, .otherEndpoint),
    ] as [(String, ErrorTraits)])
  func classifies(_ body: String, _ expected: ErrorTraits) {
    let bytes = body.bytes
    let error = ErrorBody(bytes.span)
    #expect(error.traits == expected)
  }

  @Test(
    arguments: [
      (#"{"error":{"code":429}}"#, 429), (#"[{"error":{"code":400,"message":"x"}}]"#, 400),
      (#"{"error":{"code":"429"}}"#, nil), (#"{"error":{"code":-1}}"#, nil),
      (#"{"error":"x","code":5}"#, nil),
      ("code 429", nil),
      (": c\n\ndata: {\"x\":1}\n\ndata: {\"error\":{\"code\":502}}\n\ndata: [DONE]\n\n", 502),
      ("data: {\"error\":{\"code\":502}}", 502), ("data: {\"x\":\n\n\"error\"", nil),
    ] as [(String, Int?)])
  func readsCodes(_ body: String, _ expected: Int?) {
    let bytes = body.bytes
    let error = ErrorBody(inside: bytes.span)
    #expect(error.code == expected)
  }

  /// Errors that a 200 tells without an `error` at its top, and answers that look a little like them.
  @Test(arguments: [
    (#"{"code":404,"message":"The model `m` does not exist.","object":"error","param":null}"#, true),
    (#"{"code":50501,"message":"System is really busy.","data":null}"#, true),
    (#"{"detail":"Internal error"}"#, true), (#"{"detail":[{"loc":["body"],"msg":"x"}]}"#, true),
    (#"{"message":"no Route matched with those values","request_id":"1"}"#, true),
    (#"{"msg":"busy","data":{}}"#, true),
    (
      #"{"id":"1","choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#, true
    ),
    (#"{"choices":[{"message":{"content":""},"finish_reason":"error","error":{"code":502}}]}"#, true),
    (#"{"choices":[{"message":{"content":"half"},"finish_reason":"insufficient_system_resource"}]}"#, true),
    (#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop","error":null}]}"#, false),
    (#"{"choices":[{"message":{"content":""},"finish_reason":"network_error"}]}"#, true),
    // Escapes count as what they stand for.
    (#"{"\u0065rror":{"code":1}}"#, true), (#"{"choices":[{"finish_reason":"\u0065rror"}]}"#, true),
    (#"{"choices":[{"text":"\u00e9","finish_reason":"stop"}]}"#, false),
    (#"{"choices":[{"message":{"content":"error"}}],"error":null}"#, false),
    (#"{"choices":[{}],"base_resp":{"status_code":0,"status_msg":""}}"#, false),
    (#"{"choices":[{}],"base_resp":{"status_code":1}}"#, false),
    (#"{"id":"1","message":{"content":[]},"finish_reason":"COMPLETE"}"#, false),
    (#"{"message":"ok","data":[{"embedding":[1]}]}"#, false), (#"{"message":"ok","text":"Hello"}"#, false),
    (#"{"id":"x"}"#, false), ("{}", false), (#"{"code":0}"#, false), (#"{"message":null}"#, false),
    (#"{"object":"chat.completion","choices":[{"text":"a","object":"error"}]}"#, false),
  ])
  func probesErrorsOfOtherShapes(_ body: String, _ hasError: Bool) {
    let bytes = body.bytes
    var probe = AnswerProbe()
    probe.read(bytes.span)
    #expect(probe.hasError == hasError)
  }

  @Test(
    arguments: [
      (
        #"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#, true, false, 1,
        2
      ),
      (#"{"error":null,"usage":{"input_tokens":4,"output_tokens":5}}"#, true, false, 4, 5),
      (#"{"error":{"message":"x"}}"#, true, true, nil, nil), (#"{"error":"x"}"#, true, true, nil, nil),
      (#"{"error":""}"#, true, false, nil, nil),
      (#"{"error":false}"#, true, false, nil, nil), (#"[{"error":{}}]"#, true, true, nil, nil),
      ("[]", true, false, nil, nil),
      (#"{"type":"error"}"#, true, true, nil, nil), (#"{"output":[{"error":{}}]}"#, true, false, nil, nil),
      ("<html>", false, false, nil, nil), ("", false, false, nil, nil),
      (#"{"choices":["#, false, false, nil, nil),
    ] as [(String, Bool, Bool, Quantity?, Quantity?)])
  func probesAnswers(
    _ body: String, _ isJSON: Bool, _ hasError: Bool, _ input: Quantity?, _ output: Quantity?
  ) {
    let bytes = body.bytes
    var probe = AnswerProbe()
    probe.read(bytes.span)
    #expect(probe.isJSON == isJSON)
    #expect(probe.hasError == hasError)
    #expect(probe.usage.input == input)
    #expect(probe.usage.output == output)
  }

  @Test(
    arguments: [
      ("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>", "502 Bad Gateway"),
      ("<TITLE lang=en>\n Log in\t</TITLE>", "Log in"), ("<title></title>no", "<title></title>no"),
      ("<title", "<title"), ("<title>open", "<title>open"),
      ("upstream connect error", "upstream connect error"),
      (#"{"message":"<title>x</title>"}"#, "<title>x</title>"),
    ])
  func aPageSaysItsTitle(_ body: String, _ message: String) {
    let bytes = body.bytes
    #expect(String(decoding: ErrorBody(bytes.span).message, as: UTF8.self) == message)
  }
}
