internal import Base
package import Lab

/// What `synaxis batch` is asked to do.
package struct BatchOptions: Sendable {
  package var input = ""
  package var output = ""
  package var connections = 4
  package var instance = Instance()
  /// The bearer token, where the instance has `clients`.
  package var key: String?

  package init() {}

  /// - Parameter key: from the environment; `--key` goes before it.
  package static func parse(_ list: [String], key: String?) throws(UsageError) -> Invocation<BatchOptions> {
    var options = BatchOptions()
    options.key = key
    var arguments = Arguments(list)
    var input: String?
    while let name = try arguments.next() {
      switch name {
      case "-o", "--output": options.output = try arguments.value()
      case "-c", "--connections": options.connections = try arguments.number(1...Limits.batchConnections)
      case "--url": options.instance = try Instance(url: try arguments.value())
      case "--key": options.key = try arguments.value()
      case "--help", "-h": return .help
      default:
        if name.hasPrefix("-") { throw arguments.unknown() }
        if input != nil { throw UsageError("more than one file: '\(name)'") }
        input = name
      }
    }
    guard let input else {
      throw UsageError("the file is missing, as in: synaxis batch IN.jsonl -o OUT.jsonl")
    }
    if options.output.isEmpty { throw UsageError("-o OUT.jsonl is missing: where the answers go") }
    if options.output == input { throw UsageError("-o names the input: answers go to a file of their own") }
    options.input = input
    if let key = options.key, !isOneWord(key) {
      throw UsageError("the key has a space or a control character in it")
    }
    return .run(options)
  }

  package static let help: StaticString = """
    usage: synaxis batch FILE.jsonl -o OUT.jsonl [OPTIONS]

    Runs a file in OpenAI's Batch format through a running instance, and appends the answers as they come, in the
    Batch output format. Each line of FILE is
      {"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[…]}}
    Both files are checked first. Started again it goes on with what OUT lacks: it may be killed at any moment.
    A 429 or 503 is waited out as long as it says, other failures are tried again a few times; a line that still has
    no answer is left to the next run. The first Ctrl-C finishes what is under way, the second ends at once.

      -o OUT.jsonl      where the answers go; made if it is not there
      -c N              requests at once (default 4)
      --url U           the instance: http[s]://HOST:PORT or unix:PATH (default http://127.0.0.1:8080)
      --key K           bearer token; also from $OPENAI_API_KEY

    Exit codes: 0 every line has a good answer, 1 some have not, 64 usage or key, 65 a file is not as it should be,
    69 nobody answers, 74 OUT cannot be written.
    """
}
