internal import Base
internal import CCurl

/// How a line to a target is dialled, and how each request on it begins: made once, from the target's URL and fields.
struct LineRequest {
  /// What libcurl is told to connect to: scheme, host and port. Of `https` too as if it were plain HTTP.
  let dialURL: String
  let isSecure: Bool
  /// Without the brackets of an IPv6 address.
  let hostName: String
  /// Behind the method: ` /path`, and what of the query is the target's own.
  private let path: [UInt8]
  private let hasQuery: Bool
  /// Behind the query: ` HTTP/1.1`, `Host` and the target's own fields, each line with its end.
  private let start: [UInt8]

  /// nil where a request is libcurl's: HTTP/2, a proxy that takes requests or speaks TLS itself, a user in the URL,
  /// fields that say how a message is framed or whom it is for, or a URL that needs encoding.
  init?(_ spec: TransferTarget) {
    guard !spec.prefersHTTP2, spec.url.utf8.allSatisfy({ $0 > 32 && $0 < 127 }), let url = curl_url() else {
      return nil
    }
    defer { curl_url_cleanup(url) }
    guard curl_url_set(url, CURLUPART_URL, spec.url, 0) == CURLUE_OK,
      let scheme = Self.part(CURLUPART_SCHEME, of: url), scheme == "http" || scheme == "https",
      Self.isPassable(spec.proxy, isSecure: scheme == "https"), Self.part(CURLUPART_USER, of: url) == nil,
      Self.part(CURLUPART_PASSWORD, of: url) == nil, Self.part(CURLUPART_ZONEID, of: url) == nil,
      let host = Self.part(CURLUPART_HOST, of: url), let path = Self.part(CURLUPART_PATH, of: url),
      !spec.headerLines.contains(where: Self.isFraming)
    else { return nil }
    isSecure = scheme == "https"
    let usualPort = isSecure ? "443" : "80"
    let port = Self.part(CURLUPART_PORT, of: url) ?? usualPort
    dialURL = "http://\(host):\(port)/"
    hostName = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    let query = Self.part(CURLUPART_QUERY, of: url)
    hasQuery = query != nil
    self.path = Array(" \(path)\(query.map { "?\($0)" } ?? "")".utf8)
    var text = " HTTP/1.1\r\nHost: \(host)"
    if port != usualPort { text += ":\(port)" }
    text += "\r\nAccept-Encoding: identity\r\n"
    for line in spec.headerLines { text += "\(line)\r\n" }
    start = Array(text.utf8)
  }

  /// A line can go through this proxy: it passes bytes on. An HTTP proxy does so for `https` (CONNECT).
  private static func isPassable(_ proxy: String?, isSecure: Bool) -> Bool {
    guard let proxy else { return true }
    return proxy.hasPrefix("socks") || isSecure && proxy.hasPrefix("http://")
  }

  /// A part of a parsed URL; nil: it has none.
  private static func part(_ part: CURLUPart, of url: OpaquePointer) -> String? {
    var found: UnsafeMutablePointer<CChar>?
    guard curl_url_get(url, part, &found, 0) == CURLUE_OK, let found else { return nil }
    // Lifetime: the text is libcurl's to give and ours to free.
    defer { curl_free(found) }
    return String(cString: found)
  }

  private static let framing = [
    "host", "content-length", "transfer-encoding", "connection", "expect", "accept-encoding",
  ]

  private static func isFraming(_ line: String) -> Bool {
    let name = line.prefix { $0 != ":" }.lowercased()
    return framing.contains(name.filter { $0 != " " })
  }

  /// Composes a request's head. `lines`: field lines; an empty one, which would end the head, is left out, and so
  /// are those of `names`.
  func compose(
    _ method: TransferMethod, query: Span<UInt8>, lines: Span<UInt8>, but names: FieldNames, bodySize: Int,
    into head: inout ByteBuffer
  ) {
    switch method {
    case .get: head.append("GET")
    case .post: head.append("POST")
    }
    head.append(path.span)
    if !query.isEmpty {
      head.append(UInt8(ascii: hasQuery ? "&" : "?"))
      head.append(query)
    }
    head.append(start.span)
    lines.eachLine { line in
      if line.count == 0 || names.contains(nameOf: line) { return }
      head.append(line)
      head.append("\r\n")
    }
    if method == .post {
      head.append("Content-Length: ")
      head.append(decimal: bodySize)
      head.append("\r\n")
    }
    head.append("\r\n")
  }
}
