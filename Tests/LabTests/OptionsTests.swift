import Base
import Lab
import Testing

@Suite struct MockOptionsTests {
  private static func options(_ change: (inout MockOptions) -> Void) -> MockOptions {
    var options = MockOptions()
    change(&options)
    return options
  }

  @Test(arguments: [
    ([], options { _ in }),
    (["--listen", "unix:/run/m.sock"], options { $0.listen = .unix(path: "/run/m.sock") }),
    (["--listen=[::1]:99"], options { $0.listen = .tcp(host: "::1", port: 99) }),
    (["--listen", "9"], options { $0.listen = .tcp(host: "127.0.0.1", port: 9) }),
    (["--listen", ":9"], options { $0.listen = .tcp(host: "127.0.0.1", port: 9) }),
    (
      ["--chunks", "3", "--gap-ms=0", "--think-ms", "5"],
      options {
        $0.chunks = 3
        $0.gap = .zero
        $0.think = .milliseconds(5)
      }
    ),
    (["--fail", "429"], options { $0.failure = MockFailure(.tooManyRequests) }),
    (["--fail", "500:3"], options { $0.failure = MockFailure(.serverError, 3) }),
    (["--fail=reset-after-chunks:7"], options { $0.failure = MockFailure(.resetAfterChunks, 7) }),
    (["--fail", "refuse-after"], options { $0.failure = MockFailure(.refuseAfter) }),
    (["--fail", "hang"], options { $0.failure = MockFailure(.hang) }),
    (["--fail", "error-in-200"], options { $0.failure = MockFailure(.errorIn200) }),
    (["--fail", "empty-stream"], options { $0.failure = MockFailure(.emptyStream) }),
    (["--fail", "truncate:2"], options { $0.failure = MockFailure(.truncate, 2) }),
    (["--fail", "401"], options { $0.failure = MockFailure(.unauthorized) }),
    (["--fail", "503"], options { $0.failure = MockFailure(.loading, .max) }),
    (["--fail", "503:4"], options { $0.failure = MockFailure(.loading, 4) }),
    (
      ["--name", "x", "--models", "a,b", "--retry-after", "9", "--body-bytes", "10"],
      options {
        $0.name = "x"
        $0.models = ["a", "b"]
        $0.retryAfter = 9
        $0.bodyBytes = 10
      }
    ),
  ])
  func accepted(arguments: [String], expected: MockOptions) throws {
    guard case .run(let options) = try MockOptions.parse(arguments) else {
      Issue.record("help was not asked for")
      return
    }
    #expect(options == expected)
  }

  @Test(arguments: [
    (["--chunk", "3"], "unknown argument '--chunk'"), (["x"], "unknown argument 'x'"),
    (["--chunks"], "--chunks wants a value"), (["--chunks", "0"], "from 1 to"),
    (["--chunks", "+1"], "not '+1'"),
    (["--fail", "418"], "'418' is none of 429, 500, 401, 503, refuse-after"),
    (["--fail", "429:0"], "from 1 on"), (["--fail", "429:"], "from 1 on"),
    (["--listen", "::1:80"], "in brackets"), (["--listen", "host"], "HOST:PORT"),
    (["--listen", "a:70000"], "HOST:PORT"), (["--listen", "unix:"], "path is missing"),
    (["--name", "a b"], "without spaces"), (["--name="], "is empty"), (["--models="], "commas"),
    (["--help=1"], "unused"),
  ])
  func refused(arguments: [String], message: String) {
    if message == "unused" {
      // Help is help, whatever hangs on it.
      #expect(throws: Never.self) { try MockOptions.parse(arguments) }
      return
    }
    let error = #expect(throws: UsageError.self) { try MockOptions.parse(arguments) }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test(arguments: [["-h"], ["--help"], ["--chunks", "2", "--help"]])
  func help(arguments: [String]) throws {
    guard case .help = try MockOptions.parse(arguments), case .help = try LoadOptions.parse(["--help"]) else {
      Issue.record("help was asked for")
      return
    }
    for line in "\(MockOptions.help)\n\(LoadOptions.help)".split(separator: "\n") {
      #expect(line.count <= 110)
    }
    for mode in MockFailure.Mode.allCases { #expect("\(MockOptions.help)".contains(mode.rawValue)) }
  }
}

@Suite struct LoadOptionsTests {
  private static func options(_ change: (inout LoadOptions) -> Void) -> LoadOptions {
    var options = LoadOptions()
    change(&options)
    return options
  }

  @Test(arguments: [
    (["http://127.0.0.1:8080"], options { _ in }),
    (["http://127.0.0.1:8080/"], options { _ in }),
    (["http://127.0.0.1:8080/v1"], options { _ in }),
    (["127.0.0.1:8080"], options { _ in }),
    (
      ["http://a.example/api/v1"],
      options {
        $0.instance = Instance(.tcp(host: "a.example", port: 80), host: "a.example")
        $0.path = "/api/v1/chat/completions"
      }
    ),
    (
      ["http://[::1]/v1/"],
      options { $0.instance = Instance(.tcp(host: "::1", port: 80), host: "[::1]") }
    ),
    (["http://127.0.0.1:8080/v1/embeddings"], options { $0.path = "/v1/embeddings" }),
    (
      ["unix:/run/s.sock", "--path", "/x"],
      options {
        $0.instance = Instance(.unix(path: "/run/s.sock"))
        $0.path = "/x"
      }
    ),
    (
      ["-c", "3", "-n", "10", "http://127.0.0.1:8080", "--stream", "--model", "m"],
      options {
        $0.connections = 3
        $0.amount = .requests(10)
        $0.stream = true
        $0.model = "m"
      }
    ),
    (
      ["http://127.0.0.1:8080", "--for", "2m", "--rate=50", "--json", "--key", "k", "--body-bytes", "9"],
      options {
        $0.amount = .time(.seconds(120))
        $0.rate = 50
        $0.json = true
        $0.key = "k"
        $0.bodyBytes = 9
      }
    ),
    (["http://127.0.0.1:8080", "--for", "3"], options { $0.amount = .time(.seconds(3)) }),
    (["http://127.0.0.1:8080", "--for", "250ms"], options { $0.amount = .time(.milliseconds(250)) }),
    (["http://127.0.0.1:8080", "--timeout", "1h"], options { $0.timeout = .seconds(3600) }),
    (
      ["http://127.0.0.1:8080", "--warm-up=0", "--allow-remote", "--same"],
      options {
        $0.warmUp = 0
        $0.allowRemote = true
        $0.distinct = 1
      }
    ),
    (
      ["https://127.0.0.1/v1"],
      options {
        $0.instance = Instance(.tcp(host: "127.0.0.1", port: 443), host: "127.0.0.1", isSecure: true)
      }
    ),
    (["http://127.0.0.1:8080", "--distinct", "20"], options { $0.distinct = 20 }),
  ])
  func accepted(arguments: [String], expected: LoadOptions) throws {
    guard case .run(let options) = try LoadOptions.parse(arguments) else {
      Issue.record("help was not asked for")
      return
    }
    #expect(options == expected)
  }

  @Test(arguments: [
    ([], "URL is missing"), (["ftp://h"], "is no URL"), (["a.example/v1"], "is no URL"),
    (["http://"], "host is missing"), (["http://:80"], "host is missing"), (["http://h:x"], "HOST:PORT"),
    (["http://a", "http://b"], "more than one URL"), (["http://a", "-c", "0"], "from 1 to"),
    (["http://a", "--for", "0s"], "wants a time"), (["http://a", "--for", "1d"], "wants a time"),
    (["http://a", "--for", "s"], "wants a time"), (["http://a", "--stream=1"], "takes no value"),
    (["http://a", "--key", "a b"], "control character"), (["http://a", "--path", "x"], "slash"),
    (["http://a", "-n", "5", "--for", "1s"], "exclude each other"),
    (["http://a", "--for", "1s", "-n", "5"], "exclude each other"),
    (["http://a", "--rate", "0"], "from 1 to"), (["http://a", "--rate", "1.5"], "from 1 to"),
    (["http://a", "--distinct", "0"], "from 1 to"), (["http://a", "-n"], "wants a value"),
    (["http://a/x y"], "control character"), (["http://a", "--fast"], "unknown argument '--fast'"),
  ])
  func refused(arguments: [String], message: String) {
    let error = #expect(throws: UsageError.self) { try LoadOptions.parse(arguments) }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }
}
