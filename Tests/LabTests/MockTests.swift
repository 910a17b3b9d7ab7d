import Base
import Foundation
import Kernel
import Lab
import Testing

/// A JSON object.
func object(_ text: String) -> [String: Any]? {
  (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any]
}

extension [String: Any] {
  /// The value behind a path of keys with points between them.
  func at(_ path: String) -> Any? {
    var value: Any? = self
    for key in path.split(separator: ".") { value = (value as? [String: Any])?[String(key)] }
    return value
  }
}

@Suite struct MockTests {
  @Test func plainChat() throws {
    let bench = try Bench()
    let answer = try bench.answer(to: post(chatPath, plainChat0, headers: "X-Request-ID: abc\r\n"))
    #expect(answer.status == 200)
    #expect(answer.field("content-type") == "application/json")
    #expect(answer.field("x-request-id") == "abc")
    #expect(answer.field("x-mock-provider") == "mock")
    #expect(answer.field("x-ratelimit-remaining-requests") == "999")
    let body = try #require(object(answer.body))
    #expect(body["model"] as? String == "m")
    #expect(body.at("usage.completion_tokens") as? Int == 4)
    let choices = try #require(body["choices"] as? [[String: Any]])
    #expect(choices[0].at("message.content") as? String == "One word after another, ")
    #expect(choices[0]["finish_reason"] as? String == "stop")
  }

  @Test func streamedChatInItsOrder() throws {
    let bench = try Bench()
    let usage = String(streamedChat.dropLast()) + #","stream_options":{"include_usage":true}}"#
    let answer = try bench.answer(to: post(chatPath, usage))
    #expect(answer.status == 200 && answer.isWhole)
    #expect(answer.field("content-type") == "text/event-stream")
    #expect(answer.field("transfer-encoding") == "chunked")
    let events = answer.events
    #expect(events.count == 8)
    #expect(events.last == "[DONE]")
    let chunks = events.dropLast().compactMap(object)
    #expect(chunks.count == 7)
    let deltas = chunks.compactMap { ($0["choices"] as? [[String: Any]])?.first?["delta"] as? [String: Any] }
    #expect(deltas.map { $0["content"] as? String } == ["", "One ", "word ", "after ", "another, ", nil])
    #expect(deltas[0]["role"] as? String == "assistant")
    #expect((chunks[6]["choices"] as? [[String: Any]])?.isEmpty == true)
    #expect(chunks[6].at("usage.total_tokens") as? Int == 13)
  }

  @Test(arguments: [true, false])
  func callsTheFirstTool(isStream: Bool) throws {
    let bench = try Bench()
    let tools = #""tools":[{"type":"function","function":{"name":"we\u0061ther"}},{"type":"function"}]"#
    let body = #"{"model":"m","messages":[],"stream":\#(isStream),\#(tools)}"#
    let answer = try bench.answer(to: post(chatPath, body))
    var name = ""
    var arguments = ""
    var reasons: [String] = []
    for text in isStream ? answer.events.dropLast() : [answer.body] {
      let choice = try #require((object(text)?["choices"] as? [[String: Any]])?.first)
      if let reason = choice["finish_reason"] as? String { reasons.append(reason) }
      let message = choice[isStream ? "delta" : "message"] as? [String: Any]
      let call = (message?["tool_calls"] as? [[String: Any]])?.first
      name += call?.at("function.name") as? String ?? ""
      arguments += call?.at("function.arguments") as? String ?? ""
    }
    #expect(name == "weather")
    #expect(object(arguments)?["city"] as? String == "Köln")
    #expect(reasons == ["tool_calls"])
  }

  @Test(arguments: [
    #","tool_choice":"none","messages":[]"#,
    #","messages":[{"role":"user"},{"role":"tool","tool_call_id":"call_mock","content":"5"}]"#,
  ])
  func callsNoToolWhereThatIsOver(rest: String) throws {
    let bench = try Bench()
    let tools = #""tools":[{"type":"function","function":{"name":"f"}}]"#
    let answer = try bench.answer(to: post(chatPath, #"{"model":"m",\#(tools)\#(rest)}"#))
    #expect(!answer.body.contains("tool_calls"))
    #expect(answer.body.contains("One word"))
  }

  @Test(arguments: [
    ("/v1/completions", "text_completion"), ("/v1/embeddings", "embedding"), ("/v1/responses", "output_text"),
    ("/v1/messages", "end_turn"), ("/v1/moderations", "flagged"), ("/v1/rerank", "relevance_score"),
    ("/v1/audio/transcriptions", "text"), ("/v1/images/generations", "b64_json"),
    ("/openai/v1/chat/completions", "chat.completion"), ("/deep/base/chat/completions", "chat.completion"),
  ])
  func everyEndpointAnswersJSON(path: String, word: String) throws {
    let bench = try Bench()
    let answer = try bench.answer(to: post(path, #"{"model":"m","input":"x"}"#))
    #expect(answer.status == 200)
    #expect(object(answer.body) != nil)
    #expect(answer.body.contains(word))
    #expect(bench.mock.statistics.completed == 1)
  }

  @Test(arguments: [
    ("/v1/completions", "[DONE]"), ("/v1/responses", "response.completed"), ("/v1/messages", "message_stop"),
  ])
  func otherStreams(path: String, end: String) throws {
    let bench = try Bench()
    let answer = try bench.answer(to: post(path, #"{"model":"m","input":"x","stream":true}"#))
    #expect(answer.isWhole)
    #expect(answer.events.last?.contains(end) == true)
    for event in answer.events where event != "[DONE]" { #expect(object(event) != nil) }
    var text = ""
    for event in answer.events.compactMap(object) {
      text += (event["choices"] as? [[String: Any]])?.first?["text"] as? String ?? ""
      text += event["delta"] as? String ?? ""
      text += event.at("delta.text") as? String ?? ""
    }
    #expect(text == "One word after another, ")
  }

  @Test func speechIsBytesAndFormsAreRead() throws {
    let bench = try Bench { $0.models = ["whisper"] }
    let form =
      "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n"
      + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\u{0}\u{1}\r\n--b--\r\n"
    let head =
      "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: m\r\n"
      + "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: \(form.utf8.count)\r\n\r\n"
    #expect(try bench.answer(to: head + form).status == 200)
    let speech = try bench.answer(to: post("/v1/audio/speech", #"{"model":"whisper"}"#))
    #expect(speech.field("content-type") == "audio/mpeg")
    #expect(speech.body.hasPrefix("ID3"))
  }

  @Test func modelsThatItHasNot() throws {
    let bench = try Bench { $0.models = ["a", "b"] }
    let refused = try bench.answer(to: post(chatPath, #"{"model":"c"}"#))
    #expect(refused.status == 404)
    #expect(refused.body.contains("model_not_found"))
    #expect(try bench.answer(to: post(chatPath, #"{"model":"b"}"#)).status == 200)
    let list = try #require(object(try bench.answer(to: get("/v1/models")).body)?["data"] as? [[String: Any]])
    #expect(list.map { $0["id"] as? String } == ["a", "b"])
  }

  @Test(arguments: [
    (post(chatPath, "{"), 400), (post(chatPath, "[]"), 400), (post("/v1/nothing", "{}"), 404),
    (get("/nothing"), 404), ("GET  / HTTP/1.1\r\n\r\n", 400),
    ("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413),
    ("POST \(chatPath) HTTP/1.0\r\nContent-Length: \(streamedChat.utf8.count)\r\n\r\n\(streamedChat)", 505),
  ])
  func badRequests(request: String, status: Int) throws {
    let bench = try Bench()
    let answer = try bench.answer(to: request)
    #expect(answer.status == status)
    #expect(object(answer.body)?["error"] != nil)
  }

  @Test func pipelinedRequestsAreAnsweredInOrder() throws {
    let bench = try Bench()
    let client = try bench.client(
      post(chatPath, streamedChat, headers: "X-Request-ID: 1\r\n")
        + post(chatPath, plainChat0, headers: "X-Request-ID: 2\r\n") + get("/v1/models")
        + post(chatPath, plainChat0, headers: "X-Request-ID: 3\r\nConnection: close\r\n"))
    try bench.drive(client) { $0.end == .closed }
    #expect(client.takeAnswer().field("x-request-id") == "1")
    #expect(client.takeAnswer().field("x-request-id") == "2")
    #expect(client.takeAnswer().body.contains("mock-model"))
    #expect(client.takeAnswer().field("x-request-id") == "3")
    #expect(client.received.isEmpty)
    #expect(bench.mock.statistics.connections == 1)
    #expect(bench.mock.statistics.completed == 3)
  }

  @Test func requestsByteByByteAndChunked() throws {
    let bench = try Bench()
    let head = "POST \(chatPath) HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n"
    let client = try bench.client()
    for byte in (head + "8\r\n{\"model\"\r\n5;x=y\r\n:\"m\"}\r\n0\r\n\r\n").utf8 {
      client.send([byte])
      try bench.settle()
    }
    try bench.drive(client) { $0.hasAnswer }
    #expect(client.takeAnswer().status == 200)
    #expect(try bench.answer(to: get("/mock/last")).body.hasSuffix("\r\n\r\n{\"model\":\"m\"}"))
  }

  @Test func saysContinueWhereItIsWaitedFor() throws {
    let bench = try Bench()
    let client = try bench.client(
      "POST \(chatPath) HTTP/1.1\r\nHost: m\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    try bench.drive(client) { $0.hasAnswer }
    #expect(client.takeAnswer().status == 100)
    client.send("{}")
    try bench.drive(client) { $0.hasAnswer }
    #expect(client.takeAnswer().status == 200)
  }

  @Test func statisticsAndLast() throws {
    let bench = try Bench { $0.name = "one" }
    _ = try bench.answer(to: post(chatPath, plainChat0, headers: "Authorization: Bearer k\r\n"))
    let last = try bench.answer(to: get("/mock/last")).body
    #expect(last == post(chatPath, plainChat0, headers: "Authorization: Bearer k\r\n"))
    let statistics = try #require(object(try bench.answer(to: get("/mock/stats")).body))
    #expect(statistics["name"] as? String == "one")
    #expect(statistics["requests"] as? Int == 1)
    #expect(statistics["completed"] as? Int == 1)
    #expect(statistics["cancelled"] as? Int == 0)
    #expect(statistics["connections"] as? Int == 3)
    // A router in front may ask for it, as vLLM and SGLang have it.
    #expect(try bench.answer(to: get("/health")).status == 200)
  }
}

let plainChat0 = plainChat

@Suite struct MockTimeTests {
  @Test func anEventPerGapAndTheSameBytes() throws {
    let burst = try Bench().answer(to: post(chatPath, streamedChat))
    let bench = try Bench { $0.gap = .milliseconds(20) }
    let client = try bench.client(post(chatPath, streamedChat))
    try bench.settle()
    client.read()
    let start = bench.now
    // Role and first word come together, then one event for each gap; the end of the body with the last.
    func count() -> Int {
      String(decoding: client.received, as: UTF8.self).split(separator: "data: ").count - 1
    }
    #expect(count() == 2)
    for (step, expected) in [3, 4, 5, 6, 7].enumerated() {
      try bench.advance()
      client.read()
      #expect(bench.now - start == .milliseconds(20 * Int64(step + 1)))
      #expect(count() == expected)
    }
    #expect(bench.mock.nextDeadline == nil)
    #expect(client.hasAnswer)
    #expect(client.takeAnswer().body == burst.body)
  }

  @Test func aLateTurnKeepsTheRate() throws {
    let bench = try Bench { $0.gap = .milliseconds(20) }
    let client = try bench.client(post(chatPath, streamedChat))
    try bench.settle()
    bench.now = bench.now + .milliseconds(61)
    try bench.settle()
    client.read()
    #expect(String(decoding: client.received, as: UTF8.self).split(separator: "data: ").count - 1 == 5)
  }

  @Test func thinkingSendsNothing() throws {
    let bench = try Bench { $0.think = .seconds(40) }
    let client = try bench.client(post(chatPath, plainChat0))
    try bench.settle()
    client.read()
    #expect(client.received.isEmpty)
    let before = bench.now
    try bench.advance()
    client.read()
    #expect(bench.now - before == .seconds(40))
    #expect(client.hasAnswer)
  }

  @Test(arguments: [(Interval.zero, Interval.seconds(9)), (.seconds(9), .zero)])
  func aClientThatLeavesIsCancelled(gap: Interval, think: Interval) throws {
    let bench = try Bench {
      $0.gap = gap
      $0.think = think
    }
    let client = try bench.client(post(chatPath, streamedChat))
    try bench.settle()
    #expect(bench.mock.nextDeadline != nil)
    client.leave()
    try bench.settle()
    // Nothing comes of what it had waited for.
    try bench.advance()
    #expect(bench.mock.nextDeadline == nil)
    #expect(bench.mock.statistics.requests == 1)
    #expect(bench.mock.statistics.cancelled == 1)
    #expect(bench.mock.statistics.completed == 0)
  }

  @Test func aSlowReaderGetsEverything() throws {
    let bench = try Bench {
      $0.bodyBytes = 2 << 20
      $0.chunks = 64
    }
    let client = try bench.client(post(chatPath, streamedChat))
    // More than a socket holds: the mock is blocked, not done.
    try bench.settle()
    #expect(bench.mock.statistics.completed == 0)
    for _ in 0..<10_000 where client.end == .open && bench.mock.statistics.completed == 0 {
      client.read()
      try bench.settle()
    }
    client.read()
    let answer = client.takeAnswer()
    #expect(answer.isWhole)
    #expect(answer.events.count == 67)
    #expect(answer.body.utf8.count > 2 << 20)
  }
}
