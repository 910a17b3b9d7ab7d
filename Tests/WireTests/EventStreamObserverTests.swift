import Base
import TestSupport
import Testing

@testable import Wire

private func told(_ count: Quantity?) -> String { count.map { "\($0.value)" } ?? "?" }

/// What the observer saw, in one line.
private func seen(_ bytes: [UInt8], _ cut: [Range<Int>], finishing: Bool = false) -> String {
  var observer = EventStreamObserver()
  for piece in cut { observer.observe(bytes.span.extracting(piece)) }
  if finishing { observer.finish() }
  var text = "\(observer.contentEvents)"
  if observer.sawDone { text += " done" }
  if observer.sawErrorFrame { text += " error" }
  if observer.end != .none { text += " end=\(observer.end)" }
  let usage = observer.usage
  if usage.isKnown {
    let cached = usage.cached.map { "(\($0.value))" } ?? ""
    text += " \(told(usage.input))\(cached)/\(told(usage.output))"
    if let total = usage.total { text += "/\(total.value)" }
  }
  return text + (observer.endsBetweenEvents ? "" : " open")
}

private func checkAllCuts(_ text: String, _ expected: String, finishing: Bool = false) {
  let bytes = text.bytes
  for cut in Feed.cuts(bytes.count) {
    let got = seen(bytes, cut, finishing: finishing)
    #expect(got == expected, "\(text)")
    if got != expected { return }
  }
}

private func chunk(_ delta: String, finish: String = "null") -> String {
  #"data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":\#(delta),"finish_reason":\#(finish)}]}"#
    + "\n\n"
}

@Suite struct EventStreamObserverTests {
  @Test(arguments: [
    // Events and their line ends.
    ("", "0"), ("\n\n", "0"), (": ping\n\n", "0"), (": OPENROUTER PROCESSING\n", "0"), (":\n", "0"),
    ("data: x\n\n", "1"), ("data: x\r\n\r\n", "1"), ("data: x\r\r", "1"), ("data:x\n\n", "1"),
    ("data: x\n\ndata: y\n\n", "2"), ("data: x\r\rdata: y\r\r", "2"), ("data: x\r\n\r\ndata: y\r\n\r\n", "2"),
    ("data: x\n\r\ndata: y\r\n\n", "2"), ("\u{FEFF}data: x\n\n", "1"), ("\u{FEFF}\u{FEFF}data: x\n\n", "0"),
    ("data\n\n", "0"), ("data:\n\n", "0"), ("data: \n\n", "0"), ("data:  \n\n", "1"),
    ("data:\ndata:\n\n", "1"),
    ("datax: y\n\n", "0"), ("Data: y\n\n", "0"), (" data: y\n\n", "0"), ("id: 1\nretry: 3\n\n", "0"),
    ("id: 1\nevent: delta\ndata: x\n\n", "1"), ("event: x\n\n", "0"),
    // What is half received.
    ("data: x\n", "0 open"), ("data: x", "0 open"), ("event: x\n", "0 open"), ("d", "0 open"),
    (": pi", "0 open"),
    ("data: x\n\nd", "1 open"), ("data: x\n\ndata: y\n", "1 open"), ("data: x\n\n: ping\n", "1"),
    // Ends.
    ("data: [DONE]\n\n", "0 done end=done"), ("data:[DONE]\n\n", "0 done end=done"),
    ("data: [DONE]\n", "0 done end=done open"), ("data: x\n\ndata: [DONE]\n\n", "1 done end=done"),
    ("data: [DONE] \n\n", "1"),
    ("data: x\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", "1 end=messageStop"),
    ("data: x\n\ndata: {\"type\":\"message_stop\"}\n\n", "1 end=messageStop"),
    (
      "data: x\n\ndata: { \"type\" : \"response.completed\", \"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}}}\n\n",
      "2 end=completed 3/4/7"
    ),
    ("data: x\n\nevent: response.incomplete\ndata: {\"response\":{}}\n\n", "2 end=incomplete"),
    (
      "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":{}}}\n\n",
      "0 error end=failed"
    ),
    ("data: x\n\nevent: response.failed\ndata: {}\n\n", "1 error end=failed"),
    // Error frames.
    ("data: {\"error\":{\"message\":\"x\"}}\n\n", "0 error"), ("data: {\"error\":\"x\"}\n\n", "0 error"),
    ("data: {\"error\":null,\"x\":1}\n\n", "1"), ("data: [{\"error\":{\"code\":429}}]\n\n", "0 error"),
    ("event: error\ndata: oh\n\n", "0 error"),
    ("event: error\ndata: {\"type\":\"overloaded_error\"}\n\n", "0 error"),
    ("data: {\"type\":\"error\",\"error\":{}}\n\n", "0 error"), ("data: {\n data: \"error\":1}\n\n", "1"),
    ("data: {\ndata: \"error\":{}}\n\n", "0 error"),
    ("data: x\n\ndata: {\ndata: \"error\":{}}\n\n", "1 error"),
    ("data: x\n\ndata: {\"id\":1,\"error\":{\"code\":502},\"choices\":[]}\n\n", "1 error"),
    ("data: x\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"say \\\"error\\\": {}\"}}]}\n\n", "2"),
    ("data: x\n\ndata: {\"error\" : null,\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n", "2"),
    ("data: x\n\nevent: error\ndata: {}\n\n", "1 error"),
    ("data: {\"object\":\"error\",\"message\":\"x\",\"code\":404}\n\n", "0 error"),
    ("error: {\"code\":400,\"message\":\"x\"}\n\n", "0 error"), ("error: x\n\n", "0"),
    ("errors: {}\n\n", "0"), ("data: x\n\nerror: {\"code\":500}\n\n", "1 error"),
    (
      "data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"error\":{\"code\":502},\"finish_reason\":\"error\"}]}\n\n",
      "0 error"
    ),
    ("data: x\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n", "1 error"),
    ("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"network_error\"}]}\n\n", "0 error"),
    ("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"error\":null,\"finish_reason\":null}]}\n\n", "1"),
    // The Responses API announces a place before anything is in it.
    ("data: {\"type\":\"response.output_item.added\",\"item\":{\"content\":[]}}\n\n", "0"),
    ("event: response.content_part.added\ndata: {\"part\":{\"text\":\"\"}}\n\n", "0"),
    ("data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n", "1"),
    ("data: {\"type\":\"response.web_search_call.searching\"}\n\n", "1"),
    ("data: {\"type\":\"response.output_item.done\",\"item\":{}}\n\n", "1"),
  ])
  func readsEvents(_ text: String, _ expected: String) { checkAllCuts(text, expected) }

  @Test(arguments: [
    (#"{"role":"assistant","content":""}"#, "null", 0),
    (#"{"role":"assistant","content":null,"refusal":null}"#, "null", 0),
    ("{}", "null", 0), ("null", "null", 0), (#"{"content":"a"}"#, "null", 1),
    (#"{"content":" "}"#, "null", 1),
    (#"{"reasoning_content":"a"}"#, "null", 1), (#"{"reasoning":"a","content":""}"#, "null", 1),
    (#"{"refusal":"no"}"#, "null", 1), (#"{"tool_calls":[]}"#, "null", 0),
    (#"{"tool_calls":[{"index":0}]}"#, "null", 1),
    (#"{"function_call":{"name":"f"}}"#, "null", 1), (#"{"audio":{"id":"a"}}"#, "null", 1),
    (#"{"audio":{}}"#, "null", 0),
    (#"{"content":[{"type":"thinking"}]}"#, "null", 1), ("{}", #""stop""#, 1), ("{}", #""""#, 0),
  ])
  func tellsContentOfChatChunks(_ delta: String, _ finish: String, _ expected: Int) {
    checkAllCuts(chunk(delta, finish: finish), "\(expected)")
  }

  @Test(arguments: [
    (#"{"object":"chat.completion.chunk","choices":[]}"#, "0"), (#"{"object":"chat.completion.chunk"}"#, "0"),
    (#"{"choices":null}"#, "0"), (#"{"choices":[{"text":""}]}"#, "0"), (#"{"choices":[{"text":"a"}]}"#, "1"),
    (#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#, "0 1/2/3"),
    (#"{"usage":{"prompt_tokens":1}}"#, "0 1/?"),
    (#"{"choices":[],"x_groq":{"usage":{"completion_tokens":2}}}"#, "0 ?/2"),
    (#"{"type":"ping"}"#, "0"),
    (#"{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}"#, "0 5/1"),
    (#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#, "0"),
    (#"{"type":"content_block_start","content_block":{"type":"thinking","thinking":""}}"#, "0"),
    (
      #"{"type":"content_block_start","content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
      "1"
    ),
    (#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}"#, "1"),
    (#"{"type":"content_block_delta","delta":{"type":"text_delta","text":""}}"#, "0"),
    (#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#, "1 ?/9"),
    // What was cached is told within the prompt's tokens (OpenAI, DeepSeek) or apart from them (Anthropic).
    (
      #"{"choices":[],"usage":{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":8}}}"#, "0 10(8)/?"
    ),
    (
      #"{"usage":{"input_tokens":10,"input_tokens_details":{"audio_tokens":1,"cached_tokens":7}}}"#,
      "0 10(7)/?"
    ),
    (#"{"usage":{"prompt_tokens":10,"prompt_cache_hit_tokens":6}}"#, "0 10(6)/?"),
    (
      #"{"type":"message_start","message":{"usage":{"input_tokens":5,"cache_read_input_tokens":8,"cache_creation_input_tokens":2}}}"#,
      "0 15(8)/?"
    ),
    (#"{"type":"response.created","response":{"error":null,"usage":null}}"#, "0"),
    (#"{"type":"response.in_progress"}"#, "0"),
    (#"{"type":"response.queued"}"#, "0"), (#"{"type":"response.output_text.delta","delta":"a"}"#, "1"),
    (#"{"type":"response.completed","response":{}}"#, "1 end=completed"),
    (#"{"text":"unknown dialect"}"#, "1"),
    ("{not json", "1"), ("42", "1"), (#"{"usage":{"prompt_tokens":-1,"completion_tokens":"2"}}"#, "0"),
  ])
  func tellsContentOfOtherEvents(_ data: String, _ expected: String) {
    checkAllCuts("data: \(data)\n\n", expected)
    checkAllCuts(
      "data: \(data)", expected == "1" && data.hasPrefix("{not") ? "0 open" : expected + " open",
      finishing: true)
  }

  @Test func followsAWholeStream() {
    let text =
      ": hi\n\n" + chunk(#"{"role":"assistant","content":""}"#) + chunk(#"{"content":"é"}"#)
      + chunk(#"{"content":"\"usage\""}"#)
      + chunk("{}", finish: #""stop""#)
      + #"data: {"choices":[],"usage":null}"# + "\n\n"
      + #"data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}"#
      + "\n\n"
      + "data: [DONE]\n\n"
    checkAllCuts(text, "4 done end=done 10/20/30")
  }

  @Test func mergesTheUsageOfTheMessagesAPI() {
    let text =
      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n"
      + "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
      + "event: ping\ndata: {\"type\": \"ping\"}\n\n"
      + "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"x\"},\"usage\":{\"output_tokens\":15}}\n\n"
      + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    checkAllCuts(text, "2 end=messageStop 25/15")
  }

  @Test(arguments: [
    ("data: x\n\ndata: [DONE]", "1 done end=done open"),
    ("data: x\n\ndata: [DONE]\n", "1 done end=done open"),
    ("data: x\n\ndata: {\"choices\":[{\"delta\":{\"con", "1 open"),
    ("data: {\"choices\":[{\"delta\":{\"con", "0 open"),
    ("data: x\n\n", "1"), ("data: {\"error\":{}}", "0 error open"),
  ])
  func finishes(_ text: String, _ expected: String) { checkAllCuts(text, expected, finishing: true) }

  @Test func boundsALine() {
    let long = String(repeating: "a", count: Limits.eventLine)
    let bytes = "data: {\"type\":\"response.completed\",\"x\":\"\(long)\"}\n\ndata: [DONE]\n\n".bytes
    let half = bytes.count / 2
    let expected = "1 done end=completed"
    #expect(seen(bytes, [0..<bytes.count]) == expected)
    #expect(seen(bytes, [0..<half, half..<bytes.count]) == expected)
    #expect(seen(bytes, (0..<bytes.count).map { $0..<$0 + 1 }) == expected)
    let created = "data: {\"type\":\"response.created\",\"x\":\"\(long)\"}\n\n".bytes
    #expect(seen(created, [0..<created.count]) == "0")
    let lines = (String(repeating: "data: \(String(repeating: "b", count: 1000))\n", count: 100) + "\n").bytes
    #expect(seen(lines, [0..<lines.count]) == "1")
  }

  @Test func startsOver() {
    var observer = EventStreamObserver()
    let first = "data: x\n\nevent: error\ndata: {\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\nda".bytes
    observer.observe(first.span)
    observer.reset()
    let events = observer.contentEvents
    let isFresh = !observer.sawDone && !observer.sawErrorFrame && observer.end == .none
    let usage = observer.usage
    let isBetween = observer.endsBetweenEvents
    #expect(events == 0)
    #expect(isFresh)
    #expect(!usage.isKnown)
    #expect(isBetween)
    let second = "\u{FEFF}data: y\n\n".bytes
    observer.observe(second.span)
    let again = observer.contentEvents
    #expect(again == 1)
  }
}
