internal import Base
internal import Wire

extension MockScript {
  /// OpenAI's error object as a plain answer.
  static func error(_ status: Int, type: StaticString, code: StaticString, _ message: StaticString)
    -> MockScript
  {
    let script = MockScript(status: status)
    var body = ByteBuffer()
    body.appendError(type: type, code: code, message)
    script.addBody(body)
    return script
  }

  /// What llama.cpp says while it loads its model.
  static func loading() -> MockScript {
    let script = MockScript(status: 503)
    var body = ByteBuffer()
    body.append(#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#)
    script.addBody(body)
    return script
  }

  static func emptyStream() -> MockScript {
    let script = MockScript(contentType: "text/event-stream", isStream: true)
    script.endStream()
    return script
  }

  static func emptyBody() -> MockScript {
    let script = MockScript()
    script.addBody(ByteBuffer())
    return script
  }

  /// The one event of a stream that says only that it failed.
  static func errorStream() -> MockScript {
    let script = MockScript(contentType: "text/event-stream", isStream: true)
    var event = ByteBuffer()
    event.append("data: ")
    event.appendError(type: "server_error", code: "internal_error", "The mock fails inside a 200.")
    event.append("\n\n")
    script.addEvent(event)
    script.endStream()
    return script
  }
}

extension ByteBuffer {
  mutating func appendError(type: StaticString, code: StaticString, _ message: StaticString) {
    append("{\"error\":{\"message\":\"")
    append(message)
    append("\",\"type\":\"")
    append(type)
    append("\",\"param\":null,\"code\":\"")
    append(code)
    append("\"}}")
  }
}
