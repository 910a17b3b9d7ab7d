internal import Base
internal import CLinux
internal import Kernel
internal import Observability
internal import Policy
internal import Server
internal import TierFile
internal import Transport
internal import Upstream

/// `synaxis run`: serves until it is told to stop.
struct RunCommand {
  let options: FileOptions

  func run() -> Int32 {
    let environment = TierFileChoice.environment()
    if let level = options.logLevel, LogSettings.Level(named: level) == nil {
      Console.complain("synaxis: --log-level is one of error, warning, info, debug, none\n")
      return ExitCode.usage
    }
    guard let reading = TierFileChoice.read(options.file, environment),
      let configuration = reading.configuration
    else { return ExitCode.config }
    return Service.run(
      adapted(configuration), environment: environment,
      reread: {
        var reading = TierFile.read(path: reading.file, environment: environment)
        reading.configuration = reading.configuration.map { adapted($0) }
        return reading
      })
  }

  /// What the command line says goes before what the file says.
  private func adapted(_ configuration: Configuration) -> Configuration {
    var configuration = configuration
    if let level = options.logLevel.flatMap({ LogSettings.Level(named: $0) }) {
      configuration.log.level = level
    }
    return configuration
  }
}

/// Starting the server and keeping it running: what `run` and `demo` share.
enum Service {
  /// - Parameters:
  ///   - reread: reads the tier file again, for SIGHUP; nil where there is none.
  ///   - ready: called once, when everything listens.
  static func run(
    _ configuration: Configuration, environment: Environment, guests: [Guest] = [],
    reread: () -> Reading? = { nil }, ready: (Server) -> Void = { _ in }
  ) -> Int32 {
    // libcurl's resolver threads would each reserve an arena of 64 MiB of address space.
    ProcessFacts.useOneArena()
    let log = Log(descriptor: STDERR_FILENO, settings: configuration.log, wall: Clock.now().wall)
    provideDescriptors(for: configuration.limits, log)
    do throws(Server.StartFault) {
      let notifier = ServiceNotifier(
        notifySocket: environment["NOTIFY_SOCKET"], watchdogMicroseconds: environment["WATCHDOG_USEC"],
        watchdogPID: environment["WATCHDOG_PID"], listenFDs: environment["LISTEN_FDS"],
        listenPID: environment["LISTEN_PID"])
      let server = try Server(
        configuration, upstream: Authorities.settings(environment), log: log, seed: Entropy.seed(),
        secondSeed: Entropy.seed(),
        notifier: notifier)
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
      tell(configuration, environment, log)
      log.flush()
      if configuration.providers.contains(where: { $0.isSecure }) { Transport.prepareTLS() }
      ready(server)
      do throws(KernelFault) {
        while case .reloadWanted = try server.run() { reload(server, reread(), environment, log) }
      } catch {
        Console.complain("synaxis: \(error.text)\n")
        return ExitCode.failed
      }
      return ExitCode.ok
    } catch {
      switch error {
      case .kernel(let fault): Console.complain("synaxis: \(fault.text)\n")
      case .identity(let fault): Console.complain("synaxis: \(fault.text)\n")
      case .upstream(.startFailed(let code)):
        Console.complain("synaxis: libcurl does not start (code \(code))\n")
      }
      return ExitCode.unavailable
    }
  }
}

extension Service {
  /// What will be used, what is left out and why, and, failover being what the program is for, where there is
  /// nothing to fail over to.
  private static func tell(_ configuration: Configuration, _ environment: Environment, _ log: Log) {
    let order = configuration.providers.enumerated().sorted { a, b in
      (a.element.tier, a.offset) < (b.element.tier, b.offset)
    }
    for (_, provider) in order { log.provider(provider) }
    for provider in configuration.disabledProviders { log.leftOut(provider) }
    for doubt in Authorities.doubts(configuration, environment) { log.note(.warning, "certificates", doubt) }
    for models in Catalog(configuration).loneModels {
      log.note(
        .info, "one provider only", "\(models.provider): \(models.list(limit: Limits.namesInMessage))")
    }
  }

  /// Raises the limit of descriptors to what the tier file's limits take, as far as the system lets: a connection of
  /// each client, one to a provider for each exchange, and those that idle or lose races.
  private static func provideDescriptors(for limits: LimitSettings, _ log: Log) {
    let allowed = ProcessFacts.raiseDescriptorLimit(to: limits.connections * 3 + 256)
    let needed =
      limits.connections + min(limits.concurrentRequests, limits.connections) + Limits.ownDescriptors
    if allowed >= needed { return }
    log.note(
      .warning, "few descriptors",
      "limits.connections and limits.concurrent_requests take \(needed), this process may have \(allowed) (ulimit -n, LimitNOFILE): who finds none gets 503"
    )
  }

  /// Gives the server what the tier file says now. Its problems go to the log: nobody looks at a terminal.
  private static func reload(
    _ server: Server, _ reading: Reading?, _ environment: Environment, _ log: Log
  ) {
    for problem in reading?.problems ?? [] {
      log.note(
        problem.severity == .error ? .error : .warning, "tier file", problem.text(in: reading?.file ?? ""))
    }
    if let configuration = reading?.configuration {
      provideDescriptors(for: configuration.limits, log)
      server.reload(configuration)
      tell(configuration, environment, log)
    } else {
      server.keepConfiguration()
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
    case "none": self = .silent
    default: return nil
    }
  }
}
