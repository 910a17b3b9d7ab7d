internal import Base
internal import Wire

extension MockAsk {
  /// Reads what decides about the answer from a request's body. False: the body is not what it should be.
  mutating func read(
    _ body: Span<UInt8>, contentType: Span<UInt8>, _ probe: inout JSONProbe, defaultModel: String
  ) -> Bool {
    model.removeAll()
    tool.removeAll()
    embeddings.removeAll()
    if MultipartForm.isForm(contentType) {
      guard let form = try? MultipartForm.scan(body, contentType: contentType) else { return false }
      if let range = form.model { model.append(body.extracting(range)) }
    } else {
      do { try probe.scan(body) } catch { return false }
      guard probe.root.kind == .object else { return false }
      readMembers(body, probe)
    }
    if model.isEmpty { model.append(defaultModel) }
    return true
  }

  private mutating func readMembers(_ body: Span<UInt8>, _ probe: JSONProbe) {
    if let member = probe.value(of: "model", in: body) { _ = body.jsonString(member, into: &model) }
    if endpoint == .embeddings { embeddings.read(body, probe) }
    if endpoint.canStream, let member = probe.value(of: "stream", in: body) {
      stream = body.jsonBool(member) ?? false
    }
    if let options = probe.value(of: "stream_options", in: body), options.kind == .object,
      let member = body.jsonMember("include_usage", in: options)
    {
      includeUsage = body.jsonBool(member) ?? false
    }
    if endpoint == .chat, let tools = probe.value(of: "tools", in: body), tools.kind == .array {
      readTool(tools, body, probe)
    }
  }

  /// The first tool is called, unless the client forbids it or its result is there already.
  private mutating func readTool(_ tools: JSONMember, _ body: Span<UInt8>, _ probe: JSONProbe) {
    if let choice = probe.value(of: "tool_choice", in: body), choice.kind == .string,
      body.jsonEquals(choice.value.lowerBound + 1..<choice.value.upperBound - 1, "none")
    {
      return
    }
    if let messages = probe.value(of: "messages", in: body), messages.kind == .array {
      var cursor = JSONCursor(messages)
      while let message = cursor.next(body) {
        guard message.kind == .object, let role = body.jsonMember("role", in: message), role.kind == .string
        else { continue }
        if body.jsonEquals(role.value.lowerBound + 1..<role.value.upperBound - 1, "tool") { return }
      }
    }
    var cursor = JSONCursor(tools)
    guard let first = cursor.next(body), first.kind == .object,
      let function = body.jsonMember("function", in: first), function.kind == .object,
      let name = body.jsonMember("name", in: function), name.kind == .string
    else { return }
    _ = body.jsonString(name, into: &tool)
  }
}
