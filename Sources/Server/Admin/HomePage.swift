internal import Base
internal import CPage
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
internal import Wire

/// The page for people, as one document: style and script stand in it, and nothing else may.
struct HomePage {
  /// The document's pieces, in order. Lifetime: the bytes are part of the program.
  private let pieces: InlineArray<5, UnsafeRawBufferPointer>
  let length: Int
  /// `Content-Security-Policy` (CSP3 §6.7.3): what runs is what was built in, and it may ask only this server.
  let policy: String
  /// From the content.
  let tag: String

  init() {
    let html = Self.bytes(cpage_html())
    let css = Self.bytes(cpage_css())
    let script = Self.bytes(cpage_script())
    let (forCSS, forScript) = (
      Self.place(before: "</style>", in: html), Self.place(before: "</script>", in: html)
    )
    pieces = [
      UnsafeRawBufferPointer(rebasing: html[..<forCSS]), css,
      UnsafeRawBufferPointer(rebasing: html[forCSS..<forScript]), script,
      UnsafeRawBufferPointer(rebasing: html[forScript...]),
    ]
    length = html.count + css.count + script.count
    let (ofCSS, ofScript, ofHTML) = (Self.hash(css), Self.hash(script), Self.hash(html))
    policy =
      "default-src 'none'; style-src 'sha256-\(ofCSS)'; script-src 'sha256-\(ofScript)'; connect-src 'self'; "
      + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
      + "require-trusted-types-for 'script'"
    tag = "\"\(ofHTML.prefix(12))\(ofCSS.prefix(12))\(ofScript.prefix(12))\""
  }

  func write(into out: inout ByteBuffer) {
    out.reserve(length)
    for index in 0..<5 { out.append(pieces[index]) }
  }

  private static func bytes(_ file: cpage_file) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: file.bytes, count: file.count)
  }

  private static func place(before text: StaticString, in bytes: UnsafeRawBufferPointer) -> Int {
    guard let place = Span<UInt8>(_unsafeBytes: bytes).firstRange(of: text) else {
      preconditionFailure("the page has no place for its style or script")
    }
    return place
  }

  /// SHA-256 in base64 (RFC 4648 §4).
  private static func hash(_ bytes: UnsafeRawBufferPointer) -> String {
    let digest = SHA256.digest(of: Span<UInt8>(_unsafeBytes: bytes))
    return Base64.encode(digest.span)
  }
}

extension Runner {
  /// `GET /`. It holds no figures, and so wants no token; what it shows it asks for with one.
  func sendHome(_ connection: Connection, now: Moment) {
    let home = home
    let isKnown = connection.parser.head.value(of: "if-none-match", in: connection.inbound.bytes).map {
      known in
      connection.inbound.withBytes(known) { known in
        var tag = home.tag
        return tag.withUTF8 { known.firstRange(of: Span(_unsafeElements: $0)) != nil }
      }
    }
    let status = isKnown == true ? 304 : 200
    let id = requestID(of: connection)
    scratch.removeAll()
    scratch.appendStatusLine(status)
    scratch.append("ETag: ")
    scratch.append(home.tag)
    scratch.append("\r\nContent-Security-Policy: ")
    scratch.append(home.policy)
    scratch.append("\r\n")
    scratch.appendField("Cache-Control", "no-cache")
    scratch.appendField("X-Request-ID", id.span)
    if status == 200 {
      scratch.appendField("Content-Type", "text/html; charset=utf-8")
      scratch.appendField("X-Content-Type-Options", "nosniff")
      scratch.appendField("Referrer-Policy", "no-referrer")
      scratch.appendField("Content-Length", decimal: home.length)
    }
    appendConnectionField(connection, closes: false)
    scratch.appendHeadEnd()
    if status == 200, connection.parser.head.method != .head { home.write(into: &scratch) }
    scratch.withBytes { connection.output.write($0) }
    scratch.recycle(keeping: Limits.keptBuffer)
    log.page(status: status, id: id)
    discardRequest(connection)
    finishAnswer(connection, keepsAlive: true, now: now.instant)
  }
}
