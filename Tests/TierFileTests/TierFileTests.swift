import Base
import Policy
import Testing
import TierFile

/// Texts and the whole report that they give.
@Suite struct ProblemTests {
  @Test(
    arguments: [
      // Form.
      ("", "f:1:1: error: the file says nothing; it needs providers at least\n"),
      ("# only a comment\n", "f:1:1: error: the file says nothing; it needs providers at least\n"),
      ("~", "f:1:1: error: the file says nothing; it needs providers at least\n"),
      ("hello", "f:1:1: error: a tier file is a map of sections, this is a single value\n"),
      ("[1, 2]", "f:1:1: error: a tier file is a map of sections, this is a list\n"),
      ("a: b: c", "f:1:5: error: mapping values are not allowed in this context\n"),
      (
        "listen: x\n\tcache: off",
        "f:2:1: error: while scanning a plain scalar: found a tab character that violates indentation\n"
      ),
      ("listen: \u{1}", "f:1:9: error: control characters are not allowed\n"),
      ("cache: off\nlisten: \u{7F}\u{FFFE}", "f:2:9: error: control characters are not allowed\n"),
      ("a: 1\n---\na: 2\n", "f:2:1: error: a second document starts here; one is allowed\n"),
      (
        "cache: off\nlisten: 8080\ncache: on\n",
        "f:3:1: error: the key \"cache\" stands twice, first in line 1\n"
      ),
      (
        "x-a: &a [*a]", "f:1:10: error: an alias to a value that it is part of\n"
      ),
      ("listen: *nobody", "f:1:9: error: no anchor of this name stands before this alias\n"),
      ("? [a]\n: b", "f:1:3: error: a key must be a text, this is a list\n"),
      (
        "admin: {token: ${SYNAXIS_ADMIN_TOKEN}}",
        "f:1:17: error: while parsing a flow mapping: did not find expected ',' or '}'; "
          + "inside { } and [ ], put \"${NAME}\" and texts with : or , in quotes\n"
      ),
      (
        "listen: @cf/x",
        "f:1:9: error: while scanning for the next token: found character that cannot start any token; "
          + "indent with blanks, not tabs; put a text that begins with @, ` or % in quotes\n"
      ),
      // Keys.
      (Samples.with("timeuots: {}"), "f:1:1: error: unknown key \"timeuots\"; did you mean \"timeouts\"?\n"),
      (
        Samples.with("timeouts: { conect: 1s }"),
        "f:1:13: error: unknown key \"conect\" in timeouts; did you mean \"connect\"?\n"
      ),
      (
        Samples.with("cors: { sausages: 1 }"),
        "f:1:9: error: unknown key \"sausages\" in cors; known here: origins\n"
      ),
      (
        Samples.with("allow_anonymous: true\nAllowAnonymous: false"),
        "f:2:1: error: \"AllowAnonymous\" says again what \"allow_anonymous\" said in line 1\n"
      ),
      (Samples.with("limits: 5"), "f:1:9: error: limits must be a map, this is a single value\n"),
      // Values.
      (
        Samples.with("limits: { queue: many, header: 1, memory: 3 pounds }"),
        """
        f:1:18: error: limits.queue must be a whole number, this is "many"
        f:1:32: error: limits.header must be from 1KiB to 1MiB, this is "1"
        f:1:43: error: limits.memory must be a size, this is "3 pounds"; write 32KiB, 8MiB, 1MB, or a number of bytes

        """
      ),
      (
        Samples.with("timeouts: { drain: soon, connect: -1s, request: 2s1h }"),
        """
        f:1:20: error: timeouts.drain must be a duration, this is "soon"; write 80ms, 5s, 1m30s, 1h, or a number of seconds
        f:1:35: error: timeouts.connect must be a duration, this is "-1s"; write 80ms, 5s, 1m30s, 1h, or a number of seconds
        f:1:49: error: timeouts.request must be a duration, this is "2s1h"; write 80ms, 5s, 1m30s, 1h, or a number of seconds

        """
      ),
      (
        Samples.with("timeouts: { failover: 6s }"),
        "f:1:23: error: timeouts.failover (6s) must not be longer than timeouts.connect (5s)\n"
      ),
      (
        Samples.with("limits: { request_body: 65MiB }"),
        "f:1:25: error: limits.request_body (65MiB) must fit into limits.memory (64MiB)\n"
      ),
      (Samples.with("cache: maybe"), "f:1:8: error: cache must be true or false, this is \"maybe\"\n"),
      (
        Samples.with("log: { format: jsn }"),
        "f:1:16: error: log.format must be logfmt or json, this is \"jsn\"; did you mean \"json\"?\n"
      ),
      (Samples.with("cache: { vary: [\"a b\"] }"), "f:1:17: error: cache.vary: not a header's name\n"),
      (
        Samples.with("cors: { origins: [\"*\", \"https://a.example/\"] }"),
        """
        f:1:19: error: cors.origins: "*" would let any web page spend your quota; list the origins that may call
        f:1:24: error: cors.origins: an origin is scheme://host[:port], without a slash at its end

        """
      ),
      // Variables.
      (
        Samples.with("listen:\n  - ${NOWHERE}"),
        "f:2:5: error: listen: the environment variable NOWHERE is not set; set it, or give a default: ${NOWHERE:-text}\n"
      ),
      (
        Samples.with("listen: \"${NOWHERE\""),
        "f:1:9: error: listen: \"${\" without \"}\"; write $${ for the text ${\n"
      ),
      (
        Samples.with("listen: \"${A:=b}\""),
        "f:1:9: error: listen: only ${NAME} and ${NAME:-text} are understood; write $${ for the text ${\n"
      ),
      // Listeners.
      (
        Samples.with("listen: 0.0.0.0:8080"),
        "f:1:9: error: 0.0.0.0:8080 is reachable from other machines and no clients are listed; "
          + "list clients, or write allow_anonymous: true\n"
      ),
      (
        Samples.with("listen: [8080, \"example.org:80\", \"[::1]:99999\", \"unix:\", \"fd://x\", 8080]"),
        """
        f:1:16: error: listen: the host must be an IP address or localhost; write 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080
        f:1:34: error: listen: not an address; write 127.0.0.1:8080, [::1]:8080, unix:/path or fd://
        f:1:49: error: listen: a unix socket's path has 1 to 107 bytes
        f:1:58: error: listen: fd:// takes a number from 0 to 63, the place in LISTEN_FDS
        f:1:68: error: listen: 127.0.0.1:8080 stands twice

        """
      ),
      (Samples.with("listen: []"), "f:1:9: error: listen: no address\n"),
      (
        Samples.with("admin: { listen: 0.0.0.0:9 }"),
        "f:1:18: error: admin.listen is reachable from other machines and needs admin.token\n"
      ),
      (
        Samples.with("admin: { listen: 8080 }"),
        "f:1:8: error: admin.listen and listen share an address: 127.0.0.1:8080\n"
      ),
      (
        Samples.with("admin: { token: \"${EMPTY}\" }"),
        "f:1:17: error: admin.token: EMPTY is empty; set it in the environment of synaxis\n"
      ),
      (
        Samples.with("admin: { token: \"${UNSET:-}\", listen: \"0.0.0.0:1\" }"),
        """
        f:1:17: warning: admin.token: UNSET is not set, the admin pages are at admin.listen only; set it in the environment of synaxis
        f:1:39: error: admin.listen is reachable from other machines and needs admin.token

        """
      ),
      // Clients.
      (
        Samples.with(
          "clients:\n  - { name: a, key: k1 }\n  - { name: a, key: k2 }\n  - { name: b, key: k1 }\n  - { name: c }\n"
            + "  - { key: k9 }\n  - { name: d, key_sha256: abc }\n  - { name: e, key: k5, models: [n] }"),
        """
        f:3:13: error: clients: "a" stands twice, first in line 2
        f:4:5: error: clients: "b" has the key of another client
        f:5:5: error: clients: this one has no key; give key, key_file or key_sha256
        f:6:5: error: clients: this one has no name
        f:7:28: error: clients.key_sha256 must be 64 hexadecimal digits; printf %s KEY | sha256sum
        f:8:34: error: clients: "n" is neither an alias nor a model

        """
      ),
      // Providers together.
      ("cache: off\n", "f:1:1: error: no providers\n"),
      ("providers:\n  groq: { enabled: false }\n", "f:1:1: error: no provider is enabled\n"),
      ("providers: [a]", "f:1:12: error: providers must be a map of names, this is a list\n"),
      (
        "providers:\n  a/b: {}\n  Groq: { models: [m], key: k }\n  groq: {}\n",
        """
        f:2:3: error: a provider's name has letters, digits, ".", "_" and "-" only; it appears in headers and metrics, and before the slash of provider/model
        f:4:3: error: the provider "groq" stands twice, first in line 3

        """
      ),
    ] as [(String, String)])
  func reportsAre(_ text: String, _ report: String) {
    let reading = Samples.read(text)
    #expect(reading.report == report)
    #expect(reading.configuration == nil)
  }

  @Test func everyMistakeIsSaidAtOnce() {
    let reading = Samples.read(
      "cachee: off\nlisten: nowhere\nlimits: { queue: -1 }\nproviders:\n  groqq: { models: [m] }\n  openai: { models: [m] }\n"
    )
    #expect(reading.problems.map(\.line) == [1, 2, 3, 5, 6])
  }

  @Test func theListOfProblemsIsBounded() {
    var text = ""
    for i in 0..<1000 { text += "nonsense\(i): 1\n" }
    let reading = Samples.read(Samples.with(text))
    #expect(reading.problems.count == Limits.tierFileProblems + 1)
    #expect(reading.problems.last?.message == "and 900 more problems")
  }

  @Test func smallFilesCannotUnfoldIntoLargeOnes() {
    var text = "x-0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
    for i in 1...9 {
      text += "x-\(i): &a\(i) [" + Array(repeating: "*a\(i - 1)", count: 10).joined(separator: ",") + "]\n"
    }
    let reading = Samples.read(text)
    #expect(reading.report == "f:5:39: error: more than 100000 values, with what the aliases stand for\n")
  }

  @Test(arguments: [32, 33, 1000, 100_000])
  func depthIsBounded(_ depth: Int) {
    let text =
      "x-deep: " + String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1)
    let reading = Samples.read(Samples.with(text))
    #expect(reading.hasErrors == (depth > 32))
    if depth > 32 { #expect(reading.report == "f:1:40: error: nested deeper than 32 levels\n") }
  }

  @Test func anchorsCannotHideDepth() {
    var text = "x-0: &a0 [1]\n"
    for i in 1...40 { text += "x-\(i): &a\(i) [*a\(i - 1)]\n" }
    #expect(Samples.read(text).report == "f:31:13: error: nested deeper than 32 levels\n")
  }

  @Test func sizeIsBounded() {
    let text = Samples.with(String(repeating: "# fill\n", count: 149_797))
    #expect(text.utf8.count > Limits.tierFile)
    #expect(Samples.read(text).report == "f:1:1: error: the file is larger than 1 MiB\n")
  }

  @Test func filesThatCannotBeReadAreProblems() {
    let reading = TierFile.read(path: "/nonexistent/x.yaml", environment: Environment())
    #expect(
      reading.report == "/nonexistent/x.yaml:1:1: error: cannot read the file: No such file or directory\n")
    #expect(TierFile.read(path: "/", environment: Environment()).hasErrors)
  }
}
