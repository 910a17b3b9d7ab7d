internal import Base
internal import CLinux
internal import Kernel
internal import Policy
internal import Server
internal import TierFile
internal import Upstream

/// `synaxis run`: serves until it is told to stop.
struct RunCommand {
  let options: FileOptions

  func run() -> Int32 {
    let environment = TierFileChoice.environment()
    guard let reading = TierFileChoice.read(options.file, environment),
      var configuration = reading.configuration
    else { return ExitCode.config }
    if let level = options.logLevel {
      guard let level = LogSettings.Level(named: level) else {
        Console.complain("synaxis: --log-level is one of error, warning, info, debug\n")
        return ExitCode.usage
      }
      configuration.log.level = level
    }
    return Service.run(configuration, environment: environment) { _ in }
  }
}

/// Starting the server and keeping it running: what `run` and `demo` share.
enum Service {
  /// - Parameter ready: called once, when everything listens.
  static func run(
    _ configuration: Configuration, environment: Environment, guests: [Guest] = [], ready: (Server) -> Void
  ) -> Int32 {
    // libcurl's resolver threads would each reserve an arena of 64 MiB of address space.
    ProcessFacts.useOneArena()
    ProcessFacts.raiseDescriptorLimit(to: configuration.limits.connections * 3 + 256)
    var settings = UpstreamSettings()
    settings.certificateFile = environment["SSL_CERT_FILE"]
    settings.certificateDirectory = environment["SSL_CERT_DIR"]
    let log = Log(descriptor: STDERR_FILENO, settings: configuration.log, wall: Clock.now().wall)
    do throws(Server.StartFault) {
      let server = try Server(
        configuration, upstream: settings, log: log, seed: Entropy.seed(), secondSeed: Entropy.seed())
      server.version = Version.text
      do throws(KernelFault) {
        for listen in configuration.listen { try server.listen(on: listen) }
        for listen in configuration.admin.listen { try server.listen(on: listen, isAdmin: true) }
        for guest in guests { try server.host(guest) }
      } catch {
        Console.complain("synaxis: \(error.text)\n")
        return ExitCode.unavailable
      }
      for address in server.addresses { log.note(.info, "listening", address) }
      log.flush()
      ready(server)
      do throws(KernelFault) {
        try server.run()
      } catch {
        Console.complain("synaxis: \(error.text)\n")
        return ExitCode.failed
      }
      return ExitCode.ok
    } catch {
      switch error {
      case .kernel(let fault): Console.complain("synaxis: \(fault.text)\n")
      case .upstream(.startFailed(let code)):
        Console.complain("synaxis: libcurl does not start (code \(code))\n")
      }
      return ExitCode.unavailable
    }
  }
}

/// Numbers that a client cannot guess.
enum Entropy {
  static func seed() -> UInt64 {
    var seed: UInt64 = 0
    let got = withUnsafeMutableBytes(of: &seed) { getrandom($0.baseAddress, $0.count, 0) }
    precondition(got == 8, "getrandom(2) gives 8 bytes from Linux 3.17 on")
    return seed
  }
}

extension LogSettings.Level {
  init?(named name: String) {
    switch name {
    case "error": self = .error
    case "warning", "warn": self = .warning
    case "info": self = .info
    case "debug": self = .debug
    default: return nil
    }
  }
}
