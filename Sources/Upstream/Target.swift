internal import Base
internal import Transport

/// A target as it is kept: how to reach it, and how requests to it begin.
final class Target {
  let spec: TransferTarget
  let names: FieldNames
  /// Its place in the list of hosts.
  let host: Int32
  /// `prepare` calls that were not undone.
  var holders = 0
  /// nil: its URL is none that can be asked.
  let destination: Destination?
  /// Whom connections shake hands with; nil: in the clear.
  var peer: TLSPeer?

  init(_ spec: TransferTarget, host: Int32) {
    self.spec = spec
    self.host = host
    names = FieldNames(of: spec.headerLines)
    destination = Destination(spec)
  }

  /// Transfers may come to share a connection.
  var mayShare: Bool {
    switch spec.versions {
    case .http1: false
    case .http2: true
    case .offered: peer != nil
    }
  }
}

/// Where connections lead, and how: those of one host stand in for each other.
struct Host: Equatable {
  /// `https://host:port`, in lower case.
  let authority: String
  let socket: String?
  let proxy: String?
  let tls: TLSSettings
  let serverName: String?
  let versions: HTTPVersions

  init(_ target: TransferTarget) {
    authority = Self.authority(of: target.url)
    socket = target.socket
    proxy = target.proxy
    tls = target.tls
    serverName = target.serverName
    versions = target.versions
  }

  private static func authority(of url: String) -> String {
    var slashes = 0
    var end = url.utf8.endIndex
    for at in url.utf8.indices where url.utf8[at] == UInt8(ascii: "/") {
      slashes += 1
      if slashes == 3 {
        end = at
        break
      }
    }
    return String(url[..<end]).lowercased()
  }
}

/// What is known of a host.
struct HostRecord {
  let host: Host
  /// nil: nothing yet.
  var speaksHTTP2: Bool?
}

/// The names of fields that a target says itself: where a request has one too, the target's is sent.
struct FieldNames {
  private let names: [[UInt8]]

  /// - Parameter lines: complete field lines.
  init(of lines: [String]) {
    names = lines.map { line in Array(line.utf8.prefix { $0 != UInt8(ascii: ":") }) }
  }

  func contains(nameOf line: Span<UInt8>) -> Bool {
    for name in names where line.count > name.count && line[name.count] == UInt8(ascii: ":") {
      if line.extracting(0..<name.count).equalsIgnoringCase(name.span) { return true }
    }
    return false
  }
}
