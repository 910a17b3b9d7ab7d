internal import Base
internal import CLinux
internal import Kernel
internal import Lab
internal import Policy
internal import TierFile

/// `synaxis status`: the providers of a running instance, as a table.
struct StatusCommand {
  let options: StatusOptions

  func run() -> Int32 {
    let environment = TierFileChoice.environment()
    var token = options.token ?? environment["SYNAXIS_ADMIN_TOKEN"]
    if token?.isEmpty == true { token = nil }
    let request: PageRequest
    do throws(UsageError) {
      if let url = options.url {
        request = PageRequest(instance: try Instance(url: url))
      } else {
        guard let found = Self.address(options.file, environment, token: &token) else {
          return ExitCode.config
        }
        request = PageRequest(instance: Instance(found))
      }
    } catch {
      Console.complain("synaxis: \(error.message)\n")
      return ExitCode.usage
    }
    if let shown = token, shown.utf8.contains(where: { $0 <= 32 || $0 >= 127 }) {
      Console.complain("synaxis: the token has characters that no header can carry\n")
      return ExitCode.usage
    }
    if options.checks { return Self.check(request) }
    let isTerminal = isatty(STDOUT_FILENO) == 1
    let isColoured = isTerminal && (environment["NO_COLOR"] ?? "").isEmpty
    if !options.watches { return Self.show(request, token, isColoured) }
    return watch(request, token, isTerminal: isTerminal, isColoured: isColoured)
  }

  /// Shows the table each second until the program is ended. An instance that is away for a while is waited for.
  private func watch(_ request: PageRequest, _ token: String?, isTerminal: Bool, isColoured: Bool) -> Int32 {
    while true {
      if isTerminal { Console.say("\u{1b}[H\u{1b}[2J") }
      let status = Self.show(request, token, isColoured)
      if status == ExitCode.usage { return status }
      if !isTerminal { Console.say("\n") }
      // Nobody reads any more: a pipe to `head`.
      var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
      if poll(&output, 1, 1000) == 1, output.revents & Int16(POLLERR | POLLHUP) != 0 { return ExitCode.ok }
    }
  }

  /// Asks once and prints what came: 1. the table; 2. the token is needed; 3. the pages are off; 4. something else.
  private static func show(_ request: PageRequest, _ token: String?, _ isColoured: Bool) -> Int32 {
    do throws(PageRequest.Fault) {
      let answer = try request.get("/admin/health", token: token)
      switch answer.status {
      case 200:  // 1
        guard let report = answer.body.withBytes({ StatusReport($0) }) else { break }
        Console.say(StatusTable.text(report, coloured: isColoured))
        return ExitCode.ok
      case 401:  // 2
        let what = token == nil ? "wants the admin token" : "does not know this admin token"
        Console.complain("synaxis: the instance \(what): --token TOKEN, or $SYNAXIS_ADMIN_TOKEN\n")
        return ExitCode.usage
      case 403:  // 3
        Console.complain(
          "synaxis: the admin pages are off there: set `admin: { token: … }` or `admin: { listen: unix:… }` "
            + "in its tier file\n")
        return ExitCode.usage
      default: break
      }
      Console.complain("synaxis: that is no synaxis: it answers /admin/health with \(answer.status)\n")  // 4
      return ExitCode.failed
    } catch {
      Console.complain("synaxis: \(text(error))\n")
      return ExitCode.unavailable
    }
  }

  /// Whether the instance can serve, for a container's health check: in words only where it cannot.
  private static func check(_ request: PageRequest) -> Int32 {
    do throws(PageRequest.Fault) {
      let answer = try request.get("/health/readiness", token: nil)
      if answer.status == 200 { return ExitCode.ok }
      Console.complain("synaxis: not ready: /health/readiness answers \(answer.status)\n")
      return ExitCode.failed
    } catch {
      Console.complain("synaxis: \(text(error))\n")
      return ExitCode.unavailable
    }
  }

  private static func text(_ fault: PageRequest.Fault) -> String {
    switch fault {
    case .connect(let text): "\(text): is it running? --url says where else to ask"
    case .silent: "the instance does not answer"
    case .cut: "the connection ended before the answer was complete"
    case .notHTTP: "what answers there does not speak HTTP as synaxis does"
    }
  }

  /// Where the tier file lets the instance listen, the admin listener first. The file's own token is taken where
  /// none was given. Nil: nothing can be asked; it has been said why.
  private static func address(_ file: String?, _ environment: Environment, token: inout String?)
    -> LabAddress?
  {
    if TierFileChoice.path(file, environment) == nil { return .tcp(host: "127.0.0.1", port: 8080) }
    guard let reading = TierFileChoice.read(file, environment, onlyAddresses: true),
      let configuration = reading.configuration
    else {
      Console.complain("synaxis: --url URL asks without a tier file\n")
      return nil
    }
    token = token ?? configuration.admin.token?.exposed
    for listen in configuration.admin.listen + configuration.listen {
      switch listen {
      case .tcp(_, port: 0), .inherited: continue
      case .tcp("0.0.0.0", let port): return .tcp(host: "127.0.0.1", port: port)
      case .tcp("::", let port): return .tcp(host: "::1", port: port)
      case .tcp(let host, let port): return .tcp(host: host, port: port)
      case .unix(let path): return .unix(path: path)
      }
    }
    Console.complain("synaxis: the tier file does not say which port it is: --url URL says where to ask\n")
    return nil
  }
}
