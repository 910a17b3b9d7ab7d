internal import Base
internal import CLinux
internal import Policy
internal import Transport

extension Reader {
  /// `listen`: one listener or a list.
  mutating func listeners(_ node: Node, _ path: String) -> [Listen] {
    var listeners: [Listen] = []
    for item in items(of: node) {
      guard let (listen, tls) = listener(item, path) else { continue }
      if listeners.contains(listen) {
        error(item.mark, "\(label(path)): \(listen.text) stands twice")
      } else {
        listeners.append(listen)
        configuration.secured[listen] = tls
      }
    }
    if items(of: node).isEmpty { error(node.mark, "\(label(path)): no address") }
    return listeners
  }

  /// One listener: an address, or a map of it and what it speaks.
  private mutating func listener(_ node: Node, _ path: String) -> (Listen, ListenerTLS?)? {
    guard case .map = node.content else {
      return text(node, path).flatMap { listen($0, at: node.mark, path) }.map { ($0, nil) }
    }
    guard let section = section(node, path, .listener) else { return nil }
    let tls = section["tls"].flatMap { listenerTLS($0, section.path("tls")) }
    guard let address = section["address"] else {
      error(
        node.mark, "\(label(path)): no address",
        hint: "a listener is { address: 0.0.0.0:8443, tls: { cert: … } }")
      return nil
    }
    return text(address, section.path("address")).flatMap {
      listen($0, at: address.mark, section.path("address"))
    }.map { ($0, tls) }
  }

  /// The files of a listener, which have to be usable together.
  private mutating func listenerTLS(_ node: Node, _ path: String) -> ListenerTLS? {
    guard let section = section(node, path, .listenerTLS) else { return nil }
    guard section["cert"] != nil else {
      error(node.mark, "\(label(path)): no cert", hint: "it names a certificate in PEM")
      return nil
    }
    let before = problemCount
    guard let certificate = certificates("cert", in: section) else { return nil }
    let tls = ListenerTLS(
      certificate: certificate,
      key: section["key"] == nil ? certificate : certificates("key", in: section) ?? "",
      clientAuthorities: certificates("client_ca", in: section))
    if problemCount == before, !readsOnlyAddresses { check(tls, section) }
    return tls
  }

  private mutating func check(_ tls: ListenerTLS, _ section: Section) {
    func place(_ key: String) -> Mark { section.place(of: section[key] == nil ? "cert" : key) }
    do throws(TLSIdentity.Fault) {
      let identity = try TLSIdentity(
        certificate: tls.certificate, key: tls.key, clientAuthorities: tls.clientAuthorities)
      if let doubt = identity.doubt { warn(place("cert"), "\(label(section.path("cert"))): \(doubt)") }
    } catch {
      let key =
        switch error {
        case .certificate, .outOfMemory: "cert"
        case .key, .otherKey: "key"
        case .clientAuthorities: "client_ca"
        }
      self.error(place(key), "\(label(section.path(key))): \(error.text)")
    }
  }

  /// One address:
  /// 1. `unix:/path`, 2. `fd://` or `fd://N` (the N-th handed over, from 0), 3. `8080` (on 127.0.0.1),
  /// 4. `host:port` or `[v6]:port`, where the host is an IP address, `localhost`, or empty or `*` for all.
  mutating func listen(_ text: String, at mark: Mark, _ path: String) -> Listen? {
    if text.hasPrefix("unix:") {  // 1
      var file = String(text.dropFirst(5))
      if file.hasPrefix("//") { file = String(file.dropFirst(2)) }
      // sun_path holds 108 bytes with its final NUL (unix(7)).
      if file.isEmpty || file.utf8.count > 107 || file.utf8.contains(0) {
        error(mark, "\(label(path)): a unix socket's path has 1 to 107 bytes")
        return nil
      }
      return .unix(path: file)
    }
    if text.hasPrefix("fd:") {  // 2
      var index = String(text.dropFirst(3))
      if index.hasPrefix("//") { index = String(index.dropFirst(2)) }
      if index.isEmpty { return .inherited(index: 0) }
      if let n = Units.whole(index), n < 64 { return .inherited(index: n) }
      error(mark, "\(label(path)): fd:// takes a number from 0 to 63, the place in LISTEN_FDS")
      return nil
    }
    var host = "127.0.0.1"  // 3
    var port = text
    if let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) {  // 4
      host = String(text[..<colon])
      port = String(text[text.utf8.index(after: colon)...])
    }
    guard let number = Units.whole(port), number <= 65535 else {
      error(
        mark, "\(label(path)): not an address", hint: "write 127.0.0.1:8080, [::1]:8080, unix:/path or fd://")
      return nil
    }
    guard let address = Self.address(host) else {
      error(
        mark, "\(label(path)): the host must be an IP address or localhost",
        hint: "write 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080")
      return nil
    }
    return .tcp(host: address, port: UInt16(number))
  }

  private static func address(_ host: String) -> String? {
    if host.isEmpty || host == "*" { return "0.0.0.0" }
    if host == "localhost" { return "127.0.0.1" }
    // Lifetime: inet_pton writes at most 16 bytes into the scratch during the call.
    var scratch: (UInt64, UInt64) = (0, 0)
    return withUnsafeMutableBytes(of: &scratch) { scratch in
      if host.hasPrefix("["), host.hasSuffix("]") {
        let inner = String(host.dropFirst().dropLast())
        return inet_pton(AF_INET6, inner, scratch.baseAddress) == 1 ? inner : nil
      }
      return inet_pton(AF_INET, host, scratch.baseAddress) == 1 ? host : nil
    }
  }

  /// A token that is empty by `${NAME:-}` is none: the pages are off, but for a listener of their own.
  private mutating func adminToken(_ node: Node, hasListener: Bool, isOff: inout Bool) -> Secret? {
    switch find(secret: node, "admin.token") {
    case .found(let token): return token
    case .absent(let absence) where absence.isEmptyText && raw(node, "admin.token")?.hasSuffix(":-}") == true:
      if readsOnlyAddresses { break }
      isOff = true
      let rest = hasListener ? "the admin pages are at admin.listen only" : "the admin pages are off"
      warn(absence.mark, "admin.token: \(absence.reason), \(rest)", hint: absence.remedy)
    case .absent(let absence): if !readsOnlyAddresses { report(absence) }
    case .wrong: break
    }
    return nil
  }

  mutating func readAdmin(_ node: Node) {
    guard let section = section(node, "admin", .admin) else { return }
    var lacksToken = section["token"] == nil && section["token_file"] == nil
    if let token = section["token"] {
      configuration.admin.token = adminToken(
        token, hasListener: section["listen"] != nil, isOff: &lacksToken)
    }
    if let file = section["token_file"] {
      if section["token"] != nil { error(file.mark, "admin has a token and a token_file; one is enough") }
      configuration.admin.token = secretFile(file, "admin.token_file")
    }
    if let listen = section["listen"] {
      configuration.admin.listen = listeners(listen, "admin.listen")
      let open = configuration.admin.listen.contains { !$0.isLoopback }
      if open, lacksToken {
        error(listen.mark, "admin.listen is reachable from other machines and needs admin.token")
      }
    }
  }
}
