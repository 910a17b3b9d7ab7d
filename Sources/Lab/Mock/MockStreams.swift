internal import Base
internal import Wire

/// What of a request decides about the answer's bytes.
struct MockAsk: ~Copyable {
  var endpoint = MockEndpoint.unknown
  var stream = false
  var includeUsage = false
  /// The name of the first tool, where a tool is to be called.
  var tool = ByteBuffer()
  var model = ByteBuffer()
  var embeddings = MockEmbeddings()

  func appendKey(to key: inout ByteBuffer) {
    key.append(endpoint.rawValue)
    key.append(stream ? 1 : 0)
    key.append(includeUsage ? 1 : 0)
    tool.withBytes { key.append($0) }
    key.append(0)
    model.withBytes { key.append($0) }
    embeddings.elements.withBytes { key.append($0) }
  }
}

/// Writes the events of one stream.
struct MockStreamWriter: ~Copyable {
  let script: MockScript
  let text: MockText
  private var event = ByteBuffer()

  init(_ script: MockScript, _ text: MockText) {
    self.script = script
    self.text = text
  }

  private mutating func finishEvent(hasContent: Bool = true) {
    event.append("\n\n")
    script.addEvent(event, hasContent: hasContent)
    event.removeAll()
  }

  private mutating func simple(_ text: StaticString, hasContent: Bool = true) {
    event.append(text)
    finishEvent(hasContent: hasContent)
  }

  mutating func write(_ ask: borrowing MockAsk) {
    switch ask.endpoint {
    case .chat: writeChat(ask)
    case .completions: writeCompletions(ask)
    case .responses: writeResponses(ask)
    case .messages: writeMessages(ask)
    case .embeddings, .moderations, .rerank, .speech, .transcriptions, .images, .countTokens, .models,
      .health, .stats,
      .last,
      .unknown:
      break
    }
    script.endStream()
  }

  // MARK: - /v1/chat/completions

  private mutating func openChat(_ ask: borrowing MockAsk) {
    event.append(
      "data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,")
    event.append("\"model\":")
    ask.model.withBytes { event.append(jsonString: $0) }
    event.append(",\"system_fingerprint\":\"fp_mock\",\"choices\":[")
  }

  private mutating func chatDelta(
    _ ask: borrowing MockAsk, finish: StaticString = "null", hasContent: Bool = true,
    _ delta: (inout ByteBuffer) -> Void
  ) {
    openChat(ask)
    event.append("{\"index\":0,\"delta\":{")
    delta(&event)
    event.append("},\"logprobs\":null,\"finish_reason\":")
    event.append(finish)
    event.append("}]}")
    finishEvent(hasContent: hasContent)
  }

  private mutating func writeChat(_ ask: borrowing MockAsk) {
    if ask.tool.isEmpty {
      chatDelta(ask, hasContent: false) { $0.append("\"role\":\"assistant\",\"content\":\"\"") }
      for chunk in 0..<text.chunks {
        let text = text
        chatDelta(ask) { delta in
          delta.append("\"content\":\"")
          text.append(chunk: chunk, to: &delta)
          delta.append("\"")
        }
      }
      chatDelta(ask, finish: "\"stop\"") { _ in }
    } else {
      writeToolCall(ask)
    }
    if ask.includeUsage {
      openChat(ask)
      event.append("],\"usage\":")
      event.appendUsage(text.chunks)
      event.append("}")
      finishEvent()
    }
    simple("data: [DONE]")
  }

  /// One call, its arguments in five pieces.
  private mutating func writeToolCall(_ ask: borrowing MockAsk) {
    chatDelta(ask) { delta in
      delta.append(
        "\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"call_mock\",")
      delta.append("\"type\":\"function\",\"function\":{\"name\":")
      ask.tool.withBytes { delta.append(jsonString: $0) }
      delta.append(",\"arguments\":\"\"}}]")
    }
    for piece in 0..<5 {
      chatDelta(ask) { delta in
        delta.append("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"")
        switch piece {
        case 0: delta.append("{\\\"")
        case 1: delta.append("city")
        case 2: delta.append("\\\":\\\"")
        case 3: delta.append("Köln")
        default: delta.append("\\\"}")
        }
        delta.append("\"}}]")
      }
    }
    chatDelta(ask, finish: "\"tool_calls\"") { _ in }
  }

  // MARK: - /v1/completions

  private mutating func writeCompletions(_ ask: borrowing MockAsk) {
    for chunk in 0...text.chunks {
      event.append(
        "data: {\"id\":\"cmpl-mock\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":")
      ask.model.withBytes { event.append(jsonString: $0) }
      event.append(",\"choices\":[{\"index\":0,\"text\":\"")
      if chunk < text.chunks { text.append(chunk: chunk, to: &event) }
      event.append("\",\"logprobs\":null,\"finish_reason\":")
      event.append(chunk < text.chunks ? "null}]}" : "\"stop\"}]}")
      finishEvent()
    }
    simple("data: [DONE]")
  }

  // MARK: - /v1/responses

  private mutating func openResponse(_ name: StaticString, _ sequence: Int) {
    event.append("event: ")
    event.append(name)
    event.append("\ndata: {\"type\":\"")
    event.append(name)
    event.append("\",\"sequence_number\":")
    event.append(decimal: sequence)
  }

  private mutating func writeResponses(_ ask: borrowing MockAsk) {
    openResponse("response.created", 0)
    event.append(",\"response\":")
    event.appendResponse(ask, status: "in_progress", text: nil)
    event.append("}")
    finishEvent(hasContent: false)
    for chunk in 0..<text.chunks {
      openResponse("response.output_text.delta", chunk + 1)
      event.append(",\"item_id\":\"msg_mock\",\"output_index\":0,\"content_index\":0,\"delta\":\"")
      text.append(chunk: chunk, to: &event)
      event.append("\"}")
      finishEvent()
    }
    openResponse("response.completed", text.chunks + 1)
    event.append(",\"response\":")
    event.appendResponse(ask, status: "completed", text: text)
    event.append("}")
    finishEvent()
  }

  // MARK: - /v1/messages (Anthropic's form)

  private mutating func writeMessages(_ ask: borrowing MockAsk) {
    event.append("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_mock\",")
    event.append("\"type\":\"message\",\"role\":\"assistant\",\"model\":")
    ask.model.withBytes { event.append(jsonString: $0) }
    event.append(",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,")
    event.append("\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}")
    finishEvent(hasContent: false)
    event.append("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,")
    simple("\"content_block\":{\"type\":\"text\",\"text\":\"\"}}", hasContent: false)
    for chunk in 0..<text.chunks {
      event.append("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,")
      event.append("\"delta\":{\"type\":\"text_delta\",\"text\":\"")
      text.append(chunk: chunk, to: &event)
      event.append("\"}}")
      finishEvent()
    }
    simple("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}")
    event.append("event: message_delta\ndata: {\"type\":\"message_delta\",")
    event.append(
      "\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":")
    event.append(decimal: text.chunks)
    event.append("}}")
    finishEvent()
    simple("event: message_stop\ndata: {\"type\":\"message_stop\"}")
  }
}

extension ByteBuffer {
  /// OpenAI's usage object.
  mutating func appendUsage(_ chunks: Int) {
    append("{\"prompt_tokens\":9,\"completion_tokens\":")
    append(decimal: chunks)
    append(",\"total_tokens\":")
    append(decimal: chunks + 9)
    append("}")
  }

  /// The object of /v1/responses; `text` where it is complete.
  mutating func appendResponse(_ ask: borrowing MockAsk, status: StaticString, text: MockText?) {
    append("{\"id\":\"resp_mock\",\"object\":\"response\",\"created_at\":1700000000,\"status\":\"")
    append(status)
    append("\",\"model\":")
    ask.model.withBytes { append(jsonString: $0) }
    append(",\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],\"output\":[")
    if let text {
      append(
        "{\"id\":\"msg_mock\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":["
      )
      append("{\"type\":\"output_text\",\"annotations\":[],\"text\":\"")
      text.append(to: &self)
      append("\"}]}],\"usage\":{\"input_tokens\":9,\"output_tokens\":")
      append(decimal: text.chunks)
      append(",\"total_tokens\":")
      append(decimal: text.chunks + 9)
      append("}}")
    } else {
      append("]}")
    }
  }
}
