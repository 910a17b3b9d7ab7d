internal import Base
internal import Lab
internal import Policy
internal import TierFile
internal import Transport

/// How the commands reach the admin pages of a running instance: where it is, and with which token.
struct InstanceAccess {
  let request: PageRequest
  let token: String?

  /// It has been said why nothing can be asked.
  struct Refusal: Error {
    let exitCode: Int32
  }

  init(_ options: StatusOptions) throws(Refusal) {
    let environment = TierFileChoice.environment()
    var token = options.token ?? environment["SYNAXIS_ADMIN_TOKEN"]
    if token?.isEmpty == true { token = nil }
    if let url = options.url {
      do throws(UsageError) {
        let instance = try Instance(url: url)
        request = PageRequest(instance: instance, peer: Authorities.peer(of: instance))
      } catch {
        Console.complain("synaxis: \(error.message)\n")
        throw Refusal(exitCode: ExitCode.usage)
      }
    } else if let found = Self.request(options.file, environment, token: &token) {
      request = found
    } else {
      throw Refusal(exitCode: ExitCode.config)
    }
    if let shown = token, shown.utf8.contains(where: { $0 <= 32 || $0 >= 127 }) {
      Console.complain("synaxis: the token has characters that no header can carry\n")
      throw Refusal(exitCode: ExitCode.usage)
    }
    self.token = token
  }

  /// Says why a page did not come, by its status: 1. the token is needed; 2. the pages are off; 3. something else.
  static func complain(_ status: Int, of path: String, hasToken: Bool) -> Int32 {
    switch status {
    case 401:  // 1
      let what = hasToken ? "does not know this admin token" : "wants the admin token"
      Console.complain("synaxis: the instance \(what): --token TOKEN, or $SYNAXIS_ADMIN_TOKEN\n")
      return ExitCode.usage
    case 403:  // 2
      Console.complain(
        "synaxis: the admin pages are off there: set `admin: { token: … }` or `admin: { listen: unix:… }` "
          + "in its tier file\n")
      return ExitCode.usage
    default:
      Console.complain("synaxis: that is no synaxis: it answers \(path) with \(status)\n")  // 3
      return ExitCode.failed
    }
  }

  /// Says why nothing came.
  static func complain(_ fault: PageRequest.Fault) -> Int32 {
    let text =
      switch fault {
      case .connect(.tls(let fault, let name)): ConnectFault.tls(fault, name: name).text
      case .connect(let fault): "\(fault.text): is it running? --url says where else to ask"
      case .silent: "the instance does not answer"
      case .cut: "the connection ended before the answer was complete"
      case .notHTTP: "what answers there does not speak HTTP as synaxis does"
      }
    Console.complain("synaxis: \(text)\n")
    return ExitCode.unavailable
  }

  /// Where the tier file lets the instance listen, the admin listener first. The file's own token is taken where
  /// none was given. A listener that speaks TLS is known by its certificate in the file. Nil: nothing can be asked; it
  /// has been said why.
  private static func request(_ file: String?, _ environment: Environment, token: inout String?)
    -> PageRequest?
  {
    if TierFileChoice.path(file, environment) == nil { return PageRequest(instance: Instance(), peer: nil) }
    guard let reading = TierFileChoice.read(file, environment, onlyAddresses: true),
      let configuration = reading.configuration
    else {
      Console.complain("synaxis: --url URL asks without a tier file\n")
      return nil
    }
    token = token ?? configuration.admin.token?.exposed
    var wantsCertificate = false
    for listen in configuration.admin.listen + configuration.listen {
      guard let address = address(of: listen) else { continue }
      let tls = configuration.secured[listen]
      // There is none at hand that its clients' authorities have signed.
      if tls?.clientAuthorities != nil {
        wantsCertificate = true
        continue
      }
      let instance = Instance(address, isSecure: tls != nil)
      return PageRequest(instance: instance, peer: tls.map { peer(at: instance, showing: $0.certificate) })
    }
    Console.complain(
      wantsCertificate
        ? "synaxis: the tier file's listeners want a certificate of their clients: add one that does not, for example "
          + "admin: { listen: unix:… }\n"
        : "synaxis: the tier file does not say which port it is: --url URL says where to ask\n")
    return nil
  }

  private static func address(of listen: Listen) -> LabAddress? {
    switch listen {
    case .tcp(_, port: 0), .inherited: nil
    case .tcp("0.0.0.0", let port): .tcp(host: "127.0.0.1", port: port)
    case .tcp("::", let port): .tcp(host: "::1", port: port)
    case .tcp(let host, let port): .tcp(host: host, port: port)
    case .unix(let path): .unix(path: path)
    }
  }

  private static func peer(at instance: Instance, showing certificate: String) -> TLSPeer {
    var settings = TLSSettings()
    settings.expected = certificate
    return TLSPeer(TLSContext(settings), name: instance.name, protocols: .http1)
  }
}
