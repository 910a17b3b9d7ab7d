package import Base
internal import CPage

/// The page for people, as one document: style and script stand in it, and nothing else may.
package struct HomePage {
  /// The document's pieces, in order. Lifetime: the bytes are part of the program.
  private let pieces: InlineArray<5, UnsafeRawBufferPointer>
  package let length: Int
  /// `Content-Security-Policy` (CSP3 §6.7.3): what runs is what was built in, and it may ask only this server.
  package let policy: String
  /// From the content.
  package let tag: String

  package init() {
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

  package func write(into out: inout ByteBuffer) {
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
