package import Base
package import Policy
internal import Wire

/// An error as the client reads it: OpenAI's shape, and a message that says what to do.
package struct ErrorText {
  package let error: LocalError
  /// The model that was asked for, and names that are like it.
  package var model: [UInt8] = []
  package var nearest: [String] = []
  /// Who would have that model.
  package var leftOut: [DisabledProvider] = []
  /// Who was asked as it is, and what became of that.
  package var provider = ""
  package var words = ""

  package init(_ error: LocalError) { self.error = error }

  /// `{"error":{"message","type","param","code"}}`
  package func write(of record: ExchangeRecord?, now: Instant, into out: inout ByteBuffer) {
    out.append(#"{"error":"#)
    writeObject(of: record, now: now, into: &out)
    out.append("}")
  }

  /// The same inside a stream, in the words of the endpoint's dialect.
  package func writeEvent(
    _ dialect: ErrorDialect, of record: ExchangeRecord?, now: Instant, into out: inout ByteBuffer
  ) {
    switch dialect {
    case .plain:
      out.append("data: ")
      write(of: record, now: now, into: &out)
    case .responses, .messages:
      out.append("event: error\ndata: ")
      out.append(#"{"type":"error","error":"#)
      writeObject(of: record, now: now, into: &out)
      out.append("}")
    }
    out.append("\n\n")
  }

  private func writeObject(of record: ExchangeRecord?, now: Instant, into out: inout ByteBuffer) {
    var message = ByteBuffer()
    writeMessage(of: record, now: now, into: &message)
    out.append(#"{"message":"#)
    message.withBytes { out.append(jsonString: $0) }
    out.append(#","type":""#)
    out.append(error.row.kind.name)
    out.append(#"","param":"#)
    if let param = error.param {
      out.append("\"")
      out.append(param)
      out.append("\"")
    } else {
      out.append("null")
    }
    out.append(#","code":""#)
    out.append(error.row.code)
    out.append("\"}")
  }

  /// The message alone: `record` is nil where no exchange began.
  package func writeMessage(of record: ExchangeRecord?, now: Instant, into out: inout ByteBuffer) {
    switch error {
    case .malformed(let reason):
      out.append("The request is not HTTP/1.1 as RFC 9112 has it: ")
      out.append(reason)
    case .invalidJSON(let offset, let reason):
      out.append("The request body is not valid JSON: ")
      out.append(reason)
      out.append(", at offset ")
      out.append(decimal: offset)
    case .missingField(let name):
      out.append("The request has no `")
      out.append(name)
      out.append("`. Name a model, an alias, or provider/model; GET /v1/models lists them.")
    case .invalidField(let name, let reason):
      out.append("The request's `")
      out.append(name)
      out.append("` cannot be used: ")
      out.append(reason)
    case .invalidKey:
      out.append(
        "The API key is missing or not known here. Send `Authorization: Bearer KEY` with a key of `clients`.")
    case .originNotAllowed:
      out.append("This web origin may not call. Add it to `cors.origins` if it should.")
    case .hostNotAllowed:
      out.append("This Host is not known here. Use localhost, or add the name to `hosts`.")
    case .modelNotAllowed:
      out.append("This client may not use the model `")
      appendModel(to: &out)
      out.append("`.")
    case .rawNotAllowed:
      out.append(
        "This client may use some models only (`models`), and a provider's own API knows no such bound.")
    case .rawOff:
      out.append("The provider's own API is not open here. Set `raw: true` at the provider to open it.")
    case .providerNotFound:
      out.append("No provider of this name is used here. `synaxis check` says who is, and who is left out.")
    case .adminOff:
      out.append(
        "This page is not served here without a token, and none is set. Set `admin.token` in the tier file, ")
      out.append("or `admin.listen` and ask there.")
    case .invalidToken:
      out.append(
        "The admin token is missing or wrong. Send `Authorization: Bearer TOKEN` with `admin.token`.")
    case .modelNotFound: writeModelNotFound(into: &out)
    case .notFound:
      out.append(
        "There is nothing here. The API is at /v1, for example POST /v1/chat/completions. Requests are routed "
      )
      out.append(
        "by the `model` in their body; what has none (files, batches, fine-tuning) is asked at /providers/NAME/, "
      )
      out.append("of a provider with `raw: true`.")
    case .methodNotAllowed(let allow):
      out.append("This place answers to ")
      out.append(allow)
      out.append(" only.")
    case .requestTimeout: out.append("The request did not arrive in time.")
    case .requestTooLarge: out.append("The request body is larger than `limits.request_body`.")
    case .targetTooLong: out.append("The request target is too long.")
    case .unsupportedEncoding:
      out.append("The request body is compressed (Content-Encoding), and is read here to find its model. ")
      out.append("Send it as it is; for Codex: `-c features.enable_request_compression=false`.")
    case .expectationFailed: out.append("The only expectation that is met is 100-continue.")
    case .headTooLarge:
      out.append("The request's header is larger than `limits.header`, or has too many fields.")
    case .notImplemented(let reason):
      out.append("Not implemented: ")
      out.append(reason)
    case .upgradeRequired:
      out.append("WebSocket is spoken here (RFC 6455): ask with GET, HTTP/1.1 and `Upgrade: websocket`.")
    case .versionNotSupported: out.append("HTTP/1.1 and HTTP/1.0 are spoken here.")
    case .clientRateLimited(let time):
      out.append("This client's own limit (`rpm` or `concurrent` of `clients`) is reached. Try again in ")
      appendSeconds(time, to: &out)
    case .clientSpent(let time):
      out.append("This client has spent what it may in a day (`spend` of `clients`). Try again in ")
      appendSeconds(time, to: &out)
    case .rateLimited:
      out.append("Every provider of the model `")
      appendModel(to: &out)
      out.append("` is at its rate limit or quota. ")
      appendCauses(record, now, to: &out)
    case .unavailable:
      out.append("No provider of the model `")
      appendModel(to: &out)
      out.append("` can be used now. ")
      appendCauses(record, now, to: &out)
    case .attemptsFailed:
      out.append("No provider of the model `")
      appendModel(to: &out)
      out.append("` could answer. ")
      appendCauses(record, now, to: &out)
    case .deadlineExceeded:
      out.append("No provider answered within `timeouts.request`. ")
      appendCauses(record, now, to: &out)
    case .overloaded:
      out.append(
        "As many requests run and wait as `limits` of the tier file lets: `concurrent_requests`, `queue`, ")
      out.append("`connections`. Try again.")
    case .memoryFull: out.append("The requests and answers under way fill `limits.memory`. Try again.")
    case .outOfDescriptors:
      out.append(
        "This process may open no further connection to a provider (`ulimit -n`, LimitNOFILE). Try again.")
    case .draining: out.append("This instance is shutting down.")
    case .providerFailed:
      out.append("The provider ")
      out.append(provider)
      out.append(" could not be asked")
      if !words.isEmpty { out.append(": ") }
      out.append(words)
    case .providerStalled:
      out.append("Nothing went to the provider ")
      out.append(provider)
      out.append(", and nothing came from it, for `timeouts.stream_idle`.")
    case .upstreamCut:
      out.append("The provider's answer broke off before its end. What has come is not complete.")
    case .upstreamStalled:
      out.append("The provider sent nothing for `timeouts.stream_idle`. What has come is not complete.")
    case .pathLost:
      out.append("The way to the provider was lost: its machine does not answer any more. ")
      out.append("What has come is not complete.")
    case .followerTooSlow: out.append("The answer was read too slowly to be kept for you.")
    }
  }

  private func writeModelNotFound(into out: inout ByteBuffer) {
    out.append("The model `")
    appendModel(to: &out)
    if !leftOut.isEmpty {
      out.append("` is nowhere but at what is left out.")
      for provider in leftOut.prefix(Limits.namesInMessage) {
        out.append(" ")
        out.append(provider.name)
        out.append(": ")
        out.append(provider.reason ?? "")
        out.append(".")
      }
      return
    }
    out.append("` is not configured.")
    if nearest.isEmpty {
      out.append(" GET /v1/models lists what is.")
      return
    }
    out.append(" Did you mean ")
    for (index, name) in nearest.enumerated() {
      if index > 0 { out.append(index == nearest.count - 1 ? " or " : ", ") }
      out.append("`")
      out.append(name)
      out.append("`")
    }
    out.append("?")
  }

  private func appendModel(to out: inout ByteBuffer) {
    out.append(model.span.extracting(0..<min(model.count, Limits.modelName)))
  }

  private func appendSeconds(_ time: Interval, to out: inout ByteBuffer) {
    out.append(decimal: max(1, time.wholeSecondsUp))
    out.append(" s.")
  }

  private func appendCauses(_ record: ExchangeRecord?, _ now: Instant, to out: inout ByteBuffer) {
    guard let record else { return }
    let causes = CauseText(record, now: now)
    causes.write(into: &out)
    if record.isLone { out.append(" No other provider has this model.") }
    causes.writeRemedies(into: &out)
  }
}
