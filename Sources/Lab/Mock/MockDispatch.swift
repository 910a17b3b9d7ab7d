internal import Base
internal import Kernel
internal import Wire

// What the mock answers to a request.

extension MockProvider {
  /// Reads the request at the front of the connection's input and plans its answer. False: more is needed.
  func readRequest(_ connection: MockConnection) -> Bool {
    let end: Int
    do {
      guard let length = try requestLength(connection) else { return false }
      end = length
    } catch {
      connection.input.removeAll()
      connection.requestID.removeAll()
      connection.keepAlive = false
      connection.isPost = false
      let script = MockScript.error(
        error.status, type: "invalid_request_error", code: "bad_request", error.reason)
      connection.plan(script, stop: script.body.count, ending: .complete, isFailure: false)
      return true
    }
    dispatch(connection, end)
    connection.input.consume(end)
    return true
  }

  /// The length of the request, once it is there whole.
  private func requestLength(_ connection: MockConnection) throws(WireFault) -> Int? {
    let progress = try parseHead(connection)
    guard progress == .complete else { return nil }
    let start = connection.parser.head.headLength
    switch connection.parser.head.framing {
    case .none: return start
    case .length(let n):
      if n > Limits.mockBody { throw .bodyTooLarge }
      if connection.input.count >= start + n { return start + n }
    case .chunked:
      var decoder = connection.decoder ?? ChunkedDecoder(limit: Limits.mockBody)
      let progress = try decoder.decode(&connection.input, behind: start)
      connection.decoder = decoder
      if progress == .finished { return start + decoder.bodyCount }
    }
    if connection.parser.head.expectsContinue, !connection.saidContinue {
      connection.saidContinue = true
      connection.out.append("HTTP/1.1 100 Continue\r\n\r\n")
      _ = connection.flush(counting: &statistics.bytes)
    }
    return nil
  }

  private func parseHead(_ connection: MockConnection) throws(WireFault) -> HeadProgress {
    try connection.input.withBytes { (bytes) throws(WireFault) in try connection.parser.parse(bytes) }
  }

  private func dispatch(_ connection: MockConnection, _ end: Int) {
    let start = connection.parser.head.headLength
    var isReadable = true
    connection.keepAlive = connection.parser.head.keepAlive
    connection.isPost = connection.parser.head.method == .post
    connection.requestID.removeAll()
    connection.input.withBytes { bytes in
      if let id = connection.parser.head.value(of: .requestID) {
        connection.requestID.append(bytes.extracting(id))
      }
      ask.stream = false
      ask.includeUsage = false
      ask.endpoint = MockEndpoint(
        path: bytes.extracting(connection.parser.head.path), isPost: connection.isPost)
      if connection.isPost, ask.endpoint != .unknown {
        let type = connection.parser.head.value(of: .contentType) ?? 0..<0
        isReadable = ask.read(
          bytes.extracting(start..<end), contentType: bytes.extracting(type), &probe,
          defaultModel: library.defaultModel)
        last.removeAll()
        last.append(bytes.extracting(0..<min(end, Limits.mockKept)))
      }
    }
    if ask.endpoint == .unknown { return answer(connection, library.notFound) }
    if connection.isPost {
      statistics.requests += 1
      if !isReadable { return answer(connection, library.invalidBody) }
      if ask.stream, connection.parser.head.minorVersion == 0 {
        return answer(connection, library.needsHTTP11)
      }
      answerPost(connection)
    } else {
      answerGet(connection)
    }
  }

  private func answer(
    _ connection: MockConnection, _ script: MockScript, stop: Int? = nil, _ ending: MockEnding = .complete,
    isFailure: Bool = false
  ) {
    connection.plan(script, stop: stop ?? script.body.count, ending: ending, isFailure: isFailure)
  }

  private func answerGet(_ connection: MockConnection) {
    switch ask.endpoint {
    case .models: answer(connection, library.models)
    case .health: answer(connection, MockScript(contentType: "text/plain; charset=utf-8"))
    case .stats:
      let script = MockScript()
      var body = ByteBuffer()
      body.append(statistics, name: options.name)
      script.addBody(body)
      answer(connection, script)
    case .last:
      let script = MockScript(contentType: "text/plain; charset=utf-8")
      script.addBody(last)
      answer(connection, script)
    case .chat, .completions, .embeddings, .responses, .messages, .moderations, .rerank, .speech,
      .transcriptions, .images, .countTokens, .unknown:
      answer(connection, library.notFound)
    }
  }

  private func answerPost(_ connection: MockConnection) {
    if !library.hasModel(ask) { return answer(connection, library.modelNotFound) }
    guard let failure = options.failure else { return answer(connection, library.script(for: ask)) }
    switch failure.mode {
    case .refuseAfter:
      answer(connection, library.script(for: ask))
      // This one is being answered: it is not closed as idle.
      if statistics.requests >= failure.n {
        connection.state = .thinking
        refuseFromNowOn()
        connection.state = .reading
      }
    case .loading:
      let isLoading = statistics.requests <= failure.n
      answer(connection, isLoading ? library.loading : library.script(for: ask), isFailure: isLoading)
    case .resetAfterChunks:
      let script = library.script(for: ask)
      let events = min(script.preamble + failure.n, script.ends.count - 1)
      let stop = script.isStream ? (events > 0 ? script.ends[events - 1] : 0) : script.body.count / 2
      answer(connection, script, stop: stop, .reset, isFailure: true)
    case .tooManyRequests, .serverError, .unauthorized, .hang, .errorIn200, .emptyStream, .truncate:
      if statistics.requests % failure.n == 0 {
        fail(connection, failure.mode)
      } else {
        answer(connection, library.script(for: ask))
      }
    }
  }

  private func fail(_ connection: MockConnection, _ mode: MockFailure.Mode) {
    switch mode {
    case .tooManyRequests: answer(connection, library.tooManyRequests, isFailure: true)
    case .serverError: answer(connection, library.serverError, isFailure: true)
    case .unauthorized: answer(connection, library.unauthorized, isFailure: true)
    case .hang: connection.state = .hanging
    case .errorIn200:
      answer(connection, ask.stream ? library.errorStream : library.errorIn200, isFailure: true)
    case .emptyStream:
      answer(connection, ask.stream ? library.emptyStream : library.emptyBody, isFailure: true)
    case .truncate:
      let script = library.script(for: ask)
      // At least the first event stays away, and for a plain answer its second half.
      let half = script.ends.count / 2
      let stop = script.isStream ? (half > 0 ? script.ends[half - 1] : 0) : script.body.count / 2
      answer(connection, script, stop: stop, .close, isFailure: true)
    case .refuseAfter, .resetAfterChunks, .loading: answer(connection, library.script(for: ask))
    }
  }

  /// The head of the planned answer.
  func writeHead(_ connection: MockConnection) {
    guard let script = connection.script else { return }
    connection.out.appendStatusLine(script.status)
    connection.out.appendField("content-type", script.contentType)
    if script.isStream {
      connection.out.appendField("cache-control", "no-cache")
      connection.out.appendField("transfer-encoding", "chunked")
    } else {
      connection.out.appendField("content-length", decimal: script.body.count)
    }
    connection.out.append("x-request-id: ")
    if connection.requestID.isEmpty {
      connection.out.append("mock-")
      connection.out.append(decimal: statistics.requests)
    } else {
      connection.requestID.withBytes { connection.out.append($0) }
    }
    connection.out.append("\r\nx-mock-provider: ")
    connection.out.append(options.name)
    connection.out.append(
      """
      \r\nx-ratelimit-limit-requests: 1000\r
      x-ratelimit-remaining-requests: 999\r
      x-ratelimit-reset-requests: 60ms\r
      openai-version: 2020-10-01\r\n
      """)
    if script.status == 429, let seconds = options.retryAfter {
      connection.out.appendField("retry-after", decimal: seconds)
    }
    if !connection.keepAlive { connection.out.appendField("connection", "close") }
    connection.out.appendHeadEnd()
  }
}

extension ByteBuffer {
  mutating func append(_ statistics: MockStatistics, name: String) {
    append("{\"name\":")
    append(jsonString: name)
    append(",\"requests\":")
    append(decimal: statistics.requests)
    append(",\"completed\":")
    append(decimal: statistics.completed)
    append(",\"cancelled\":")
    append(decimal: statistics.cancelled)
    append(",\"failed\":")
    append(decimal: statistics.failed)
    append(",\"bytes\":")
    append(decimal: statistics.bytes)
    append(",\"connections\":")
    append(decimal: statistics.connections)
    append("}")
  }
}
