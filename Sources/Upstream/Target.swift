internal import Base
internal import CCurl
internal import CLinux
internal import Transport

/// Header lines in the shape that libcurl reads: a list of NUL-terminated texts.
///
/// The memory is kept and refilled, so that a request allocates nothing for its headers once warm. libcurl
/// keeps the list's address, not a copy: Lifetime: unchanged while a transfer that was given it runs.
struct HeaderList: ~Copyable {
  private var text = ByteBuffer()
  private var ends: [Int] = []
  private var nodes: UnsafeMutablePointer<curl_slist>?
  private var capacity = 0
  private(set) var hasContentType = false

  deinit { free(nodes) }

  /// Complete lines, each ended by CRLF or LF; empty ones are skipped, and those of `names`.
  mutating func fill(_ lines: Span<UInt8>, but names: FieldNames) {
    clear()
    lines.eachLine { if !names.contains(nameOf: $0) { add($0) } }
  }

  mutating func clear() {
    text.removeAll()
    ends.removeAll(keepingCapacity: true)
    hasContentType = false
  }

  /// A field without a value is written with a semicolon for libcurl, for which a colon alone means "leave
  /// your own such field out" (CURLOPT_HTTPHEADER).
  mutating func add(_ line: Span<UInt8>) {
    let line = line.extracting(line.trimmed(0..<line.count))
    if line.count == 0 { return }
    if line.count >= 13, line.extracting(0..<13).equalsIgnoringCase("content-type:") { hasContentType = true }
    let isEmpty = line[line.count - 1] == UInt8(ascii: ":")
    text.append(isEmpty ? line.extracting(0..<line.count - 1) : line)
    if isEmpty { text.append(UInt8(ascii: ";")) }
    text.append(0)
    ends.append(text.count)
  }

  /// "Leave out the field that you would add yourself": `Name:`.
  mutating func suppress(_ name: StaticString) {
    text.append(name)
    text.append(0)
    ends.append(text.count)
  }

  /// Links the lines and lets `tail` follow; the first node, or `tail` where there are no lines.
  mutating func link(before tail: UnsafeMutablePointer<curl_slist>?) -> UnsafeMutablePointer<curl_slist>? {
    if ends.isEmpty { return tail }
    if capacity < ends.count {
      free(nodes)
      guard let memory = calloc(ends.count + 8, MemoryLayout<curl_slist>.stride) else { abort() }
      nodes = memory.assumingMemoryBound(to: curl_slist.self)
      capacity = ends.count + 8
    }
    let nodes = nodes!
    let ends = ends
    text.withMutableBytes { bytes in
      var start = 0
      for (i, end) in ends.enumerated() {
        // Lifetime: points into `text`, which is not touched until the next `fill` or `clear`.
        nodes[i].data = (bytes.baseAddress! + start).assumingMemoryBound(to: CChar.self)
        nodes[i].next = i + 1 < ends.count ? nodes + (i + 1) : tail
        start = end
      }
    }
    return nodes
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

/// A target as it is kept: its fixed header lines linked once, and what was learned about it.
final class Target {
  let spec: TransferTarget
  let names: FieldNames
  /// The URL has a query.
  let hasQuery: Bool
  /// Its place in the list of hosts.
  let host: Int32
  /// `prepare` calls that were not undone, and transfers that use the header list.
  var holders = 0
  var transfers = 0
  /// The last answer came over HTTP/2.
  var speaksHTTP2 = false
  private var list = HeaderList()
  /// Lifetime: the nodes belong to `list`, which lives as long as this object.
  private(set) var firstLine: UnsafeMutablePointer<curl_slist>?
  /// How requests begin that go over a line; nil: they go through libcurl.
  let lineRequest: LineRequest?
  /// Whom lines shake hands with; nil: in the clear.
  var peer: TLSPeer?

  init(_ spec: TransferTarget, host: Int32) {
    self.spec = spec
    self.host = host
    names = FieldNames(of: spec.headerLines)
    hasQuery = spec.url.utf8.contains(UInt8(ascii: "?"))
    lineRequest = LineRequest(spec)
    for line in spec.headerLines {
      let bytes = Array(line.utf8)
      list.add(bytes.span)
    }
    // A body is sent at once: no waiting for `100 Continue`. What the relay forwards must not be packed.
    list.suppress("Expect:")
    // Without it libcurl asks for `*/*`, which says nothing. What the client accepts is told all the same.
    list.suppress("Accept:")
    list.suppress("Accept-Encoding: identity")
    firstLine = list.link(before: nil)
  }

  var hasContentType: Bool { list.hasContentType }

}

/// Where connections lead, and how: those of one host stand in for each other.
struct Host: Equatable {
  /// `https://host:port`, in lower case.
  let authority: String
  let socket: String?
  let proxy: String?
  let tls: TLSSettings
  let serverName: String?

  init(_ target: TransferTarget) {
    authority = Self.authority(of: target.url)
    socket = target.socket
    proxy = target.proxy
    tls = target.tls
    serverName = target.serverName
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
