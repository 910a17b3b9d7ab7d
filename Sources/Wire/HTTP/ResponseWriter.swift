package import Base

// Writing a response's head and its chunks into a buffer (RFC 9112 §4, §7.1).

extension ByteBuffer {
  /// `HTTP/1.1 200 OK` and the line end. A status without a registered phrase gets an empty one.
  package mutating func appendStatusLine(_ status: Int) {
    precondition(status >= 100 && status <= 999)
    append("HTTP/1.1 " as StaticString)
    append(decimal: status)
    append(UInt8(ascii: " "))
    append(ReasonPhrase.of(status))
    append("\r\n" as StaticString)
  }

  package mutating func appendField(_ name: StaticString, _ value: StaticString) {
    append(name)
    append(": " as StaticString)
    append(value)
    append("\r\n" as StaticString)
  }

  /// Control characters in the value become spaces: a value never ends its line.
  package mutating func appendField(_ name: StaticString, _ value: Span<UInt8>) {
    append(name)
    append(": " as StaticString)
    append(fieldValue: value)
    append("\r\n" as StaticString)
  }

  /// A field as one of our parsers has read it from `head`, which has looked at every byte of it.
  package mutating func append(_ field: HeaderField, of head: Span<UInt8>) {
    let name = field.name
    let value = field.value
    if value.lowerBound == name.upperBound &+ 2, head[value.lowerBound &- 1] == 32 {
      let end = value.upperBound
      // Mostly the line as it came.
      if head.has(end &+ 1), head[end] == UInt8(ascii: "\r"), head[end &+ 1] == UInt8(ascii: "\n") {
        return append(head.extracting(name.lowerBound..<end &+ 2))
      }
      append(head.extracting(name.lowerBound..<end))
    } else {
      append(head.extracting(name))
      append(": " as StaticString)
      append(head.extracting(value))
    }
    append("\r\n" as StaticString)
  }

  package mutating func appendField(_ name: StaticString, decimal value: some FixedWidthInteger) {
    append(name)
    append(": " as StaticString)
    append(decimal: value)
    append("\r\n" as StaticString)
  }

  /// The empty line that ends a head.
  package mutating func appendHeadEnd() { append("\r\n" as StaticString) }

  /// The size line in front of `size` bytes of a chunk. Never 0: that would end the body.
  package mutating func appendChunkStart(_ size: Int) {
    precondition(size > 0)
    append(hex: size)
    append("\r\n" as StaticString)
  }

  /// The line end behind a chunk's bytes.
  package mutating func appendChunkEnd() { append("\r\n" as StaticString) }

  /// The last chunk and an empty trailer section.
  package mutating func appendLastChunk() { append("0\r\n\r\n" as StaticString) }

  private mutating func append(fieldValue value: Span<UInt8>) {
    if value.isFieldContent(0..<value.count) {
      append(value)
    } else {
      for i in 0..<value.count { append(value[i] < 32 || value[i] == 127 ? 32 : value[i]) }
    }
  }
}

/// The phrases of the statuses that synaxis sends or relays (RFC 9110 §15, RFC 6585).
package enum ReasonPhrase {
  package static func of(_ status: Int) -> StaticString {
    switch status {
    case 100: "Continue"
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 206: "Partial Content"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 402: "Payment Required"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 411: "Length Required"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 421: "Misdirected Request"
    case 422: "Unprocessable Content"
    case 425: "Too Early"
    case 426: "Upgrade Required"
    case 428: "Precondition Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 451: "Unavailable For Legal Reasons"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    case 529: "Overloaded"
    default: ""
    }
  }
}
