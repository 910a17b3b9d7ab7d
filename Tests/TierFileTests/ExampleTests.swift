import Base
import Policy
import TestSupport
import Testing
import TierFile

@Suite struct ExampleTests {
  private static let environment = Environment(
    entries: [
      "GROQ_API_KEY=k1", "DEEPINFRA_KEY=k2", "CEREBRAS_API_KEY=k3", "SAMBANOVA_API_KEY=k4",
      "CLOUDFLARE_API_TOKEN=k5",
      "CLOUDFLARE_ACCOUNT_ID=a1", "OPENROUTER_API_KEY=k6", "SYNAXIS_ADMIN_TOKEN=k7", "NOT A VARIABLE",
    ])

  private static func path(_ name: String) -> String {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/\(root)/etc/\(name)"
  }

  @Test(arguments: [("synaxis.yaml", 3, 2), ("pi-ollama.yaml", 2, 1), ("free-tier.yaml", 6, 2)])
  func examplesHaveNoProblems(_ name: String, _ providers: Int, _ aliases: Int) {
    let reading = TierFile.read(path: Self.path(name), environment: Self.environment)
    #expect(reading.report == "")
    #expect(reading.configuration?.providers.count == providers)
    #expect(reading.configuration?.aliases.count == aliases)
  }

  /// What the documented example says of settings is what holds without it.
  @Test func theExampleStatesTheDefaults() throws {
    let read = try #require(
      TierFile.read(path: Self.path("synaxis.yaml"), environment: Self.environment).configuration)
    var expected = Configuration()
    expected.admin.token = Secret("k7")
    expected.providers = read.providers
    expected.aliases = read.aliases
    #expect(read == expected)
  }

  @Test func theTableShowsEverythingButSecrets() throws {
    let read = try #require(
      TierFile.read(path: Self.path("synaxis.yaml"), environment: Self.environment).configuration)
    #expect(
      RoutingTable(read).text == """
        listen    127.0.0.1:8080
        admin     with token ****
        clients   anyone on this machine
        limits    100 requests at once, 100 queued, 512 connections, body 32MiB, header 32KiB, memory 64MiB
        timeouts  failover 80ms, connect 5s, first_token 1m, stream_idle 1m, request 2m, drain 5m
        cache     8MiB, ttl 5m, temperature 0 only, vary authorization, coalescing
        affinity  4096 conversations, 10m each

        TIER  PROVIDER   TYPE    KEYS  LIMITS                                                 COST       ENDPOINT
        0     groq       groq    ****  30 rpm, 14400 rpd, 100000 tpm, 500000 tpd, 10 at once  free       https://api.groq.com/openai/v1
               llama-3.3-70b-versatile
               llama-3.1-8b-instant
               - context 131072
               - edits drop logprobs, drop top_logprobs, drop logit_bias, drop messages[].name, drop n unless 1
        2     deepinfra  openai  ****  -                                                      $0.23/0.4  https://api.deepinfra.com/v1/openai
               llama-3.3-70b-versatile -> meta-llama/Llama-3.3-70B-Instruct
               llama-3.1-8b-instant -> meta-llama/Meta-Llama-3.1-8B-Instruct ($0.03/0.05, context 131072)
               - edits drop logit_bias, drop n unless 1, drop messages[].name where "", rename max_completion_tokens to max_tokens, clamp max_tokens to 8192, default temperature to 0.7, replace messages[].content null with ""
        3     ollama     ollama  none  -                                                      -          http://localhost:11434/v1
               * (any other name)

        ALIAS  CANDIDATES
        fast   groq/llama-3.1-8b-instant, deepinfra/llama-3.1-8b-instant
        best   groq/llama-3.3-70b-versatile, deepinfra/llama-3.3-70b-versatile

        """)
  }

  @Test func secretsStandInNoMessageAndNoTable() {
    let text = """
      admin: { token: "hidden-1", token_file: /nonexistent }
      clients: [{ name: a, key: hidden-2 }, { name: b, key: hidden-2 }, { name: c, key: "hidden 3" }]
      providers:
        p: { type: groq, keys: [hidden-4, hidden-4, "hidden\\n5", { hidden: 6 }], models: [m], proxy: "hidden://7" }
        q: { type: openai, endpoint: "https://hidden:8@h/v1?hidden=9", headers: { X-A: "hidden\\n10" }, models: [m] }
        r: { type: groq, key: "${HIDDEN:-hidden-11}", tier: "${HOSTILE}", models: [m] }
      """
    let reading = Samples.read(text)
    #expect(reading.problems.count == 11)
    #expect(!reading.report.contains("hidden-") && !reading.report.contains("hidden\n"))
    #expect(!reading.report.contains("hidden:8") && !reading.report.contains("hidden=9"))
    #expect(!reading.report.contains("X-Evil"))
  }

  /// Seeded mutations of the examples: no crash, every problem at a place in the file, and a configuration
  /// exactly where there is no error.
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func mutationsAreReadOrReported(_ seed: UInt64) throws {
    var random = SeededRandom(seed)
    let originals = try ["synaxis.yaml", "pi-ollama.yaml", "free-tier.yaml"].map {
      try File.read(Self.path($0), atMost: Limits.tierFile)
    }
    let tokens = [
      "{", "}", "[", "]", ": ", ", ", "- ", "\"", "'", "${", "}", "&a ", "*a", "<<: *a", "|\n", "\t", "\n",
      "#",
      "null", "-1", "\u{1F600}", "\\u", "---\n", "//", "/*", "99999999999999999999",
    ].map { Array($0.utf8) }
    for _ in 0..<150 {
      var bytes = originals[random.below(3)]
      for _ in 0...random.below(4) {
        let at = random.below(bytes.count)
        switch random.below(5) {
        case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.insert(contentsOf: random.pick(tokens), at: at)
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(40)))
        case 3: bytes.removeSubrange(at...)
        default:
          let from = random.below(bytes.count)
          bytes.insert(contentsOf: bytes[from..<min(bytes.count, from + random.below(60))], at: at)
        }
        if bytes.isEmpty { bytes = [0x7B] }
      }
      let reading = TierFile.read(bytes.span, named: "f", environment: Self.environment)
      let lines = bytes.count { $0 == 10 || $0 == 13 } + bytes.count { $0 == 0xC2 || $0 == 0xE2 } + 1
      #expect((reading.configuration == nil) == reading.hasErrors)
      for problem in reading.problems {
        #expect((1...lines).contains(problem.line) && problem.column >= 1 && !problem.message.isEmpty)
      }
      if let configuration = reading.configuration { #expect(!RoutingTable(configuration).text.isEmpty) }
    }
  }
}
