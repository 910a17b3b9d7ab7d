internal import TierFile

/// `synaxis check`: reads the file as `run` would, and prints what it comes to.
struct CheckCommand {
  let options: FileOptions

  func run() -> Int32 {
    let environment = TierFileChoice.environment()
    guard let reading = TierFileChoice.read(options.file, environment, isStrict: options.isStrict),
      let configuration = reading.configuration
    else { return ExitCode.config }
    let doubts = Authorities.doubts(configuration, environment)
    for doubt in doubts { Console.complain("synaxis: \(options.isStrict ? "error" : "warning"): \(doubt)\n") }
    if options.isStrict, !doubts.isEmpty { return ExitCode.config }
    if let model = options.route { return RouteReport.print(model, configuration) }
    Console.say(RoutingTable(configuration).text)
    return ExitCode.ok
  }
}
