import Base
import Policy
import Testing
import TierFile

@Suite struct SettingsTests {
  private func configuration(_ text: String) throws -> Configuration {
    let reading = Samples.read(Samples.with(text))
    #expect(reading.report == "")
    return try #require(reading.configuration)
  }

  @Test func defaultsAreThoseOfTheSettings() throws {
    var expected = Configuration()
    expected.providers = try configuration("").providers
    #expect(try configuration("") == expected)
    // Empty sections are as good as none.
    #expect(
      try configuration("limits:\ntimeouts: ~\ncache: {}\nlog: null\nadmin:\nclients: []\naliases:")
        == expected)
  }

  @Test(
    arguments: [
      ("127.0.0.1:8080", .tcp(host: "127.0.0.1", port: 8080)), ("8081", .tcp(host: "127.0.0.1", port: 8081)),
      (":8080", .tcp(host: "0.0.0.0", port: 8080)), ("\"*:1\"", .tcp(host: "0.0.0.0", port: 1)),
      ("localhost:0", .tcp(host: "127.0.0.1", port: 0)), ("\"[::1]:8080\"", .tcp(host: "::1", port: 8080)),
      ("unix:/run/s.sock", .unix(path: "/run/s.sock")), ("unix:///run/s.sock", .unix(path: "/run/s.sock")),
      ("fd://", .inherited(index: 0)), ("fd://3", .inherited(index: 3)),
      ("\"${TEN}0\"", .tcp(host: "127.0.0.1", port: 100)),
    ] as [(String, Listen)])
  func addresses(_ text: String, _ listen: Listen) throws {
    #expect(try configuration("allow_anonymous: true\nlisten: \(text)").listen == [listen])
  }

  @Test(
    arguments: [
      ("80ms", 80_000_000), ("5s", 5_000_000_000), ("5m", 300_000_000_000), ("1h", 3_600_000_000_000),
      ("1m30s", 90_000_000_000), ("1.5s", 1_500_000_000), ("2", 2_000_000_000), ("0.25", 250_000_000),
      ("1h0m1s", 3_601_000_000_000), ("0", 0), ("1d", 86_400_000_000_000),
    ] as [(String, Int64)])
  func durations(_ text: String, _ nanoseconds: Int64) throws {
    #expect(try configuration("timeouts: { drain: \(text) }").timeouts.drain.nanoseconds == nanoseconds)
  }

  @Test(arguments: [
    "5 s", "s", "5x", "1.s", ".5s", "1..5s", "5s5s", "1s1m", "1e3", "+5s", "5S", "99999999999d", "--", "2d",
  ])
  func badDurations(_ text: String) {
    #expect(Samples.read(Samples.with("timeouts: { drain: \"\(text)\" }")).hasErrors)
  }

  @Test(arguments: [
    ("65536", 65536), ("64KiB", 65536), ("64k", 65536), ("64kib", 65536), ("64 KiB", 65536),
    ("1MB", 1_000_000),
    ("1MiB", 1_048_576), ("1M", 1_048_576), ("0.5MiB", 524288), ("1GiB", 1 << 30), ("70000B", 70000),
    ("1gb", 1_000_000_000),
  ])
  func sizes(_ text: String, _ bytes: Int) throws {
    #expect(try configuration("cache: { size: \(text) }").cache.size == bytes)
  }

  @Test(arguments: ["64KB2", "KiB", "-1", "1TiB", "1.5.5MiB", "99999999999999999999", "64  KiB", "1e9"])
  func badSizes(_ text: String) {
    #expect(Samples.read(Samples.with("cache: { size: \"\(text)\" }")).hasErrors)
  }

  @Test(arguments: [
    ("true", true), ("yes", true), ("On", true), ("\"true\"", true), ("false", false), ("no", false),
    ("OFF", false),
    ("\"${NOWHERE:-yes}\"", true),
  ])
  func flags(_ text: String, _ flag: Bool) throws {
    #expect(try configuration("cache: \(text)").cache.enabled == flag)
    #expect(try configuration("allow_anonymous: \(text)").allowAnonymous == flag)
  }

  @Test func everySettingIsRead() throws {
    let read = try configuration(
      """
      listen: [127.0.0.1:1, "unix:/a"]
      admin: { token: SYNAXIS_ADMIN_TOKEN, listen: "unix:/b" }
      clients:
        - { name: a, key: "${APP_KEY}", models: [m, quick, ollama/m], rpm: 6, concurrent: 2 }
        - { name: b, key_sha256: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eFF }
        - { name: c, enabled: false }
      allow-anonymous: true
      ExposeHeaders: false
      hosts: [Pi.Local]
      cors: { origins: "https://App.Example:8443" }
      limits: { concurrent_requests: 1, queue: 2, connections: 3, request_body: 4KiB, header: 5KiB, memory: 6MiB }
      timeouts: { failover: 1, connect: 2, first_token: 3, stream_idle: 4, request: 5, drain: 6 }
      cache: { enabled: true, sampled: true, ttl: 7, size: 32KiB, vary: [X-A, x-b], coalesce: no, replay: paced, max_temperature: 0.5 }
      log: { format: json, level: warn }
      hedge: 2s
      affinity: { enabled: true, ttl: 1h, entries: 16 }
      aliases: { quick: ollama/m, slow: { candidates: [m], cache: off, coalesce: no } }
      """)
    #expect(read.listen == [.tcp(host: "127.0.0.1", port: 1), .unix(path: "/a")])
    #expect(read.admin.token == Secret("adm-four") && read.admin.listen == [.unix(path: "/b")])
    var a = Client(name: "a", key: .plain(Secret("app-five")))
    a.models = ["m", "quick", "ollama/m"]
    a.requestsPerMinute = 6
    a.concurrent = 2
    #expect(read.clients == [a, Client(name: "b", key: .sha256(Array(0...30) + [255]))])
    #expect(read.allowAnonymous && !read.exposeHeaders)
    #expect(read.hosts == ["pi.local"] && read.corsOrigins == ["https://app.example:8443"])
    var limits = LimitSettings()
    limits.concurrentRequests = 1
    limits.queue = 2
    limits.connections = 3
    limits.requestBody = 4096
    limits.header = 5120
    limits.memory = 6 << 20
    #expect(read.limits == limits)
    let timeouts = read.timeouts
    #expect(
      [
        timeouts.failover, timeouts.connect, timeouts.firstToken, timeouts.streamIdle, timeouts.request,
        timeouts.drain,
      ] == (1...6).map { .seconds($0) })
    var cache = CacheSettings()
    cache.sampled = true
    cache.ttl = .seconds(7)
    cache.size = 32768
    cache.vary = ["x-a", "x-b"]
    cache.coalesce = false
    cache.replay = .paced
    cache.maxTemperature = 0.5
    #expect(read.cache == cache)
    var affinity = AffinitySettings()
    affinity.ttl = .seconds(3600)
    affinity.entries = 16
    #expect(read.affinity == affinity)
    #expect(try !configuration("affinity: off").affinity.enabled)
    #expect(try !configuration("affinity: { enabled: no }").affinity.enabled)
    #expect(read.log.format == .json && read.log.level == .warning)
    #expect(read.hedge == .seconds(2))
    var slow = Alias(name: "slow", targets: [Alias.Target(provider: "ollama", model: "m")])
    slow.caches = false
    slow.coalesces = false
    #expect(
      read.aliases == [Alias(name: "quick", targets: [Alias.Target(provider: "ollama", model: "m")]), slow])
  }

  @Test func aBoundThatBoundsNothingIsAWarning() throws {
    let reading = Samples.read(Samples.with("cache: { max_temperature: 1 }"))
    #expect(
      reading.report
        == "f:1:27: warning: cache.max_temperature bounds nothing: only requests with temperature 0 are cached; write sampled: true beside it\n"
    )
    #expect(reading.configuration?.cache.maxTemperature == 1)
    #expect(Samples.read(Samples.with("cache: { sampled: true, max_temperature: 1 }")).report.isEmpty)
  }

  @Test func moneyWithoutPricesIsAWarning() throws {
    let reading = Samples.read(Samples.provider("{ type: ollama, spend: { day: 1 }, models: [m] }"))
    #expect(
      reading.report
        == "f:3:28: warning: providers.p.spend bounds nothing: no cost is given; write cost: { input: …, output: … } beside it\n"
    )
    #expect(reading.configuration?.providers.first?.spendPerDay == Money(billionths: 1_000_000_000))
    let client = "clients: [{ name: a, key: k, spend: { day: 1 } }]"
    #expect(
      Samples.read(Samples.with(client)).report
        == "f:1:37: warning: clients.spend bounds nothing: no provider has a cost; write cost: { input: …, output: … } at those that are paid\n"
    )
    let paid = "p: { type: ollama, models: { m: { cost: { output: 1 } } } }"
    #expect(Samples.read("\(client)\nproviders: { \(paid) }\n").report.isEmpty)
  }

  @Test func aPriceIsNotNegative() {
    #expect(
      Samples.read(Samples.provider("{ type: ollama, cost: { input: -1 }, models: [m] }")).report
        == "f:3:36: error: providers.p.cost.input must be a number of 0 or more, this is \"-1\"\n")
  }

  @Test func synaxisCachesWhateverIsAsked() throws {
    for (text, isOn) in [("true", true), ("false", false)] {
      let read = try configuration("EnableResponseCaching: \(text)")
      #expect(read.cache.enabled == isOn && read.cache.sampled == isOn)
    }
    let both = try configuration("EnableResponseCaching: true\ncache: { sampled: false }")
    #expect(both.cache.enabled && !both.cache.sampled)
  }

  @Test func sharingIsToldWhereClientsDo() throws {
    for (vary, words) in [
      ("[]", "temperature 0 only, shared by all clients,"),
      ("[x-a]", "temperature 0 only, vary x-a, shared by all clients,"),
      ("[x-a, Authorization]", "temperature 0 only, vary x-a authorization,"),
    ] {
      let read = try configuration("cache: { vary: \(vary) }")
      #expect(RoutingTable(read).text.contains(words))
    }
  }

  @Test func anchorsAndMergesAreFilledIn() throws {
    let reading = Samples.read(
      """
      x-cheap: &cheap { type: openai, tier: 2, models: &models [a, b] }
      providers:
        one: { <<: *cheap, key: k1, tier: 1 }
        two: { <<: [*cheap, { free: true }], endpoint: "http://localhost:1", models: [c] }
        ollama: { models: *models }
      """)
    #expect(reading.report == "")
    let providers = try #require(reading.configuration?.providers)
    #expect(providers.map(\.tier) == [1, 2, 0])
    #expect(providers.map { $0.models.map(\.name) } == [["a", "b"], ["c"], ["a", "b"]])
    #expect(providers.map(\.free) == [false, true, false])
  }

  @Test func keysMayStandInFiles() throws {
    // This source file is larger than no bound, but holds blanks; an empty one holds nothing.
    let here = #filePath
    let reading = TierFile.read(
      Array(Samples.provider("{ type: groq, key_file: SettingsTests.swift, models: [m] }").utf8).span,
      named: here,
      environment: Samples.environment)
    #expect(
      reading.problems.map(\.message) == [
        "providers.p.key_file holds a blank or a character that cannot stand in a header"
      ])
    let empty = Samples.read(Samples.provider("{ type: groq, key_file: /dev/null, models: [m] }"))
    #expect(empty.problems.map(\.message) == ["providers.p.key_file: the file \"/dev/null\" is empty"])
    let endless = Samples.read(Samples.provider("{ type: groq, key_file: /dev/zero, models: [m] }"))
    #expect(endless.problems.map(\.message) == ["providers.p.key_file: the file is larger than 64 KiB"])
  }
}

@Suite struct AliasTests {
  private static let providers = """
    providers:
      groq: { key: k, models: { big: llama-70b, small: llama-8b } }
      router: { type: openrouter, key: k, models: [groq/other, big] }
      ollama: { models: ["*", embed] }
      gone: { enabled: false }

    """

  @Test(arguments: [
    ("groq/big", ["groq/big"]), ("groq/llama-70b", ["groq/big"]), ("GROQ/small", ["groq/small"]),
    ("big", ["groq/big", "router/big"]), ("groq/other", ["router/groq/other"]),
    ("router/groq/other", ["router/groq/other"]), ("ollama/anything:1b", ["ollama/anything:1b"]),
    ("ollama/embed", ["ollama/embed"]), ("embed", ["ollama/embed"]),
  ])
  func candidatesAre(_ text: String, _ targets: [String]) throws {
    let reading = Samples.read(Self.providers + "aliases: { x: [\"\(text)\", gone/x] }\n")
    #expect(reading.report == "")
    let alias = try #require(reading.configuration?.aliases.first)
    #expect(alias.targets.map { "\($0.provider)/\($0.model)" } == targets)
  }

  @Test(arguments: [
    (
      "[groq/bih]",
      "f:6:16: error: aliases.x: the provider \"groq\" lists no model \"bih\"; did you mean \"groq/big\"?"
    ),
    (
      "[groq/nothing]",
      "f:6:16: error: aliases.x: the provider \"groq\" lists no model \"nothing\"; add it to providers.groq.models"
    ),
    ("[gorq/big]", "f:6:16: error: aliases.x: no provider \"gorq\"; did you mean \"groq/big\"?"),
    ("[nobody/big]", "f:6:16: error: aliases.x: no provider \"nobody\""),
    ("[smal]", "f:6:16: error: aliases.x: no provider lists a model \"smal\"; did you mean \"small\"?"),
    (
      "[ollama/]",
      "f:6:16: error: aliases.x: the provider \"ollama\" lists no model \"\"; add it to providers.ollama.models"
    ),
    ("[x]", "f:6:16: error: aliases.x: an alias cannot lead to another alias"),
    ("[]", "f:6:12: error: aliases.x has no candidates"),
    ("{ candidates: }", "f:6:12: error: aliases.x has no candidates"),
    (
      "{ canddates: [big] }",
      "f:6:17: error: unknown key \"canddates\" in aliases.x; did you mean \"candidates\"?\nf:6:12: error: aliases.x has no candidates"
    ),
    ("[[big]]", "f:6:16: error: aliases.x must be a single value, this is a list"),
  ])
  func candidatesThatAreNot(_ list: String, _ report: String) {
    let reading = Samples.read(Self.providers + "aliases: { x: \(list) }\n")
    let lines = report.split(separator: "\n").sorted().joined(separator: "\n") + "\n"
    #expect(reading.report == lines)
  }
}
