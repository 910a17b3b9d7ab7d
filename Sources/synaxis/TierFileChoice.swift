internal import CLinux
internal import TierFile

/// Which tier file is meant, and what it says.
enum TierFileChoice {
  static let places = ["./synaxis.yaml", "/etc/synaxis/synaxis.yaml"]

  /// The environment as the program was given it.
  static func environment() -> Environment {
    var entries: [String] = []
    // Lifetime: the entries are the process's own and are copied here.
    while let entry = linux_environment(Int32(entries.count)) { entries.append(String(cString: entry)) }
    return Environment(entries: entries)
  }

  /// `-c`, else `$SYNAXIS_CONFIG`, else the first place where a file is.
  static func path(_ named: String?, _ environment: Environment) -> String? {
    if let named { return named }
    if let told = environment["SYNAXIS_CONFIG"], !told.isEmpty { return told }
    return places.first { access($0, R_OK) == 0 }
  }

  /// Reads the file and prints its problems. Nil where there is no configuration.
  static func read(
    _ named: String?, _ environment: Environment, isStrict: Bool = false, onlyAddresses: Bool = false
  ) -> Reading? {
    guard let path = path(named, environment) else {
      Console.complain(
        """
        synaxis: there is no tier file: neither -c FILE nor $SYNAXIS_CONFIG was given, and none of \
        \(places.joined(separator: ", ")) exists.
        Start from `synaxis init >synaxis.yaml`, or try `synaxis demo`, which needs none.

        """)
      return nil
    }
    var reading = TierFile.read(path: path, environment: environment, onlyAddresses: onlyAddresses)
    if isStrict { reading = reading.strict }
    Console.complain(reading.report)
    return reading
  }
}
