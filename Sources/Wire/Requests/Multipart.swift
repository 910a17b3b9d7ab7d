internal import Base

/// Why a multipart form cannot be read.
package enum MultipartFault: Error, Hashable, Sendable {
  case notMultipart, missingBoundary, malformedBoundary
  case missingDelimiter, malformedPart, partHeadTooLong, tooManyParts, repeatedPart, missingEnd

  /// A short text for the error's message.
  package var reason: StaticString {
    switch self {
    case .notMultipart: "not multipart/form-data"
    case .missingBoundary: "Content-Type without a boundary"
    case .malformedBoundary: "malformed boundary"
    case .missingDelimiter: "the form does not begin with its boundary"
    case .malformedPart: "malformed part of the form"
    case .partHeadTooLong: "head of a part too long"
    case .tooManyParts: "too many parts"
    case .repeatedPart: "a part that decides the route is there twice"
    case .missingEnd: "the form does not end with its boundary"
    }
  }
}

/// The parts of a multipart form (RFC 7578) that decide where it goes, as ranges of their values in the body.
package struct MultipartForm: Hashable, Sendable {
  /// The value of the part named `model`.
  package private(set) var model: Range<Int>?
  /// The value of the part named `stream`.
  package private(set) var stream: Range<Int>?
  package private(set) var partCount = 0

  /// Whether a Content-Type value is `multipart/form-data`.
  package static func isForm(_ contentType: Span<UInt8>) -> Bool {
    let type: StaticString = "multipart/form-data"
    guard contentType.hasPrefixIgnoringCase(type) else { return false }
    let n = type.utf8CodeUnitCount
    return contentType.count == n || contentType[n] == UInt8(ascii: ";") || contentType[n] == 32
      || contentType[n] == 9
  }

  /// Reads a whole body. `contentType` is the value of the request's Content-Type field.
  package static func scan(
    _ body: Span<UInt8>, contentType: Span<UInt8>
  ) throws(MultipartFault) -> MultipartForm {
    var reading = try MultipartReading(contentType)
    _ = try reading.goOn(body, upTo: .max)
    return reading.form
  }

  /// The boundary that a Content-Type value names.
  fileprivate static func boundary(_ contentType: Span<UInt8>) throws(MultipartFault) -> [UInt8] {
    guard isForm(contentType) else { throw .notMultipart }
    let place: Range<Int>
    switch FormParameter("boundary", in: contentType, 0..<contentType.count) {
    case .absent: throw .missingBoundary
    case .ambiguous: throw .malformedBoundary
    case .value(let found): place = found
    }
    let boundary = contentType.extracting(place)
    try checkBoundary(boundary)
    return boundary.array
  }

  /// One part more, whose bytes those are.
  fileprivate mutating func add(_ body: Span<UInt8>, _ part: Range<Int>) throws(MultipartFault) {
    partCount += 1
    try readPart(body, part)
  }

  /// RFC 2046 §5.1.1: 1 to 70 of bchars, not ending in a space.
  private static func checkBoundary(_ boundary: Span<UInt8>) throws(MultipartFault) {
    guard boundary.count > 0, boundary.count <= 70, boundary[boundary.count - 1] != 32 else {
      throw .malformedBoundary
    }
    for i in 0..<boundary.count {
      let byte = boundary[i]
      if byte < 32 || byte > 126 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        throw .malformedBoundary
      }
    }
  }

  /// Reads one part: its header fields, an empty line, its value.
  ///
  /// Other readers must not find another name in it: 1. a line that goes on the one before, or holds a line end of
  /// another kind, 2. a blank before the colon, 3. a second disposition, 4. a name that `FormParameter` finds ambiguous.
  private mutating func readPart(_ body: Span<UInt8>, _ part: Range<Int>) throws(MultipartFault) {
    var line = part.lowerBound
    var isModel = false
    var isStream = false
    var isDisposed = false
    while true {
      guard line <= part.upperBound else { throw .malformedPart }
      let window = body.extracting(line..<min(part.upperBound, part.lowerBound + Limits.formPartHead))
      guard let length = window.firstRange(of: "\r\n") else {
        throw part.count >= Limits.formPartHead ? .partHeadTooLong : .malformedPart
      }
      let end = line + length
      if length == 0 {
        line = end + 2
        break
      }
      let field = body.extracting(line..<end)
      if field[0] == 32 || field[0] == 9 || !field.isFieldContent(0..<length) { throw .malformedPart }  // 1
      let fieldName: StaticString = "content-disposition"
      if field.hasPrefixIgnoringCase(fieldName) {
        let colon = line + fieldName.utf8CodeUnitCount
        if body[colon] == 32 || body[colon] == 9 || isDisposed { throw .malformedPart }  // 2, 3
        if body[colon] == UInt8(ascii: ":") {
          isDisposed = true
          switch FormParameter("name", in: body, colon..<end) {
          case .ambiguous: throw .malformedPart  // 4
          case .absent: break
          case .value(let name):
            isModel = body.extracting(name).equals("model")
            isStream = body.extracting(name).equals("stream")
          }
        }
      }
      line = end + 2
    }
    guard line <= part.upperBound else { throw .malformedPart }
    if isModel {
      if model != nil { throw .repeatedPart }
      model = line..<part.upperBound
    } else if isStream {
      if stream != nil { throw .repeatedPart }
      stream = line..<part.upperBound
    }
  }
}

/// Reads a form's body. It can pause anywhere: the boundary may occur in it as often as there are bytes.
///
/// Delimiters are found by the boundary's text (RFC 2046 §5.1.1), so files are only searched through, not read. The
/// closing delimiter must be there: a form that was cut short is refused.
package struct MultipartReading: Sendable {
  package private(set) var form = MultipartForm()
  private let boundary: [UInt8]
  /// Where the part begins whose end is looked for; nil: the first delimiter is.
  private var part: Int?
  /// Up to here there is no delimiter behind that.
  private var at = 0

  package init(_ contentType: Span<UInt8>) throws(MultipartFault) {
    boundary = try MultipartForm.boundary(contentType)
  }

  /// Goes on up to a place soon behind `limit`. True: to the closing delimiter.
  package mutating func goOn(_ body: Span<UInt8>, upTo limit: Int) throws(MultipartFault) -> Bool {
    while true {
      if at >= limit { return false }
      guard let text = nextBoundary(body) else { throw part == nil ? .missingDelimiter : .missingEnd }
      at = text + 1
      guard let delimiter = delimiter(body, text) else { continue }
      if let start = part {
        try form.add(body, start..<delimiter.start)
      } else if delimiter.start > 0 {
        throw .missingDelimiter
      }
      if delimiter.isLast { return true }
      if form.partCount == Limits.formParts { throw .tooManyParts }
      part = delimiter.end
      at = delimiter.end
    }
  }

  private func nextBoundary(_ body: Span<UInt8>) -> Int? {
    guard at < body.count else { return nil }
    return body.extracting(at..<body.count).firstRange(of: boundary.span).map { at + $0 }
  }

  /// What stands around a boundary's text, where that makes it a delimiter: `CRLF "--"` in front, or `"--"` at the
  /// body's start, and `--` or padding and CRLF behind. `start` is where the CRLF begins, `end` behind the line's end.
  private func delimiter(_ body: Span<UInt8>, _ text: Int) -> (start: Int, end: Int, isLast: Bool)? {
    let isFirst = part == nil && text == 2 && body.hasPrefix("--")
    let isLine = text - 4 >= part ?? 0 && body.extracting(text - 4..<text).equals("\r\n--")
    guard isFirst || isLine else { return nil }
    let start = isFirst ? 0 : text - 4
    var end = text + boundary.count
    if body.extracting(end..<body.count).hasPrefix("--") { return (start, end + 2, true) }
    while end < body.count, body[end] == 32 || body[end] == 9 { end += 1 }
    return body.extracting(end..<body.count).hasPrefix("\r\n") ? (start, end + 2, false) : nil
  }
}
