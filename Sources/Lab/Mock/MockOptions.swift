package import Base

/// How the mock provider misbehaves, and how often.
///
/// For `tooManyRequests`, `serverError`, `unauthorized`, `hang`, `errorIn200`, `emptyStream` and `truncate`
/// every n-th POST fails so (1: each); for the others n is explained there.
package struct MockFailure: Equatable, Sendable {
  package enum Mode: String, CaseIterable, Sendable {
    case tooManyRequests = "429"
    case serverError = "500"
    case unauthorized = "401"
    /// The first n POSTs are answered as llama.cpp answers while it loads its model; without n every one.
    case loading = "503"
    /// After n answered POSTs it listens no more, and its connections are closed.
    case refuseAfter = "refuse-after"
    /// Reads the request and never answers.
    case hang
    /// Every answer: a stream is reset (RST) after n chunks with content, a plain answer in its middle.
    case resetAfterChunks = "reset-after-chunks"
    /// Status 200 with an error object in place of the answer.
    case errorIn200 = "error-in-200"
    /// Status 200, the head of a stream, and then a clean end without an event; a plain body is empty.
    case emptyStream = "empty-stream"
    /// Half of the answer, then the connection is closed without the end of the body.
    case truncate
  }

  package var mode: Mode
  package var n: Int

  package init(_ mode: Mode, _ n: Int = 1) {
    self.mode = mode
    self.n = n
  }

  /// `MODE` or `MODE:N`.
  package init(_ text: String) throws(UsageError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let mode = Mode(rawValue: String(parts[0])) else {
      var known = ""
      for mode in Mode.allCases { known += (known.isEmpty ? "" : ", ") + mode.rawValue }
      throw UsageError("--fail: '\(parts[0])' is none of \(known)")
    }
    var n = mode == .loading ? Int.max : 1
    if parts.count == 2 {
      guard let given = wholeNumber(String(parts[1])), given >= 1 else {
        throw UsageError("--fail \(mode.rawValue): behind the colon stands a number from 1 on")
      }
      n = given
    }
    self.init(mode, n)
  }
}

/// What a mock provider is like.
package struct MockOptions: Equatable, Sendable {
  package var listen = LabAddress.tcp(host: "127.0.0.1", port: 9100)
  /// In the header `x-mock-provider` and in the statistics.
  package var name = "mock"
  /// Other models are unknown to it (404). Empty: it takes every model.
  package var models: [String] = []
  /// Events with content in a stream.
  package var chunks = 16
  /// Time between two events; zero sends a whole stream at once.
  package var gap = Interval.milliseconds(20)
  /// Time from the request's last byte to the answer's first.
  package var think = Interval.zero
  package var failure: MockFailure?
  /// Seconds in the Retry-After header of a 429; nil leaves it out.
  package var retryAfter: Int?
  /// Bytes of text in an answer, over all chunks; 0 is one word per chunk.
  package var bodyBytes = 0

  package init() {}

  /// The options that a command line asks for.
  package static func parse(_ list: [String]) throws(UsageError) -> Invocation<MockOptions> {
    var options = MockOptions()
    var arguments = Arguments(list)
    while let name = try arguments.next() {
      switch name {
      case "--listen": options.listen = try LabAddress(try arguments.value())
      case "--name": options.name = try plain(try arguments.value())
      case "--models":
        options.models = try arguments.value().split(separator: ",").map { String($0) }
        if options.models.isEmpty { throw UsageError("--models wants names with commas between them") }
      case "--chunks": options.chunks = try arguments.number(1...1_000_000)
      case "--gap-ms": options.gap = .milliseconds(Int64(try arguments.number(0...3_600_000)))
      case "--think-ms": options.think = .milliseconds(Int64(try arguments.number(0...3_600_000)))
      case "--fail": options.failure = try MockFailure(try arguments.value())
      case "--retry-after": options.retryAfter = try arguments.number(0...10_000_000)
      case "--body-bytes": options.bodyBytes = try arguments.number(0...(1 << 30))
      case "--help", "-h": return .help
      default: throw arguments.unknown()
      }
    }
    return .run(options)
  }

  /// A name that can stand in a header.
  private static func plain(_ text: String) throws(UsageError) -> String {
    for byte in text.utf8 where byte < 33 || byte > 126 {
      throw UsageError("--name wants printable ASCII without spaces")
    }
    if text.isEmpty { throw UsageError("--name is empty") }
    return text
  }

  package static let help: StaticString = """
    usage: synaxis mock [OPTIONS]

    An OpenAI-style provider to test against. It answers every POST endpoint, streams word by word, and fails
    on demand. The text is the same each time.

      --listen A        HOST:PORT, [V6]:PORT or unix:PATH (default 127.0.0.1:9100)
      --name NAME       said in the header x-mock-provider (default mock)
      --models A,B      the models that it has; others get 404 (default: any model)
      --chunks N        events with content in a stream (default 16)
      --gap-ms M        time between two events; 0 sends the whole stream at once (default 20)
      --think-ms T      time before an answer begins (default 0)
      --body-bytes N    bytes of text in an answer, over all its chunks (default: one word per chunk)
      --retry-after S   seconds in the Retry-After header of a 429 (default: no header)
      --fail MODE[:N]   every N-th POST fails (default: each):
          429 500 401         that status with OpenAI's error object
          hang                the request is read and never answered
          error-in-200        status 200 with an error object
          empty-stream        status 200 and an empty body
          truncate            half the answer, then the connection ends
        and with another meaning of N:
          503:N               "Loading model", as llama.cpp says; the first N POSTs (default: every one)
          refuse-after:N      N POSTs are answered, then it listens no more
          reset-after-chunks:N  each stream is reset after N chunks, a plain answer in its middle

    Besides: GET /v1/models, /health, /mock/stats (JSON: requests, completed, cancelled, failed, bytes) and
    /mock/last (the last POST as it came).
    """
}
