internal import Base
internal import Wire

extension MockScript {
  /// The plain answer to a request.
  func writeAnswer(_ ask: borrowing MockAsk, _ text: MockText) {
    var out = ByteBuffer()
    switch ask.endpoint {
    case .chat: out.appendChatAnswer(ask, text)
    case .completions:
      out.append("{\"id\":\"cmpl-mock\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":")
      ask.model.withBytes { out.append(jsonString: $0) }
      out.append(",\"choices\":[{\"index\":0,\"text\":\"")
      text.append(to: &out)
      out.append("\",\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":")
      out.appendUsage(text.chunks)
      out.append("}")
    case .embeddings:
      out.append("{\"object\":\"list\",\"data\":[")
      ask.embeddings.elements.withBytes { out.append($0) }
      out.append("],\"model\":")
      ask.model.withBytes { out.append(jsonString: $0) }
      out.append(",\"usage\":{\"prompt_tokens\":")
      out.append(decimal: ask.embeddings.tokens)
      out.append(",\"total_tokens\":")
      out.append(decimal: ask.embeddings.tokens)
      out.append("}}")
    case .responses: out.appendResponse(ask, status: "completed", text: text)
    case .messages:
      out.append("{\"id\":\"msg_mock\",\"type\":\"message\",\"role\":\"assistant\",\"model\":")
      ask.model.withBytes { out.append(jsonString: $0) }
      out.append(",\"content\":[{\"type\":\"text\",\"text\":\"")
      text.append(to: &out)
      out.append("\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,")
      out.append("\"usage\":{\"input_tokens\":9,\"output_tokens\":")
      out.append(decimal: text.chunks)
      out.append("}}")
    case .moderations:
      out.append("{\"id\":\"modr-mock\",\"model\":")
      ask.model.withBytes { out.append(jsonString: $0) }
      out.append(",\"results\":[{\"flagged\":false,\"categories\":{\"violence\":false},")
      out.append("\"category_scores\":{\"violence\":0.0}}]}")
    case .rerank:
      out.append("{\"id\":\"rerank-mock\",\"results\":[{\"index\":0,\"relevance_score\":0.75}]}")
    case .countTokens: out.append("{\"object\":\"response.input_tokens\",\"input_tokens\":9}")
    case .speech:
      out.append("ID3")
      text.append(to: &out)
    case .transcriptions:
      out.append("{\"text\":\"")
      text.append(to: &out)
      out.append("\"}")
    case .images:
      // A PNG of one transparent pixel.
      out.append(
        "{\"created\":1700000000,\"data\":[{\"b64_json\":\"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ")
      out.append("AAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==\"}]}")
    case .models, .health, .stats, .last, .unknown: break
    }
    addBody(out)
  }

  /// The list of /v1/models.
  func writeModels(_ models: [String]) {
    var out = ByteBuffer()
    out.append("{\"object\":\"list\",\"data\":[")
    for (index, model) in models.enumerated() {
      if index > 0 { out.append(",") }
      out.append("{\"id\":")
      out.append(jsonString: model)
      out.append(",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\"}")
    }
    out.append("]}")
    addBody(out)
  }
}

extension ByteBuffer {
  fileprivate mutating func appendChatAnswer(_ ask: borrowing MockAsk, _ text: MockText) {
    append("{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":")
    ask.model.withBytes { append(jsonString: $0) }
    append(
      ",\"system_fingerprint\":\"fp_mock\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",")
    if ask.tool.isEmpty {
      append("\"content\":\"")
      text.append(to: &self)
      append("\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":")
    } else {
      append("\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"call_mock\",\"type\":\"function\",")
      append("\"function\":{\"name\":")
      ask.tool.withBytes { append(jsonString: $0) }
      append(
        ",\"arguments\":\"{\\\"city\\\":\\\"Köln\\\"}\"}}]},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}],"
      )
      append("\"usage\":")
    }
    appendUsage(text.chunks)
    append("}")
  }
}
