import Base
import Policy
import Testing
import TierFile

/// How long a provider may take, and whether it may be starting.
@Suite struct PatienceTests {
  private static func provider(_ inside: String) throws -> Provider {
    let reading = Samples.read(Samples.provider("{ \(inside), models: [m] }"))
    return try #require(reading.configuration?.providers.first, "\(reading.report)")
  }

  @Test func ownTimes() throws {
    let own = try Self.provider("type: ollama, first_token: 10m, stream_idle: 90s, start_wait: 2m30s")
    #expect(own.firstToken == .seconds(600) && own.streamIdle == .seconds(90))
    #expect(own.startWait == .seconds(150))
    #expect(own.firstToken(TimeoutSettings()) == .seconds(600))
    #expect(own.streamIdle(TimeoutSettings()) == .seconds(90))
    #expect(try Self.provider("type: ollama, start_wait: 0").startWait == .zero)
    let report = Samples.read(Samples.provider("{ type: ollama, start_wait: soon, models: [m] }")).report
    #expect(report.contains("providers.p.start_wait must be a duration"))
  }

  /// 5 min, or what all are given where that is more.
  @Test(arguments: [
    ("ollama", 300), ("llamacpp", 300), ("lmstudio", 300), ("vllm", 60), ("openai, key: k", 60),
    ("groq, key: k", 60),
  ])
  func localTypesMayLoad(_ type: String, _ seconds: Int64) throws {
    let provider = try Self.provider("type: \(type)")
    var timeouts = TimeoutSettings()
    #expect(provider.firstToken(timeouts) == .seconds(seconds))
    #expect(provider.streamIdle(timeouts) == .seconds(seconds))
    #expect(provider.startWait == .seconds(60))
    timeouts.firstToken = .seconds(1000)
    #expect(provider.firstToken(timeouts) == .seconds(1000))
  }

  @Test(arguments: [
    ("http://localhost:8080", true), ("http://127.0.0.1/v1", true), ("http://127.9.9.9", true),
    ("http://[::1]:1/v1", true), ("http://unix:/run/llama.sock:/v1", true), ("http://ollama:11434/v1", true),
    ("http://host.docker.internal:1", true), ("http://pi.local", true), ("http://box.lan", true),
    ("http://a.home.arpa", true), ("http://10.0.0.1", true), ("http://172.16.0.1", true),
    ("http://172.31.255.255", true), ("https://192.168.1.10:8443", true), ("http://169.254.1.1", true),
    ("http://100.64.0.1", true), ("http://[fd00::1]", true), ("http://[fe80::1]", true),
    ("https://api.openai.com", false), ("http://172.15.0.1", false), ("http://172.32.0.1", false),
    ("http://192.169.0.1", false), ("http://11.0.0.1", false), ("http://100.63.0.1", false),
    ("http://100.128.0.1", false), ("http://8.8.8.8", false), ("http://[2001:db8::1]", false),
    ("https://10.example.com", false), ("https://local.example", false), ("http://10.0.0.1.example", false),
    ("http://10.0.0.256", false), ("http://fd.example", false),
  ])
  func whoIsNear(_ url: String, _ isNear: Bool) throws {
    #expect(try Self.provider("type: openai, endpoint: \"\(url)\"").isNear == isNear)
  }

  @Test func presetsAreNearWhereTheirServersAre() throws {
    #expect(try Self.provider("type: ollama").isNear)
    #expect(try !Self.provider("type: groq, key: k").isNear)
  }
}
