import Base
import Downstream
import Exchange
import Policy
import Testing
import Wire

@Suite struct GateTests {
  private func access(
    _ gate: Gate, _ lines: String, path: String = "/v1/chat/completions", method: String = "POST",
    host: String = "localhost", reach: Gate.Reach = .loopback
  ) throws -> AccessDecision {
    let bytes = Array("\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\(lines)\r\n".utf8)
    var parser = RequestParser(maximumHead: 1 << 14)
    #expect(try parser.parse(bytes.span) == .complete)
    return gate.examine(parser.head, in: bytes.span, reach: reach)
  }

  private func configuration(clients: Int = 0, anonymous: Bool = false) -> Configuration {
    var configuration = Configuration()
    for n in 0..<clients {
      configuration.clients.append(Client(name: "c\(n)", key: .plain(Secret("key-\(n)"))))
    }
    configuration.allowAnonymous = anonymous
    return configuration
  }

  /// Clients listed, anonymous allowed, from where, with a key that is known: may it call?
  @Test(arguments: [
    (0, false, Gate.Reach.unix, false, true), (0, false, .loopback, false, true),
    (0, false, .network, false, false), (0, true, .network, false, true), (2, false, .unix, false, false),
    (2, false, .loopback, false, false), (2, false, .network, true, true), (2, true, .network, false, true),
    (2, true, .loopback, true, true), (2, false, .unix, true, true),
  ])
  func whoMayCall(clients: Int, anonymous: Bool, reach: Gate.Reach, hasKey: Bool, isLetIn: Bool) throws {
    let gate = Gate(configuration(clients: clients, anonymous: anonymous))
    let key = hasKey ? "key-1" : "another"
    let access = try access(gate, "Authorization: Bearer \(key)\r\n", reach: reach)
    #expect(access.refusal == (isLetIn ? nil : .invalidKey))
    #expect(access.account?.name == (hasKey && clients > 0 ? "c1" : nil))
  }

  @Test(arguments: [
    ("/", false), ("/livez", false), ("/health/readiness", false), ("/metrics", false),
    ("/admin/health", false),
    ("/v1/models", true), ("/v1/chat/completions", true), ("/nothing", true),
  ])
  func pagesThatNeedNoKey(path: String, needsKey: Bool) throws {
    let gate = Gate(configuration(clients: 1))
    let access = try access(gate, "", path: path, method: "GET", reach: .network)
    #expect(access.refusal == (needsKey ? .invalidKey : nil))
    #expect(!access.isExchange)
  }

  @Test(arguments: [
    ("localhost", true), ("localhost:8080", true), ("LocalHost.", true), ("a.localhost", true),
    ("127.0.0.1", true), ("127.255.255.255:1", true), ("[::1]", true), ("[::1]:80", true), ("", false),
    ("127.0.0.1.", true), ("127.0.0.256", false), ("127.0.0.1.2", false), ("127.0.0", false),
    ("127...1", false), ("10.0.0.1:8080", true), ("192.168.1.2", true), ("93.184.216.34", true),
    ("[fd00::2]", true),
    ("127.0.0.1x", false), ("localhost.com", false), (".localhost", false), (".", false), ("..", false),
    ("synaxis", true), ("synaxis:8080", true), ("synaxis.", true), ("web_api", true),
    ("host.docker.internal", true), ("host.docker.internal.", true), ("pi.local:80", true), ("nas.LAN", true),
    ("a.home.arpa", true), ("a.test", true), ("local.example", false), ("lan.evil.com", false),
    ("xlan", true),
    ("evil.xlan", false), ("home.arpa.example", false), ("internal.", true), ("a.internal.example:1", false),
    ("[::1", false), ("::1", false), (":80", false), ("0", true), ("a.example", false),
    ("example.com:80", false),
  ])
  func namesThatPublicDNSCannotHold(host: String, isLocal: Bool) {
    let bytes = Array(host.utf8)
    #expect(HostName.isLocal(bytes.span) == isLocal)
  }

  @Test func aHostIsLookedAtOnLoopbackOnly() throws {
    let gate = Gate(configuration(anonymous: true))
    #expect(try access(gate, "", host: "a.example", reach: .loopback).refusal == .hostNotAllowed)
    #expect(try access(gate, "", host: "a.example", reach: .network).refusal == nil)
    #expect(try access(gate, "", host: "a.example", reach: .unix).refusal == nil)
  }

  @Test func aReloadKeepsWhatWasSpent() throws {
    var configuration = configuration(clients: 2)
    configuration.clients[1].requestsPerMinute = 2
    let gate = Gate(configuration)
    let account = try #require(try access(gate, "x-api-key: key-1\r\n").account)
    let now = Instant(nanoseconds: 1_000_000_000)
    #expect(account.takeTurn(now: now) == nil)
    configuration.clients.remove(at: 0)
    configuration.clients[0].requestsPerMinute = 1
    let next = Gate(configuration, keeping: gate)
    #expect(next.index(of: account) == 0)
    let wait = try #require(account.takeTurn(now: now))
    #expect(wait > .seconds(55) && wait <= .seconds(65))
    #expect(account.quota(now: now) == ClientAccount.Quota(limit: 1, remaining: 0, reset: wait))
    #expect(account.takeTurn(now: now + wait) == nil)
    #expect(try access(next, "x-api-key: key-0\r\n").refusal == .invalidKey)
  }

  @Test func permitsComeBackByThemselves() {
    var client = Client(name: "a", key: .plain(Secret("k")))
    client.concurrent = 2
    let account = ClientAccount(client)
    let first = ClientPermit(account)
    let second = ClientPermit(account)
    #expect(account.isBusy)
    #expect(account.takeTurn(now: Instant(nanoseconds: 1)) == .seconds(1))
    _ = consume first
    #expect(!account.isBusy)
    _ = consume second
    #expect(account.running == 0)
  }

  @Test(
    arguments: [
      (0, "0s"), (1, "0s"), (250_000_000, "250ms"), (1_000_000_000, "1s"), (1_000_000_001, "2s"),
      (60_000_000_000, "1m0s"), (65_000_000_000, "1m5s"),
    ] as [(Int64, String)])
  func durations(nanoseconds: Int64, text: String) {
    var out = ByteBuffer()
    out.append(duration: Interval(nanoseconds: nanoseconds))
    #expect(out.withBytes { $0.equals(text) })
  }
}
