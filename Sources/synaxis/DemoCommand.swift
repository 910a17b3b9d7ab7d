internal import Base
internal import Kernel
internal import Lab
internal import Policy
internal import Server
internal import TierFile

/// `synaxis demo`: the main job with no file, key or network. Two mock providers and the real proxy, in one
/// process and on one loop.
struct DemoCommand {
  func run() -> Int32 {
    let flaky: MockProvider
    let steady: MockProvider
    do throws(KernelFault) {
      flaky = try Self.mock("flaky", failing: MockFailure(.tooManyRequests, 2))
      steady = try Self.mock("steady", failing: nil)
    } catch {
      Console.complain("synaxis: \(error.text)\n")
      return ExitCode.unavailable
    }
    // Port 8080 where it is free, else any.
    for port in [8080, 0] {
      let text = Self.tierFile(port: port, flaky: flaky.text, steady: steady.text)
      let reading = TierFile.read(Array(text.utf8).span, named: "demo.yaml", environment: Environment())
      guard let configuration = reading.configuration else {
        Console.complain(reading.report)
        return ExitCode.config
      }
      if port == 8080, Self.isTaken(port: 8080) { continue }
      return Service.run(
        configuration, environment: Environment(), guests: [Self.guest(flaky), Self.guest(steady)],
        ready: { Console.say(Self.welcome(address: $0.addresses.first ?? "", tierFile: text)) })
    }
    return ExitCode.unavailable
  }

  private static func isTaken(port: UInt16) -> Bool {
    do throws(KernelFault) {
      _ = try Listener(host: "127.0.0.1", port: port)
      return false
    } catch {
      return true
    }
  }

  private static func mock(_ name: String, failing: MockFailure?) throws(KernelFault) -> MockProvider {
    var options = MockOptions()
    options.listen = .tcp(host: "127.0.0.1", port: 0)
    options.name = name
    options.models = ["demo-model"]
    options.gap = .milliseconds(60)
    options.failure = failing
    options.retryAfter = 2
    return try MockProvider(options)
  }

  private static func guest(_ mock: MockProvider) -> Guest {
    Guest(
      descriptor: mock.pollDescriptor, nextDue: { mock.nextDeadline },
      turn: { now in
        // A failed turn is a mock that has stopped: the proxy then shows how it lives without it.
        do throws(KernelFault) { try mock.turn(now: now) } catch { return }
      })
  }

  private static func tierFile(port: Int, flaky: String, steady: String) -> String {
    """
    listen: 127.0.0.1:\(port)
    admin: { token: demo }
    cache: { enabled: false }        # so that the same line can be tried again
    providers:
      flaky:                         # refuses every second request with 429
        { type: openai, endpoint: "http://\(flaky)/v1", tier: 0, models: [demo-model] }
      steady:
        { type: openai, endpoint: "http://\(steady)/v1", tier: 1, models: [demo-model] }

    """
  }

  private static func welcome(address: String, tierFile: String) -> String {
    """
    synaxis demo: two mock providers, and the real proxy in front of them. Its tier file:

    \(tierFile.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))

    Try, in another terminal:

        curl -N http://\(address)/v1/chat/completions -H 'Content-Type: application/json' \\
          -d '{"model":"demo-model","stream":true,"messages":[{"role":"user","content":"Hello"}]}'

    The words come one after another, from `flaky`. Run it again: `flaky` answers 429, `steady` takes over, and
    the line below says so (attempts="flaky=429;…, steady=200;…"). Then `flaky` is left alone for the 2 s it asked for.

    The page to look at:       http://\(address)/#token=demo
    The providers as a table:  synaxis status --url http://\(address) --token demo
    For programs:              http://\(address)/health/readiness, /metrics, /v1/models
    Ctrl-C ends it.


    """
  }
}
