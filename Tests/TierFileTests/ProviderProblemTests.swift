import Base
import Policy
import Testing
import TierFile

@Suite struct ProviderProblemTests {
  @Test(
    arguments: [
      (
        Samples.provider("{ type: grok, models: [m] }"),
        "f:3:13: error: providers.p.type: unknown type \"grok\"; did you mean \"groq\"?\n"
      ),
      (
        Samples.provider("{ models: [m] }"),
        "f:2:3: error: providers.p has no type; say which preset it is, or type: openai with an endpoint\n"
      ),
      (
        Samples.provider("{ type: custom, models: [m] }"),
        "f:2:3: error: providers.p: the type custom needs an endpoint\n"
      ),
      (
        Samples.provider("{ type: groq, models: [m] }"),
        "f:2:3: error: providers.p: the type groq needs a key; key: ${P_API_KEY}\n"
      ),
      (
        Samples.provider("{ type: cloudflare, key: k, models: [m] }"),
        "f:2:3: error: providers.p: the type cloudflare needs account_id (or an endpoint)\n"
      ),
      (
        Samples.provider("{ type: azure, key: k, models: [m] }"),
        "f:2:3: error: providers.p: the type azure needs resource (or an endpoint)\n"
      ),
      (
        Samples.provider("{ type: ollama }"),
        "f:2:3: error: providers.p lists no models; list them, or write models: [\"*\"]\n"
      ),
      (
        Samples.provider("{ type: groq, key: NO_SUCH_KEY, models: [m] }"),
        "f:3:24: error: providers.p.key: NO_SUCH_KEY is not set; "
          + "a key written like a variable's name means that variable\n"
      ),
      (
        Samples.provider("{ type: groq, keys: [sk-a, sk-b, sk-a], models: [m] }"),
        "f:3:38: error: providers.p.keys: the same key stands twice\n"
      ),
      (
        Samples.provider("{ type: groq, key: sk-a, keys: [sk-b], models: [m] }"),
        "f:3:36: error: providers.p has key and keys; one is enough\n"
      ),
      (
        Samples.provider("{ type: groq, key: \"sk a\", models: [m] }"),
        "f:3:24: error: providers.p.key holds a blank or a character that cannot stand in a header\n"
      ),
      (
        Samples.provider("{ type: groq, key_file: /nonexistent, models: [m] }"),
        "f:3:29: error: providers.p.key_file: the file \"/nonexistent\" cannot be read: No such file or directory; "
          + "it has to hold the key, and nothing else\n"
      ),
      (
        Samples.provider("{ type: ollama, models: [a, b, a] }"),
        "f:3:36: error: providers.p.models: the model \"a\" stands twice, first in line 3\n"
      ),
      (
        Samples.provider("{ type: ollama, models: [{ model: x }, [y]] }"),
        """
        f:3:30: error: providers.p.models: this model has no name
        f:3:44: error: providers.p.models: a model is a name or a map, this is a list

        """
      ),
      (
        Samples.provider("{ type: ollama, spend: { day: 0 }, models: [m] }"),
        "f:3:35: error: providers.p.spend.day must be from 0.0001 to 1000000.0, this is \"0\"\n"
      ),
      (
        Samples.provider("{ type: ollama, tier: -1, rpm: 0, cost: { inptu: 1 }, models: [m] }"),
        """
        f:3:27: error: providers.p.tier must be a whole number, this is "-1"
        f:3:36: error: providers.p.rpm must be from 1 to 1099511627776, this is "0"
        f:3:47: error: unknown key "inptu" in providers.p.cost; did you mean "input"?

        """
      ),
      (
        Samples.provider(
          "{ type: groq, key: k, models: [m], headers: { \"a b\": c, Host: d, Authorization: e, X-A: \"${HOSTILE}\" } }"
        ),
        """
        f:3:51: error: providers.p.headers: "a b" is not a header's name
        f:3:61: error: providers.p.headers: host is synaxis' own to send
        f:3:70: error: providers.p.headers: authorization is made from the key
        f:3:93: error: providers.p.headers: the value of x-a holds a line end or another control character

        """
      ),
      (
        Samples.provider("{ type: ollama, models: [m], proxy: nonsense }"),
        "f:3:41: error: providers.p.proxy must be a URL; it begins with http://, socks5://, socks5h://, socks4://, socks4a://\n"
      ),
      (
        Samples.provider(
          "{ type: ollama, models: [m], edits: [{ drop: a, to: b }, { rename: c }, { chop: d }, { drop: \"a..b\" }, "
            + "{ default: a.b, to: 1 }, { clamp: a, to: x }, { rename: a, to: \"b.c\" }, { replace: a, value: 1 }, { drop: a, clamp: b }] }"
        ),
        """
        f:3:53: error: providers.p.edits: "to" does not go with "drop"
        f:3:62: error: providers.p.edits: rename needs to
        f:3:77: error: providers.p.edits: an edit has one of drop, rename, clamp, default, replace
        f:3:79: error: unknown key "chop" in providers.p.edits; did you mean "drop"?
        f:3:98: error: providers.p.edits: not a path of members; for example max_tokens, messages[].name
        f:3:119: error: providers.p.edits: a default is for a member of the request itself
        f:3:149: error: providers.p.edits.to must be a whole number, this is "x"
        f:3:171: error: providers.p.edits: the new name must be one member's name
        f:3:180: error: providers.p.edits: replace needs value and with
        f:3:206: error: providers.p.edits: an edit has one of drop, rename, clamp, default, replace

        """
      ),
    ] as [(String, String)])
  func reportsAre(_ text: String, _ report: String) {
    let reading = Samples.read(text)
    #expect(reading.report == report)
    #expect(reading.configuration == nil)
  }

  private static let noSocket =
    "names no socket: http://unix:/run/NAME.sock:/v1 has an absolute path of at most 107 bytes"

  @Test(arguments: [
    ("ftp://h/v1", "must begin with http:// or https://"),
    ("https://", "names no host"),
    ("https://h:0/v1", "has a port that is not a number from 1 to 65535"),
    ("https://h:+80/v1", "has a port that is not a number from 1 to 65535"),
    ("https://[::1/v1", "names no host"),
    ("https://a b/v1", "holds a blank or a character that must be percent-encoded"),
    ("https://me:secret@h/v1", "must not hold a user name or password; use key"),
    ("https://h/v1?key=secret", "must not hold a query or fragment"),
    ("https://h/v1#x", "must not hold a query or fragment"),
    ("http://unix:/run/a.sock:/v1?x", "must not hold a query or fragment"),
    ("http://unix:run/a.sock:/v1", Self.noSocket), ("http://unix::/v1", Self.noSocket),
    ("http://unix:/run/a.sock:v1", Self.noSocket), ("https://unix:/run/a.sock:/v1", Self.noSocket),
    ("http://unix:/\(String(repeating: "a", count: 107)):/v1", Self.noSocket),
  ])
  func endpointsThatCannotBe(_ url: String, _ fault: String) {
    let reading = Samples.read(Samples.provider("{ type: openai, endpoint: \"\(url)\", models: [m] }"))
    #expect(reading.report == "f:3:31: error: providers.p.endpoint \(fault)\n")
  }

  @Test(arguments: [
    ("openai", "https://h/v1", "https://h/v1"),
    ("openai", "https://h/v1/", "https://h/v1"),
    ("openai", "https://h/v1//", "https://h/v1"),
    ("openai", "https://h/v1/chat/completions", "https://h/v1"),
    ("openai", "https://h/v1/chat/completions/", "https://h/v1"),
    ("openai", "https://h/v1/v1", "https://h/v1"),
    ("openai", "HTTPS://H.Example:8443/V1", "https://h.example:8443/V1"),
    ("openai", "https://h", "https://h"),
    ("openai", "https://h/", "https://h"),
    ("vllm", "http://[::1]:9", "http://[::1]:9/v1"),
    ("custom", "http://127.0.0.1:9", "http://127.0.0.1:9"),
    ("ollama", "http://127.0.0.1:9", "http://127.0.0.1:9/v1"),
    ("gemini", "http://127.0.0.1:9", "http://127.0.0.1:9/v1beta/openai"),
    ("zai", "https://open.bigmodel.cn/api/paas/v4", "https://open.bigmodel.cn/api/paas/v4"),
    ("cloudflare", "http://127.0.0.1:9", "http://127.0.0.1:9"),
    ("cloudflare", "http://127.0.0.1:9/x/chat/completions", "http://127.0.0.1:9/x"),
    ("llamacpp", "HTTP://Unix:/run/Llama.sock", "http://unix:/run/Llama.sock:/v1"),
    ("llamacpp", "http://unix:/run/Llama.sock:/", "http://unix:/run/Llama.sock:/v1"),
    ("openai", "http://unix:/run/a.sock:/v1/chat/completions", "http://unix:/run/a.sock:/v1"),
  ])
  func endpointsMeanTheSame(_ type: String, _ url: String, _ endpoint: String) throws {
    let reading = Samples.read(
      Samples.provider("{ type: \(type), key: k, endpoint: \"\(url)\", models: [m] }"))
    #expect(reading.report == "")
    #expect(reading.configuration?.providers.first?.endpoint == endpoint)
  }

  @Test(arguments: [
    ("http://192.168.1.5:8000/v1", true), ("http://example.org/v1", true), ("https://example.org/v1", false),
    ("http://127.0.0.1:8000/v1", false), ("http://localhost/v1", false), ("http://[::1]/v1", false),
  ])
  func keysInTheClearAreWarnedAbout(_ url: String, _ isWarned: Bool) {
    let reading = Samples.read(
      Samples.provider("{ type: openai, endpoint: \"\(url)\", key: sk, models: [m] }"))
    #expect(reading.configuration != nil)
    #expect(reading.problems.map(\.severity) == (isWarned ? [.warning] : []))
  }
}
