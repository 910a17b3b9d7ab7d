internal import Base
internal import Policy

// How a provider is reached: `proxy`, `tls` and `http`.
extension Reader {
  mutating func readConnection(into provider: inout Provider, _ section: Section, _ endpoint: Endpoint?) {
    provider.proxy = proxy(in: section)
    switch choice("http", in: section) {
    case "1.1": provider.http = .http1
    case "2": provider.http = .http2
    default: provider.http = .auto
    }
    if provider.http == .http2, endpoint?.isSecure == false, provider.proxy?.hasPrefix("http://") == true {
      error(
        section.place(of: "http"),
        "\(label(section.path("http"))): HTTP/2 in the clear does not go through an http:// proxy")
    }
    guard let node = section["tls"] else { return }
    provider.tls = tls(node, section.path("tls"))
    if let endpoint, !endpoint.isSecure {
      error(node.mark, "\(label(section.path("tls"))) is of use only where the endpoint begins with https://")
    }
  }

  private mutating func proxy(in section: Section) -> String? {
    guard let node = section["proxy"], let url = text(node, section.path("proxy")) else { return nil }
    let schemes = ["http://", "socks5://", "socks5h://", "socks4://", "socks4a://"]
    let isClean = !url.utf8.contains { $0 <= 32 || $0 >= 127 }
    guard isClean, schemes.contains(where: { url.hasPrefix($0) && url.utf8.count > $0.utf8.count }) else {
      error(
        node.mark, "\(label(section.path("proxy"))) must be a URL",
        hint: "it begins with \(schemes.joined(separator: ", "))")
      return nil
    }
    return url
  }

  // MARK: - TLS

  private mutating func tls(_ node: Node, _ path: String) -> ProviderTLS {
    var tls = ProviderTLS()
    guard let section = section(node, path, .tls) else { return tls }
    tls.authorityFile = certificates("ca_file", in: section)
    tls.certificate = certificates("cert", in: section)
    tls.key = certificates("key", in: section)
    if section["key"] != nil, section["cert"] == nil {
      error(section.place(of: "key"), "\(label(section.path)) has a key and no cert")
    }
    if let name = text("server_name", in: section) {
      let isHost = name.utf8.allSatisfy {
        $0.isDigit || $0.asciiLowercased &- 97 < 26 || "-.:_".utf8.contains($0)
      }
      if isHost, name.utf8.count <= Limits.name {
        tls.serverName = name
      } else {
        error(section.place(of: "server_name"), "\(label(section.path("server_name"))) is not a host's name")
      }
    }
    if flag("verify", in: section) == false {
      tls.verifies = false
      if section["ca_file"] != nil {
        error(
          section.place(of: "ca_file"),
          "\(label(section.path)): nothing is checked against ca_file with verify: false")
      }
      warn(
        section.place(of: "verify"),
        "\(label(section.path)): whoever is on the way can read what is sent, the key too",
        hint: "trust the server's own certificate: ca_file")
    }
    return tls
  }

  /// The path of a file in PEM, seen from the tier file. It is read again later, and as often as it changes; here it
  /// is seen that it can be.
  mutating func certificates(_ key: String, in section: Section) -> String? {
    guard let node = section[key], let name = text(node, section.path(key)) else { return nil }
    let path = File.path(name, besides: file)
    if readsOnlyAddresses { return path }
    let place = label(section.path(key))
    do throws(File.Fault) {
      let bytes = try File.read(path, atMost: Limits.certificateFile)
      if bytes.span.firstRange(of: "-----BEGIN ") == nil {
        error(
          node.mark, "\(place): the file holds nothing in PEM",
          hint: "it has lines like -----BEGIN CERTIFICATE-----")
      }
    } catch {
      switch error {
      case .cannotRead(let reason): self.error(node.mark, "\(place): cannot read the file: \(reason)")
      case .tooLarge: self.error(node.mark, "\(place): the file is larger than 4 MiB")
      }
    }
    return path
  }
}
