package import Base

/// What load is made.
package struct LoadOptions: Equatable, Sendable {
  /// When to stop.
  package enum Amount: Equatable, Sendable {
    case requests(Int)
    case time(Interval)
  }

  /// The target, without its path.
  package var instance = Instance()
  package var path = "/v1/chat/completions"
  package var connections = 8
  package var amount = Amount.requests(1_000)
  package var stream = false
  /// nil: the first that the target lists, or else `usualModel`.
  package var model: String?
  /// Requests per second that are begun whatever the answers do; nil: each connection asks again when it has
  /// its answer.
  package var rate: Int?
  package var json = false
  /// The bearer token.
  package var key: String?
  /// Bytes of the prompt.
  package var bodyBytes = 100
  package var timeout = Interval.seconds(60)
  /// Requests on each connection before the measurement begins.
  package var warmUp = 1
  package var allowRemote = false
  /// How many different requests are sent in turn, so that a cache may answer; nil: none is sent twice.
  package var distinct: Int?

  package init() {}

  /// What a target is asked for that lists nothing.
  package static let usualModel = "mock-model"

  /// Where the target lists its models: beside the path, as far as that is known to go.
  package var modelsPath: String {
    let bytes = Array(path.utf8)
    guard let version = bytes.span.firstRange(of: "/v1/") else { return "/v1/models" }
    return String(decoding: bytes[..<version], as: UTF8.self) + "/v1/models"
  }

  package static func parse(_ list: [String]) throws(UsageError) -> Invocation<LoadOptions> {
    var options = LoadOptions()
    var arguments = Arguments(list)
    var url: String?
    var path: String?
    var measure: String?
    while let name = try arguments.next() {
      switch name {
      case "-c", "--connections": options.connections = try arguments.number(1...Limits.loadConnections)
      case "-n", "--requests", "--for":
        if let measure, (measure == "--for") != (name == "--for") {
          throw UsageError("\(measure) and \(name) exclude each other: a number of requests, or a time")
        }
        measure = name
        options.amount =
          if name == "--for" {
            .time(try arguments.duration())
          } else {
            .requests(try arguments.number(1...1_000_000_000))
          }
      case "--stream": options.stream = true
      case "--model": options.model = try arguments.value()
      case "--rate": options.rate = try arguments.number(1...1_000_000)
      case "--json": options.json = true
      case "--key": options.key = try arguments.value()
      case "--body-bytes": options.bodyBytes = try arguments.number(0...(64 << 20))
      case "--path": path = try arguments.value()
      case "--timeout": options.timeout = try arguments.duration()
      case "--warm-up": options.warmUp = try arguments.number(0...1_000)
      case "--allow-remote": options.allowRemote = true
      case "--same": options.distinct = 1
      case "--distinct": options.distinct = try arguments.number(1...1_000_000_000)
      case "--help", "-h": return .help
      default:
        if name.hasPrefix("-") { throw arguments.unknown() }
        if url != nil { throw UsageError("more than one URL: '\(name)'") }
        url = name
      }
    }
    guard let url else { throw UsageError("the URL is missing, as in: synaxis bench http://127.0.0.1:8080") }
    try options.read(url)
    if let path { options.path = path }
    try options.check()
    return .run(options)
  }

  /// An address without a path is asked for chat completions, and so is one whose path ends with the version.
  private mutating func read(_ url: String) throws(UsageError) {
    instance = try Instance(url: url)
    let given = instance.takePrefix()
    if given.hasSuffix("/v1") {
      path = given + "/chat/completions"
    } else if !given.isEmpty {
      path = given
    }
  }

  /// What goes into the request must not end a line of it.
  private func check() throws(UsageError) {
    if !path.hasPrefix("/") { throw UsageError("--path begins with a slash") }
    for text in [path, key ?? ""] where !isOneWord(text) {
      throw UsageError("'\(text)' has a space or a control character in it")
    }
  }

  package static let help: StaticString = """
    usage: synaxis bench URL [OPTIONS]

    Sends chat requests and measures the answers. URL is http[s]://HOST[:PORT][/PATH], HOST:PORT or
    unix:PATH; without a path it is /v1/chat/completions. Over https it is HTTP/1.1, and the certificate has to be
    good for the system's authorities, or for those of $SSL_CERT_FILE.

      -c N              connections, each with one request at a time (default 8)
      -n N              requests to make (default 1000), or
      --for D           time to go on for: 500ms, 10s, 2m
      --stream          ask for event streams
      --rate R          begin R requests per second whatever the answers do, and measure from the moment at
                        which a request was due; without it each connection asks again after its answer
      --model M         (default: the first of the target's /v1/models)
      --key K           bearer token
      --path P          request path
      --body-bytes N    length of the prompt (default 100)
      --timeout D       time for one answer (default 60s)
      --warm-up N       requests on each connection before the measurement (default 1)
      --same            send the same request each time, so that a cache may answer; else each is different
      --distinct N      send N different requests in turn
      --json            print the result as JSON
      --allow-remote    permit a target that is not on this machine: its requests may cost money

    First token: the first event with content of a stream, or the first byte of a plain answer's body. Gap:
    time between two events with content. An answer is an error if it is cut, times out, has a status other
    than 2xx, or is a stream that reports an error or does not say that it is over.
    """
}
