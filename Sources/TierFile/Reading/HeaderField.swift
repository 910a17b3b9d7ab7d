internal import Base

/// What a header field's name and value may be (RFC 9110 §5.1, §5.5).
enum HeaderField {
  static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= Limits.name
      && text.utf8.allSatisfy {
        $0.isDigit || $0.asciiLowercased &- 97 < 26 || "!#$%&'*+-.^_`|~".utf8.contains($0)
      }
  }

  /// No line ends, no NUL, no other control but the tab, and no blank at either end.
  static func isValue(_ text: String) -> Bool {
    text.utf8.allSatisfy { $0 == 9 || ($0 >= 32 && $0 != 127) } && text.utf8.first != 32
      && text.utf8.last != 32
  }

  /// Fields that frame a message or belong to one connection: synaxis and libcurl write them.
  static let reserved = [
    "connection", "content-length", "content-type", "expect", "host", "keep-alive", "proxy-authorization",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "accept-encoding",
  ]
}
