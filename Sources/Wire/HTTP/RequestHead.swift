internal import Base

/// How a request's body is delimited (RFC 9112 §6.3).
package enum BodyFraming: Hashable, Sendable {
  /// Neither length nor coding was given: there is no body.
  case none
  /// `Content-Length` bytes follow; may be 0.
  case length(Int)
  case chunked
}

/// The version that a request came in (RFC 9110 §2.5).
package enum HTTPVersion: Sendable {
  case http10, http11, http2
}

/// One header field as ranges over the bytes that were parsed, counted from the start of the message.
@frozen @usableFromInline package struct HeaderField: Hashable, Sendable {
  @usableFromInline package var name: Range<Int>
  /// Without the white space around it; may be empty.
  @usableFromInline package var value: Range<Int>
  @usableFromInline package var known: KnownField

  /// What a head has memory for at once: more than most have.
  static var usualCount: Int { 24 }
}

/// The head of a request, as ranges over the bytes that `RequestParser` was given.
///
/// It is read in place, and never copied: looking a field up would count references else, and the parser could not
/// use the storage of `fields` again.
package struct RequestHead: ~Copyable, Sendable {
  package internal(set) var method = Method.other
  package internal(set) var methodName = 0..<0
  /// The whole request target as it was sent.
  package internal(set) var target = 0..<0
  /// The path, without query; in absolute form the part behind the authority (may be empty there: "/").
  package internal(set) var path = 0..<0
  /// What follows the `?`, without it; empty where there is none.
  package internal(set) var query = 0..<0
  /// The authority of an absolute-form target, else the value of Host; empty in HTTP/1.0 without Host.
  package internal(set) var host = 0..<0
  /// HTTP/1.x: 0 or 1.
  package internal(set) var minorVersion = 1
  package internal(set) var isHTTP2 = false
  /// Bytes up to and including the empty line: the body begins here.
  package internal(set) var headLength = 0
  package internal(set) var framing = BodyFraming.none
  package internal(set) var keepAlive = true
  package internal(set) var expectsContinue = false
  /// In the order of arrival, duplicates kept.
  package internal(set) var fields: [HeaderField] = []
  /// One bit per `KnownField` that is present.
  var present: UInt64 = 0

  package init() {}

  package var version: HTTPVersion { isHTTP2 ? .http2 : minorVersion == 0 ? .http10 : .http11 }

  func has(_ field: KnownField) -> Bool { present & field.bit != 0 }

  /// The value of the first field of that name.
  package func value(of field: KnownField) -> Range<Int>? {
    guard has(field) else { return nil }
    for i in fields.indices where fields[i].known == field { return fields[i].value }
    return nil
  }

  /// How often a field of that name was sent.
  package func count(of field: KnownField) -> Int {
    guard has(field) else { return 0 }
    var n = 0
    for i in fields.indices where fields[i].known == field { n += 1 }
    return n
  }

  /// The value of the first field with that lower-case name, known or not.
  package func value(of name: StaticString, in bytes: Span<UInt8>) -> Range<Int>? {
    for i in fields.indices where bytes.extracting(fields[i].name).equalsIgnoringCase(name) {
      return fields[i].value
    }
    return nil
  }

  /// Forgets everything and keeps the storage of `fields`.
  mutating func clear() {
    method = .other
    methodName = 0..<0
    target = 0..<0
    path = 0..<0
    query = 0..<0
    host = 0..<0
    minorVersion = 1
    isHTTP2 = false
    headLength = 0
    framing = .none
    keepAlive = true
    expectsContinue = false
    fields.removeAll(keepingCapacity: true)
    present = 0
  }
}
