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
    let access: InstanceAccess
    do throws(InstanceAccess.Refusal) { access = try InstanceAccess(options) } catch { return error.exitCode }
    let (request, token) = (access.request, access.token)
    if options.checks { return Self.check(request) }
    let isTerminal = isatty(STDOUT_FILENO) == 1
    let isColoured = isTerminal && (TierFileChoice.environment()["NO_COLOR"] ?? "").isEmpty
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

  /// Asks once and prints what came.
  private static func show(_ request: PageRequest, _ token: String?, _ isColoured: Bool) -> Int32 {
    do throws(PageRequest.Fault) {
      let answer = try request.ask("GET", "/admin/health", token: token)
      switch answer.status {
      case 200:
        guard let report = answer.body.withBytes({ StatusReport($0) }) else { break }
        Console.say(StatusTable.text(report, coloured: isColoured))
        return ExitCode.ok
      default: break
      }
      return InstanceAccess.complain(answer.status, of: "/admin/health", hasToken: token != nil)
    } catch {
      return InstanceAccess.complain(error)
    }
  }

  /// Whether the instance can serve, for a container's health check: in words only where it cannot.
  private static func check(_ request: PageRequest) -> Int32 {
    do throws(PageRequest.Fault) {
      let answer = try request.ask("GET", "/health/readiness", token: nil)
      if answer.status == 200 { return ExitCode.ok }
      Console.complain("synaxis: not ready: /health/readiness answers \(answer.status)\n")
      return ExitCode.failed
    } catch {
      return InstanceAccess.complain(error)
    }
  }
}
