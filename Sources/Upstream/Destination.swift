internal import Base
internal import CCurl

/// How connections to a target are dialled, and how each request to it begins: made once, from its URL and fields.
struct Destination {
  /// What libcurl is told to connect to: scheme, host and port. Of `https` too as if it were plain HTTP.
  let dialURL: String
  /// The proxy that passes bytes on; nil: none, or one that is asked for `http` itself.
  let dialProxy: String?
  let isSecure: Bool
  /// Without the brackets of an IPv6 address.
  let hostName: String
  /// Behind the method: ` /path`, and what of the query is the target's own.
  private let path: [UInt8]
  private let ownQuery: [UInt8]?
  /// Behind the query: ` HTTP/1.1`, `Host` and the target's own fields, each line with its end.
  private let start: [UInt8]

  /// nil: not a URL that can be asked, or fields that say how a message is framed or whom it is for.
  ///
  /// A SOCKS proxy passes bytes on; so does one for HTTP, where it is asked for a tunnel, as for `https`. In the clear
  /// it takes the request itself, in the absolute form (RFC 9112 §3.2.2).
  init?(_ spec: TransferTarget) {
    guard let url = URLParts(spec.url), url.scheme == "http" || url.scheme == "https", url.user == nil,
      !spec.headerLines.contains(where: Self.isFraming)
    else { return nil }
    isSecure = url.scheme == "https"
    hostName = url.host.hasPrefix("[") ? String(url.host.dropFirst().dropLast()) : url.host
    let usualPort = isSecure ? "443" : "80"
    let port = url.port ?? usualPort
    let authority = url.host + (port == usualPort ? "" : ":\(port)")
    var target = url.path
    ownQuery = url.query.map { Array($0.utf8) }
    var text = " HTTP/1.1\r\nHost: \(authority)\r\nAccept-Encoding: identity\r\n"
    if !isSecure, spec.versions != .http2, let proxy = spec.proxy, proxy.hasPrefix("http://") {
      guard let proxy = URLParts(proxy) else { return nil }
      dialURL = "http://\(proxy.dialHost):\(proxy.port ?? "1080")/"
      dialProxy = nil
      target = "http://\(authority)\(target)"
      if let user = proxy.user {
        text += "Proxy-Authorization: Basic \(Self.basic(user, proxy.password ?? ""))\r\n"
      }
    } else {
      dialURL = "http://\(url.dialHost):\(port)/"
      dialProxy = spec.proxy
    }
    path = Array(" \(target)".utf8)
    for line in spec.headerLines { text += "\(line)\r\n" }
    start = Array(text.utf8)
  }

  /// RFC 7617 §2.
  private static func basic(_ user: String, _ password: String) -> String {
    let bytes = Array("\(user):\(password)".utf8)
    return Base64.encode(bytes.span)
  }

  private static let framing = [
    "host", "content-length", "transfer-encoding", "connection", "expect", "accept-encoding",
  ]

  private static func isFraming(_ line: String) -> Bool {
    let name = line.prefix { $0 != ":" }.lowercased()
    return framing.contains(name.filter { $0 != " " })
  }

  /// Composes a request's head. A body is framed whatever the method: without its length the provider would take it for
  /// the next request on that connection (RFC 9112 §6.3).
  func compose(
    _ method: TransferMethod, query: Span<UInt8>, lines: Span<UInt8>, but names: FieldNames, bodySize: Int,
    into head: inout ByteBuffer
  ) {
    switch method {
    case .get: head.append("GET")
    case .post: head.append("POST")
    case .delete: head.append("DELETE")
    }
    begin(behind: Span(), query: query, lines: lines, but: names, into: &head)
    if method == .post || bodySize > 0 {
      head.append("Content-Length: ")
      head.append(decimal: bodySize)
      head.append("\r\n")
    }
    head.append("\r\n")
  }

  /// Continues a head behind its method, up to the fields that say how the body is framed. `rest`: behind the target's
  /// own path. `lines`: field lines; an empty one, which would end the head, is left out, and so are those of `names`.
  func begin(
    behind rest: Span<UInt8>, query: Span<UInt8>, lines: Span<UInt8>, but names: FieldNames,
    into head: inout ByteBuffer
  ) {
    head.append(path.span)
    head.append(rest)
    if let ownQuery {
      head.append(UInt8(ascii: "?"))
      head.append(ownQuery.span)
    }
    if !query.isEmpty {
      head.append(UInt8(ascii: ownQuery != nil ? "&" : "?"))
      head.append(query)
    }
    head.append(start.span)
    lines.eachLine { line in
      if line.count == 0 || names.contains(nameOf: line) { return }
      head.append(line)
      head.append("\r\n")
    }
  }

  /// Writes the fields of a head that was composed as HTTP/2 has them (RFC 9113 §8.3.1), a line each.
  static func writeFields(of head: Span<UInt8>, isSecure: Bool, into fields: inout ByteBuffer) {
    fields.removeAll()
    var isFirst = true
    head.eachLine { line in
      if line.count == 0 { return }
      if isFirst {
        isFirst = false
        let space = line.firstIndex(of: 32) ?? line.count
        fields.append(":method: ")
        fields.append(line.extracting(0..<space))
        fields.append(isSecure ? "\r\n:scheme: https\r\n:path: " : "\r\n:scheme: http\r\n:path: ")
        // Behind it stands ` HTTP/1.1`.
        fields.append(line.extracting(space + 1..<line.count - 9))
      } else if line.count > 5, line.extracting(0..<5).equalsIgnoringCase("host:") {
        fields.append(":authority:")
        fields.append(line.extracting(5..<line.count))
      } else if line.hasPrefixIgnoringCase("transfer-encoding:") {
        return
      } else {
        fields.append(line)
      }
      fields.append("\r\n")
    }
  }
}

/// The parts of a URL, as libcurl takes it apart.
private struct URLParts {
  let scheme: String
  let user: String?
  let password: String?
  let host: String
  /// The host with the zone of an IPv6 address (RFC 6874), which is of this machine only.
  let dialHost: String
  let port: String?
  let path: String
  let query: String?

  /// nil: not a URL of visible ASCII.
  init?(_ text: String) {
    guard text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }), let url = curl_url() else { return nil }
    defer { curl_url_cleanup(url) }
    guard curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK,
      let scheme = Self.part(CURLUPART_SCHEME, of: url),
      let host = Self.part(CURLUPART_HOST, of: url), let path = Self.part(CURLUPART_PATH, of: url)
    else { return nil }
    self.scheme = scheme
    self.host = host
    let zone = Self.part(CURLUPART_ZONEID, of: url)
    dialHost = zone.map { "\(host.dropLast())%25\($0)]" } ?? host
    self.path = path
    user = Self.part(CURLUPART_USER, of: url, decoded: true)
    password = Self.part(CURLUPART_PASSWORD, of: url, decoded: true)
    port = Self.part(CURLUPART_PORT, of: url)
    query = Self.part(CURLUPART_QUERY, of: url)
  }

  /// nil: there is none.
  private static func part(_ part: CURLUPart, of url: OpaquePointer, decoded: Bool = false) -> String? {
    var found: UnsafeMutablePointer<CChar>?
    let flags = decoded ? UInt32(CURLU_URLDECODE) : 0
    guard curl_url_get(url, part, &found, flags) == CURLUE_OK, let found else { return nil }
    // Lifetime: the text is libcurl's to give and ours to free.
    defer { curl_free(found) }
    return String(cString: found)
  }
}

extension Span<UInt8> {
  /// Lends each line without its end, which is CRLF or LF; the last one may have none.
  func eachLine(_ body: (Span<UInt8>) -> Void) {
    var at = 0
    while at < count {
      let rest = extracting(at..<count)
      let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.count
      let isReturn = end > 0 && rest[end - 1] == UInt8(ascii: "\r")
      body(rest.extracting(0..<(isReturn ? end - 1 : end)))
      at += end + 1
    }
  }
}
