import Base
import Policy
import Testing
import TierFile

/// Files of the server edition, as its documents show them.
@Suite struct AppsettingsTests {
  /// The performance guide's first example, with tabs for blanks and CRLF line ends as well.
  private static let guide = """
    {
      "Synaxis": {
        "InferenceGateway": {
          "Providers": {
            "Groq": {
              "Enabled": true,
              "Type": "groq",
              "Key": "GROQ_API_KEY",
              "Tier": 0,
              "Models": ["llama-3.3-70b-versatile"]
            },
            "Cloudflare": {
              "Enabled": true,
              "Type": "cloudflare",
              "Key": "CF_API_TOKEN",
              "AccountId": "abc123",
              "Tier": 1,
              "Models": ["@cf/meta/llama-3.1-8b-instruct"]
            },
            "DeepInfra": {
              "Enabled": true,
              "Type": "openai",
              "Endpoint": "https:\\/\\/api.deepinfra.com/v1/openai",
              "Key": "DEEPINFRA_KEY",
              "Tier": 2,
              "Models": ["meta-llama/Llama-3.3-70B-Instruct"]
            }
          }
        }
      }
    }
    """

  private static let tabbed =
    "\u{FEFF}\t"
    + String(
      guide.unicodeScalars.flatMap { scalar in
        scalar == "\n" ? ["\r", "\n", "\t"] : scalar == " " ? ["\t"] : [scalar]
      }.map(Character.init))

  @Test(arguments: [guide, tabbed])
  func theGuidesFileWorksAsItStands(_ text: String) throws {
    let reading = Samples.read(text)
    #expect(reading.report == "")
    let providers = try #require(reading.configuration?.providers)
    #expect(providers.map(\.name) == ["Groq", "Cloudflare", "DeepInfra"])
    #expect(providers.map(\.tier) == [0, 1, 2])
    #expect(
      providers.map(\.endpoint) == [
        "https://api.groq.com/openai/v1", "https://api.cloudflare.com/client/v4/accounts/abc123/ai/v1",
        "https://api.deepinfra.com/v1/openai",
      ])
    #expect(providers.map(\.keys) == [[Secret("gsk-one")], [Secret("cf-three")], [Secret("di-two")]])
  }

  /// As printed in the guide, without the account id that Cloudflare cannot do without.
  @Test func aMissingAccountKeepsTheOthers() throws {
    var lines = Self.guide.split(separator: "\n", omittingEmptySubsequences: false)
    lines.remove(at: 15)
    let reading = Samples.read(lines.joined(separator: "\n"))
    #expect(
      reading.report
        == "f:12:9: warning: providers.Cloudflare is left out: the type cloudflare needs account_id (or an endpoint)\n"
    )
    #expect(try #require(reading.configuration).providers.map(\.name) == ["Groq", "DeepInfra"])
  }

  @Test(arguments: [
    ("{ Default: Debug }", LogSettings.Level.debug), ("{ Default: Warning, Synaxis: Trace }", .debug),
    ("{ Synaxis: None, Default: Debug }", .silent), ("{ default: information }", .info),
    ("{ Default: Error }", .error), ("{ Default: Critical }", .error), ("{ Microsoft: Debug }", .info),
    ("{}", .info),
  ])
  func loggingSetsTheLevel(_ levels: String, _ level: LogSettings.Level) throws {
    let reading = Samples.read(Samples.with("Logging: { LogLevel: \(levels), Console: { x: y } }"))
    #expect(reading.report == "")
    #expect(reading.configuration?.log.level == level)
    // What the file's own section says goes before it.
    let both = Samples.read(Samples.with("log: { level: error }\nLogging: { LogLevel: \(levels) }"))
    #expect(both.configuration?.log.level == .error)
  }

  @Test func aMisspeltLevelIsLocated() {
    #expect(
      Samples.read(Samples.with("Logging: { LogLevel: { Synaxis: Warnin } }")).report
        == "f:1:33: error: Logging.LogLevel.Synaxis must be Trace or Debug or Information or Warning or Error or "
        + "Critical or None, this is \"Warnin\"; did you mean \"Warning\"?\n")
  }

  @Test func settingsAndForeignSectionsAreSorted() throws {
    let reading = Samples.read(
      """
      // The production settings.
      {
        "Logging": { "LogLevel": { "Default": "Warning" } }, /* not
        ours */ "AllowedHosts": "*",
        "Synaxis": {
          "ControlPlane": { "ConnectionString": "Host=localhost;Password=\\ud83d\\ude00" },
          "InferenceGateway": {
            "RequestTimeout": 60, // seconds
            "MaxConcurrentRequests": 10,
            "MaxRequestBodySize": 31457280,
            "EnableResponseCaching": false,
            "JwtSecret": "x", "JwtIssuer": "y", "MasterKey": "z",
            "Providers": {
              "Ours": {
                "Type": "OpenAI", "Endpoint": "https://h/v1", "Key": "sk//not-a-comment", "IsFree": true,
                "RateLimitRPM": 60, "RateLimitTPM": 1000, "CustomHeaders": { "X-A": "\\u0041#\\ud83d\\ude00" },
                "Models": ["their/a", "b"],
              },
              "Copilot": { "Enabled": true, "Type": "GitHubCopilot", "Tier": 1, "Models": ["copilot"] },
              "Off": { "Enabled": false, "Type": "Groq", "Key": "NO_SUCH_KEY", "Models": ["g"] },
            },
            "CanonicalModels": [
              { "Id": "ours/a", "Provider": "OURS", "ModelPath": "their/a", "Streaming": true, "Tools": true,
                "Vision": false, "StructuredOutput": false, "LogProbs": false },
              { "Id": "github/copilot", "Provider": "Copilot", "ModelPath": "copilot" },
              { "Id": "g", "Provider": "Off", "ModelPath": "g" }
            ],
            "Aliases": {
              "default": { "Candidates": ["ours/a", "g", "github/copilot"] },
              "copilot": { "Candidates": ["github/copilot"] },
              "empty": { "Candidates": [] },
              "dangling": { "Candidates": ["hf/none", "Ours/their/a", "ours/b"] }
            }
          }
        },
        "ConnectionStrings": { "Redis": "localhost:6379" }
      }
      """)
    #expect(
      reading.report == """
        f:4:11: warning: not needed here, since only the server edition has it: "AllowedHosts", "ControlPlane", "JwtSecret", "JwtIssuer", "MasterKey", "ConnectionStrings"
        f:19:47: warning: the type "GitHubCopilot" exists in the server edition only; providers.Copilot is left out; where it has an OpenAI endpoint, write type: openai and endpoint
        f:30:9: warning: aliases.copilot is left out: none of its providers is enabled
        f:31:9: warning: aliases.empty has no candidates
        f:32:38: warning: aliases.dangling: no provider "hf"

        """)
    let read = try #require(reading.configuration)
    #expect(read.timeouts.request == .seconds(60))
    #expect(read.limits.concurrentRequests == 10)
    #expect(read.limits.requestBody == 31_457_280)
    #expect(!read.cache.enabled)
    let ours = try #require(read.providers.first)
    #expect(ours.free && ours.keys == [Secret("sk//not-a-comment")])
    #expect(ours.budgets.requestsPerMinute == 60 && ours.budgets.tokensPerMinute == 1000)
    #expect(ours.headers.map(\.value) == ["A#😀"])
    #expect(
      ours.models == [
        Model(name: "their/a", upstreamName: "their/a"), Model(name: "b", upstreamName: "b"),
        Model(name: "ours/a", upstreamName: "their/a"),
      ])
    #expect(
      read.disabledProviders == [
        DisabledProvider(
          name: "Copilot", reason: "the type \"GitHubCopilot\" exists in the server edition only"),
        DisabledProvider(name: "Off"),
      ])
    #expect(read.log.level == .warning)
    #expect(read.aliases.map(\.name) == ["default", "dangling"])
    #expect(
      read.aliases.map(\.targets) == [
        [Alias.Target(provider: "Ours", model: "ours/a")],
        [Alias.Target(provider: "Ours", model: "their/a"), Alias.Target(provider: "Ours", model: "b")],
      ])
  }

  @Test(arguments: [
    ("{ \"Providers\": {} /* open", 1, 26), ("{ \"Providers\": {\n  \"A\" \"B\" } }", 2, 7),
    ("{ \"Providers\": \"\\ud83d\" }", 1, 19),
  ])
  func brokenJSONIsLocated(_ text: String, _ line: Int, _ column: Int) {
    let problems = Samples.read(text).problems
    #expect(problems.map(\.mark) == [Mark(line: line, column: column)])
  }

  @Test func flowYAMLIsNotMistakenForJSON() throws {
    let reading = Samples.read(
      "{ # it's \"flow\" // style\n  providers: { p: { type: openai, endpoint: http://localhost:1//, models: ['a // b', c] } } }"
    )
    #expect(reading.report == "")
    let provider = try #require(reading.configuration?.providers.first)
    #expect(provider.endpoint == "http://localhost:1")
    #expect(provider.models.map(\.name) == ["a // b", "c"])
  }
}
