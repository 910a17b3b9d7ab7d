internal import Base
internal import Batch
internal import CLinux
internal import Kernel
internal import Lab
internal import TierFile

/// The command line: one command, its options, and what they print.
struct Command {
  private let arguments: [String]

  /// What this process was started with.
  init() {
    var arguments: [String] = []
    // Lifetime: the words are the process's own and are copied here. The first is the program's name.
    while let word = linux_argument(Int32(arguments.count + 1)) { arguments.append(String(cString: word)) }
    self.arguments = arguments
  }

  func run() -> Int32 {
    guard let name = arguments.first else {
      Console.complain(Help.firstSteps)
      return ExitCode.usage
    }
    return run(name, Array(arguments.dropFirst()))
  }

  private func run(_ name: String, _ rest: [String]) -> Int32 {
    switch name {
    case "run": return withFile(name, rest, Help.run) { RunCommand(options: $0).run() }
    case "check": return withFile(name, rest, Help.check) { CheckCommand(options: $0).run() }
    case "demo": return demo(rest)
    case "mock": return mock(rest)
    case "bench": return bench(rest)
    case "status": return status(rest)
    case "reset": return reset(rest)
    case "batch": return batch(rest)
    case "init": return plain(name, Help.initial) { () throws(UsageError) in try InitCommand.run(rest) }
    case "schema": return plain(name, Help.schema) { () throws(UsageError) in try SchemaCommand.run(rest) }
    case "--version", "-V", "version":
      Console.say("synaxis \(Version.text)\n")
      return ExitCode.ok
    case "--help", "-h", "help":
      // `synaxis help run` is `synaxis run --help`.
      if let command = rest.first, Help.commands.contains(command) { return run(command, ["--help"]) }
      Console.say(Help.overview)
      return ExitCode.ok
    default:
      Console.complain(
        """
        synaxis: there is no command `\(name)`; there are \(Help.commands.joined(separator: ", "))
        Try: synaxis --help

        """)
      return ExitCode.usage
    }
  }

  private func withFile(
    _ name: String, _ list: [String], _ help: String, _ body: (FileOptions) -> Int32
  ) -> Int32 {
    do throws(UsageError) {
      guard let options = try FileOptions.parse(list) else {
        Console.say(help)
        return ExitCode.ok
      }
      return body(options)
    } catch {
      return misused(error.message, name)
    }
  }

  /// A command that prints something. `body` returns nil where help was asked for.
  private func plain(_ name: String, _ help: String, _ body: () throws(UsageError) -> Int32?) -> Int32 {
    do throws(UsageError) {
      if let code = try body() { return code }
      Console.say(help)
      return ExitCode.ok
    } catch {
      return misused(error.message, name)
    }
  }

  private func demo(_ list: [String]) -> Int32 {
    if list.isEmpty { return DemoCommand().run() }
    if list == ["--help"] || list == ["-h"] {
      Console.say(Help.demo)
      return ExitCode.ok
    }
    return misused("demo takes no options", "demo")
  }

  private func mock(_ list: [String]) -> Int32 {
    do throws(UsageError) {
      switch try MockOptions.parse(list) {
      case .help: Console.say("\(MockOptions.help)\n")
      case .run(let options): return runMock(options)
      }
      return ExitCode.ok
    } catch {
      return misused(error.message, "mock")
    }
  }

  private func runMock(_ options: MockOptions) -> Int32 {
    do throws(KernelFault) {
      let mock = try MockProvider(options)
      Console.complain("mock provider `\(options.name)` listens on \(mock.text)\n")
      try mock.run()
      return ExitCode.ok
    } catch {
      Console.complain("synaxis: \(error.text)\n")
      return ExitCode.unavailable
    }
  }

  private func bench(_ list: [String]) -> Int32 {
    do throws(UsageError) {
      switch try LoadOptions.parse(list) {
      case .help: Console.say("\(LoadOptions.help)\n")
      case .run(let options): return runBench(options)
      }
      return ExitCode.ok
    } catch {
      return misused(error.message, "bench")
    }
  }

  private func runBench(_ options: LoadOptions) -> Int32 {
    do throws(LoadFault) {
      let peer = Authorities.peer(of: options.instance)
      let generator = try LoadGenerator(options, peer: peer)
      if options.model == nil { generator.ask(for: ListedModels.first(options, peer: peer)) }
      do throws(KernelFault) {
        let report = try generator.run()
        Console.say(options.json ? report.json() : report.table())
        if let fault = generator.connectFault { Console.complain("synaxis: \(fault.text)\n") }
        return report.errors.total == 0 ? ExitCode.ok : ExitCode.failed
      } catch {
        throw .kernel(error)
      }
    } catch {
      Console.complain("synaxis: \(error.text)\n")
      return ExitCode.unavailable
    }
  }

  private func batch(_ list: [String]) -> Int32 {
    do throws(UsageError) {
      let key = TierFileChoice.environment()["OPENAI_API_KEY"]
      switch try BatchOptions.parse(list, key: key?.isEmpty == true ? nil : key) {
      case .help: Console.say("\(BatchOptions.help)\n")
      case .run(let options): return runBatch(options)
      }
      return ExitCode.ok
    } catch {
      return misused(error.message, "batch")
    }
  }

  private func runBatch(_ options: BatchOptions) -> Int32 {
    do throws(BatchFault) {
      let run = try BatchRun(options, peer: Authorities.peer(of: options.instance)) { report in
        report.withBytes { Console.complain($0.text) }
      }
      let totals = try run.run()
      Console.say(totals.table())
      return totals.isComplete ? ExitCode.ok : ExitCode.failed
    } catch {
      Console.complain("synaxis: \(error.text(input: options.input, output: options.output))\n")
      switch error {
      case .keyRejected: return ExitCode.usage
      case .openInput, .openOutput, .locked, .lineTooLong, .changed, .mistakes: return ExitCode.data
      case .kernel, .unreachable: return ExitCode.unavailable
      case .read, .write: return ExitCode.io
      }
    }
  }

  private func status(_ list: [String]) -> Int32 {
    do throws(UsageError) {
      guard let options = try StatusOptions.parse(list) else {
        Console.say(Help.status)
        return ExitCode.ok
      }
      return StatusCommand(options: options).run()
    } catch {
      return misused(error.message, "status")
    }
  }

  private func reset(_ list: [String]) -> Int32 {
    do throws(UsageError) {
      guard let options = try StatusOptions.parse(list, isReset: true) else {
        Console.say(Help.reset)
        return ExitCode.ok
      }
      return ResetCommand(options: options).run()
    } catch {
      return misused(error.message, "reset")
    }
  }

  /// The message alone, so that it is not lost above a page of help.
  private func misused(_ message: String, _ command: String) -> Int32 {
    Console.complain("synaxis: \(message)\nTry: synaxis \(command) --help\n")
    return ExitCode.usage
  }
}

/// The options of the commands that read a tier file.
struct FileOptions {
  var file: String?
  /// `--log-level`
  var logLevel: String?
  /// `--route MODEL`
  var route: String?
  /// `--strict`
  var isStrict = false

  /// Nil: help was asked for.
  static func parse(_ list: [String]) throws(UsageError) -> FileOptions? {
    var options = FileOptions()
    var arguments = Arguments(list)
    while let argument = try arguments.next() {
      switch argument {
      case "-h", "--help": return nil
      case "-c", "--config": options.file = try arguments.value()
      case "--log-level": options.logLevel = try arguments.value()
      case "--route": options.route = try arguments.value()
      case "--strict": options.isStrict = true
      default:
        if argument.hasPrefix("-") { throw arguments.unknown() }
        throw UsageError("unexpected '\(argument)'; a tier file is given with -c FILE")
      }
    }
    return options
  }
}
