import Base
import Policy
import Testing
import TierFile

@Suite struct ProviderTests {
  private func provider(_ inside: String, name: String = "p") throws -> Provider {
    let reading = Samples.read(Samples.provider(inside, name: name))
    #expect(reading.report == "")
    return try #require(reading.configuration?.providers.first)
  }

  @Test(arguments: Preset.all.map(\.name))
  func everyPresetIsAProvider(_ type: String) throws {
    let preset = try #require(Preset.named(type))
    let read = try provider(
      "{ type: \(type), key: sk, account_id: abc, resource: res, models: [m]"
        + (preset.endpoint == nil ? ", endpoint: \"http://localhost/v1\" }" : " }"))
    #expect(read.type == type)
    #expect(read.endpoint.hasPrefix("http") && !read.endpoint.utf8.contains(UInt8(ascii: "{")))
    #expect(read.keys == [Secret("sk")])
    #expect(read.edits == preset.edits)
    #expect(read.quotaHeaders == preset.quotaHeaders)
    for pair in read.quotaHeaders.pairs {
      #expect(!(pair.remaining + pair.reset).utf8.contains { $0 &- 65 < 26 })
    }
  }

  @Test func everyTypeOfTheListIsKnown() {
    let types = [
      "openai", "groq", "together", "cloudflare", "deepinfra", "fireworks", "cohere", "gemini", "openrouter",
      "nvidia", "huggingface", "sambanova", "cerebras", "mistral", "github", "siliconflow", "hyperbolic",
      "zai",
      "deepseek", "pollinations", "azure", "anthropic", "ollama", "llamacpp", "vllm", "lmstudio",
    ]
    for type in types { #expect(Preset.named(type)?.name == type) }
    for type in ["OpenAI", "Cloudflare", "HuggingFace", "Nvidia", "OpenRouter", "LM-Studio", "llama.cpp"] {
      #expect(Preset.named(type) != nil)
    }
  }

  @Test func presetsHoldWhatIsKnown() throws {
    #expect(
      try provider("{ key: k, models: [m] }", name: "groq").edits == [
        RequestEdit(path: "logprobs", action: .drop), RequestEdit(path: "top_logprobs", action: .drop),
        RequestEdit(path: "logit_bias", action: .drop), RequestEdit(path: "messages[].name", action: .drop),
        RequestEdit(path: "n", action: .dropUnless("1")),
      ])
    let cloudflare = try provider("{ key: k, account_id: a1, models: [m] }", name: "cloudflare")
    #expect(cloudflare.endpoint == "https://api.cloudflare.com/client/v4/accounts/a1/ai/v1")
    #expect(cloudflare.edits.first?.action == .replace("null", with: "\"\""))
    let anthropic = try provider("{ key: k, models: [m] }", name: "anthropic")
    #expect(anthropic.keyScheme == .header("x-api-key"))
    #expect(anthropic.headers.map(\.name) == ["anthropic-version"])
    #expect(try provider("{ models: [m] }", name: "ollama").keyScheme == KeyScheme.none)
    #expect(try provider("{ key: '', endpoint: '', models: [m] }", name: "pollinations").keys == [])
    #expect(try provider("{ key: k, models: [m] }", name: "openrouter").quotaIsShared)
  }

  @Test func everyKeyIsRead() throws {
    let read = try provider(
      """
      type: openai
          endpoint: https://h/v1
          keys: [a, "${GROQ_API_KEY}", lit]
          tier: 3
          free: yes
          cost: { input: 0.5, output: 1, cached_input: 0.05 }
          spend: { day: 0.25 }
          context: 8192
          rpm: 1
          rpd: 2
          tpm: 3
          tpd: 4
          concurrent: 5
          headers: { X-Title: "${TEN}!", x-b: '' }
          discover: on
          probe: true
          proxy: "socks5h://u:p@localhost:1080"
          http: 2
          models:
            a: their-a
            b:
            c: { model: their-c, cost: { input: 1, output: 2 }, context: 9, cache: off, coalesce: no }
            d: { enabled: false }
            "*":
          edits:
            - { drop: x }
            - { drop: n, unless: 1 }
            - { drop: s, where: "1" }
            - { rename: y, to: z }
            - { clamp: max_tokens, to: 4096 }
            - { default: stop, to: [a, "b\\"", 1.5, true, null, { k: v }] }
            - { replace: "messages[].content", value: null, with: "" }
      """)
    #expect(read.keys == [Secret("a"), Secret("gsk-one"), Secret("lit")])
    #expect(read.tier == 3 && read.free && read.context == 8192)
    #expect(read.cost == Cost(input: 0.5, output: 1, cachedInput: 0.05))
    #expect(read.spendPerDay == Money(billionths: 250_000_000))
    #expect(read.budgets.requestsPerMinute == 1 && read.budgets.requestsPerDay == 2)
    #expect(
      read.budgets.tokensPerMinute == 3 && read.budgets.tokensPerDay == 4 && read.budgets.concurrent == 5)
    #expect(read.headers.map(\.value) == ["10!", ""])
    #expect(read.discovers && read.probes && read.passesAnyModel)
    #expect(read.proxy == "socks5h://u:p@localhost:1080" && read.http == .http2)
    var c = Model(name: "c", upstreamName: "their-c")
    c.cost = Cost(input: 1, output: 2)
    c.context = 9
    c.caches = false
    c.coalesces = false
    #expect(
      read.models == [Model(name: "a", upstreamName: "their-a"), Model(name: "b", upstreamName: "b"), c])
    #expect(
      read.edits.map(\.action) == [
        .drop, .dropUnless("1"), .dropWhere("\"1\""), .rename("z"), .clamp(4096),
        .fallback("[\"a\",\"b\\\"\",1.5,true,null,{\"k\":\"v\"}]"), .replace("null", with: "\"\""),
      ])
  }

  @Test(arguments: [
    ("GROQ_API_KEY", "gsk-one"), ("${GROQ_API_KEY}", "gsk-one"), ("${NOWHERE:-x}", "x"), ("${EMPTY:-y}", "y"),
    ("pre-${TEN}-post", "pre-10-post"), ("$${TEN}", "${TEN}"), ("a$b$", "a$b$"),
    ("sk-UPPER_CASE", "sk-UPPER_CASE"),
    ("ABCDEF", "ABCDEF"), ("Groq_Api_Key", "Groq_Api_Key"), ("${TEN:-{}", "10"),
  ])
  func keysAreTextsOrVariables(_ text: String, _ key: String) throws {
    #expect(try provider("{ type: groq, key: \"\(text)\", models: [m] }").keys == [Secret(key)])
  }

  @Test func disabledProvidersMayLackTheirVariables() {
    let reading = Samples.read(
      "providers:\n  a: { enabled: no, type: groq, key: NO_SUCH_KEY, models: [m] }\n"
        + "  b: { enabled: false, key: \"${NOWHERE}\" }\n  ollama: { models: [m] }\n"
        + "aliases: { x: [a/m, ollama/m], y: [b/m] }\n")
    #expect(reading.report == "f:5:32: warning: aliases.y is left out: none of its providers is enabled\n")
    #expect(
      reading.configuration?.disabledProviders == [DisabledProvider(name: "a"), DisabledProvider(name: "b")])
    #expect(
      reading.configuration?.aliases == [
        Alias(name: "x", targets: [Alias.Target(provider: "ollama", model: "m")])
      ])
  }
  /// Each is the inside of a provider beside one that is in order.
  @Test(
    arguments: [
      ("{ type: groq, key: \"${NO_KEY}\", models: [m] }", "3:24", "NO_KEY is not set", Self.setIt),
      ("{ type: groq, key: \"${NO_KEY:-}\", models: [m] }", "3:24", "NO_KEY is not set", Self.setIt),
      ("{ type: groq, key: \"${EMPTY}\", models: [m] }", "3:24", "EMPTY is empty", Self.setIt),
      ("{ type: groq, key: \"${EMPTY:-}\", models: [m] }", "3:24", "EMPTY is empty", Self.setIt),
      (
        "{ type: groq, key: NO_KEY, models: [m] }", "3:24", "NO_KEY is not set",
        "; a key written like a variable's name means that variable"
      ),
      (
        "{ type: groq, keys: [\"${NO_KEY}\", \"${EMPTY}\"], models: [m] }", "3:26",
        "NO_KEY is not set, EMPTY is empty", Self.setIt
      ),
      ("{ type: groq, models: [m] }", "2:3", "the type groq needs a key", "; key: ${P_API_KEY}"),
      ("{ type: groq, key: \"\", models: [m] }", "2:3", "the type groq needs a key", "; key: ${P_API_KEY}"),
      (
        "{ type: groq, key_file: /nonexistent/key, models: [m] }", "3:29",
        "the file \"/nonexistent/key\" cannot be read: No such file or directory",
        "; it has to hold the key, and nothing else"
      ),
      (
        "{ type: groq, key_file: /dev/null, models: [m] }", "3:29", "the file \"/dev/null\" is empty",
        "; it has to hold the key, and nothing else"
      ),
      (
        "{ type: groq, key_file: \"${CREDENTIALS}/key\", models: [m] }", "3:29", "CREDENTIALS is not set",
        Self.setIt
      ),
      (
        "{ type: cloudflare, key: k, models: [m] }", "2:3",
        "the type cloudflare needs account_id (or an endpoint)",
        ""
      ),
      (
        "{ type: cloudflare, key: NO_KEY, account_id: \"${NO_ID:-}\", tier: \"${NO_TIER}\", models: [m] }",
        "3:50",
        "NO_ID is not set, NO_KEY is not set", Self.setIt
      ),
      (
        "{ type: azure, key: k, resource: \"${NO_ID}\", models: [m] }", "3:38", "NO_ID is not set", Self.setIt
      ),
      ("{ type: openai, endpoint: \"${NO_URL}\", models: [m] }", "3:31", "NO_URL is not set", Self.setIt),
      (
        "{ type: openai, endpoint: \"https://h/v1\", key: \"${NO_KEY:-}\", models: [m] }", "3:52",
        "NO_KEY is not set", Self.setIt
      ),
    ] as [(String, String, String, String)])
  func whoseKeyOrAccountIsNotThereIsLeftOut(
    _ inside: String, _ place: String, _ reason: String, _ remedy: String
  ) throws {
    let other = "  q: { type: openai, endpoint: \"http://localhost\", models: [n] }\n"
    let more =
      "aliases: { both: [p/m, q/n], one: [p/m], bare: [m, n] }\nclients: [{ name: c, key: k, models: [one, m] }]\n"
    let reading = Samples.read(Samples.provider(inside) + other + more)
    #expect(
      reading.report == "f:\(place): warning: providers.p is left out: \(reason)\(remedy)\n"
        + "f:5:30: warning: aliases.one is left out: none of its providers is enabled\n")
    let read = try #require(reading.configuration)
    #expect(read.providers.map(\.name) == ["q"])
    var expected = DisabledProvider(name: "p", reason: reason, models: ["m"])
    expected.aliases = ["one"]
    #expect(read.disabledProviders == [expected])
    #expect(read.aliases.map(\.name) == ["both", "bare"])
    #expect(
      read.aliases.map(\.targets) == Array(repeating: [Alias.Target(provider: "q", model: "n")], count: 2))
    // Alone it is an error, and so is every warning where that is wanted.
    let alone = Samples.read(Samples.provider(inside))
    #expect(alone.configuration == nil && alone.report.contains("f:\(place): error: "))
    #expect(
      reading.strict.configuration == nil && reading.strict.problems.allSatisfy { $0.severity == .error })
  }

  private static let setIt = "; set it in the environment of synaxis"

  /// Of several keys one may be missing, and where a type needs no key an empty text stands for none.
  @Test func missingKeysThatKeepNobodyOut() throws {
    let some = Samples.read(Samples.provider("{ type: groq, keys: [\"${NO_KEY}\", k], models: [m] }"))
    #expect(
      some.report
        == "f:3:26: warning: providers.p.keys: NO_KEY is not set, the other keys are used\(Self.setIt)\n")
    #expect(some.configuration?.providers.first?.keys == [Secret("k")])
    for type in [
      "ollama", "vllm", "custom, endpoint: \"https://h\"", "openai, endpoint: \"http://localhost\"",
    ] {
      let without = Samples.read(Samples.provider("{ type: \(type), key: \"${NO_KEY:-}\", models: [m] }"))
      #expect(without.report == "")
      #expect(without.configuration?.providers.first?.keys == [])
    }
  }

  /// A key that is there and cannot be one is a mistake, and so is what else is wrong with one that is left out.
  @Test func otherMistakesStayErrors() {
    let text =
      Samples.provider("{ type: groq, key: \"a b\", models: [m] }") + "  q: { type: ollama, models: [m] }\n"
    #expect(Samples.read(text).configuration == nil)
    let misspelt = Samples.provider("{ type: groq, key: NO_KEY, teir: 1, models: [m] }")
    let reading = Samples.read(misspelt + "  q: { type: ollama, models: [m] }\n")
    #expect(reading.problems.map(\.severity) == [.warning, .error])
    let alias = Samples.provider("{ type: groq, key: NO_KEY, models: [model] }")
    let other = "  q: { type: ollama, models: [m] }\naliases: { a: [p/modle, q/m] }\n"
    #expect(
      Samples.read(alias + other).report.contains(
        "error: aliases.a: the provider \"p\" lists no model \"modle\"; did you mean \"p/model\"?\n"))
  }

  @Test func addressesAreReadWithoutKeys() {
    let text =
      "listen: 127.0.0.1:9\nadmin: { token: \"${NO_TOKEN}\", listen: unix:/a }\nproviders: { p: { type: groq, key: NO_KEY } }\n"
    let reading = TierFile.read(
      Array(text.utf8).span, named: "f", environment: Samples.environment, onlyAddresses: true)
    #expect(reading.report == "")
    #expect(reading.configuration?.listen == [.tcp(host: "127.0.0.1", port: 9)])
    #expect(reading.configuration?.admin.listen == [.unix(path: "/a")])
    #expect(reading.configuration?.admin.token == nil)
  }
}
