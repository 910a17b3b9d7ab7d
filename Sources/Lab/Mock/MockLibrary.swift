internal import Base
internal import Wire

/// The mock's answers: each is made when it is first asked for, and kept.
struct MockLibrary: ~Copyable {
  private let options: MockOptions
  private let text: MockText
  private var scripts: [MockScript] = []
  /// The place that the next script takes when the table is full.
  private var oldest = 0
  private var key = ByteBuffer()

  let tooManyRequests = MockScript.error(
    429, type: "requests", code: "rate_limit_exceeded", "Rate limit reached: the mock was asked to say so.")
  let serverError = MockScript.error(
    500, type: "server_error", code: "internal_error", "The mock was asked to fail.")
  let unauthorized = MockScript.error(
    401, type: "invalid_request_error", code: "invalid_api_key", "Incorrect API key provided.")
  let loading = MockScript.loading()
  let notFound = MockScript.error(
    404, type: "invalid_request_error", code: "not_found", "The mock has nothing at this address.")
  let modelNotFound = MockScript.error(
    404, type: "invalid_request_error", code: "model_not_found", "The mock does not have this model.")
  let invalidBody = MockScript.error(
    400, type: "invalid_request_error", code: "invalid_json", "The body is neither a JSON object nor a form.")
  /// A stream is chunk-coded, which HTTP/1.0 does not know.
  let needsHTTP11 = MockScript.error(
    505, type: "invalid_request_error", code: "http_version", "A stream wants HTTP/1.1.")
  let errorIn200 = MockScript.error(
    200, type: "server_error", code: "internal_error", "The mock fails inside a 200.")
  let errorStream = MockScript.errorStream()
  let emptyStream = MockScript.emptyStream()
  let emptyBody = MockScript.emptyBody()
  let models: MockScript

  init(_ options: MockOptions) {
    self.options = options
    text = MockText(options)
    models = MockScript()
    models.writeModels(options.models.isEmpty ? [Self.anyModel] : options.models)
  }

  /// The model that is listed, and assumed, where every model is taken.
  static let anyModel = "mock-model"

  /// The model that a request without one means.
  var defaultModel: String { options.models.first ?? Self.anyModel }

  func hasModel(_ ask: borrowing MockAsk) -> Bool {
    if options.models.isEmpty { return true }
    for model in options.models where ask.model.withBytes({ $0.equals(model) }) { return true }
    return false
  }

  /// The answer to a request that succeeds.
  mutating func script(for ask: borrowing MockAsk) -> MockScript {
    key.removeAll()
    ask.appendKey(to: &key)
    for script in scripts {
      let isSame = key.withBytes { wanted in script.key.withBytes { $0.equals(wanted) } }
      if isSame { return script }
    }
    let isAudio = ask.endpoint == .speech
    let script = MockScript(
      key: key.take(),
      contentType: ask.stream ? "text/event-stream" : isAudio ? "audio/mpeg" : "application/json",
      isStream: ask.stream)
    if ask.stream {
      var writer = MockStreamWriter(script, text)
      writer.write(ask)
    } else {
      script.writeAnswer(ask, text)
    }
    if scripts.count < Limits.mockScripts {
      scripts.append(script)
    } else {
      scripts[oldest] = script
      oldest = (oldest + 1) % Limits.mockScripts
    }
    return script
  }
}
