internal import Base

/// What a parser of heads says after it was given more bytes.
package enum HeadProgress: Hashable, Sendable {
  case needMore
  case complete
}

/// Reads the head of an HTTP/1.1 request, strictly (RFC 9112).
///
/// Every line must end in CRLF, and nothing is repaired: where another reader could see a different
/// request, the request is refused. Each byte is looked for a line end once and read once, however the bytes
/// arrive. After a fault the connection is done for; `reset()` is for the next request after a good one.
package struct RequestParser: ~Copyable, Sendable {
  private enum State { case beforeRequestLine, fields, complete }

  package internal(set) var head = RequestHead()
  private let maximumHead: Int
  private var state = State.beforeRequestLine
  private var lineStart = 0
  /// No line end lies between `lineStart` and here.
  private var scanned = 0
  private var emptyLines = 0
  private var length: Int?
  private var isChunked = false
  private var saysClose = false
  private var saysKeepAlive = false

  /// `maximumHead` bytes of request line and fields are read before 431.
  package init(maximumHead: Int) { self.maximumHead = maximumHead }

  /// Reads on. `bytes` is everything received since the start of this request; the ranges in `head` are
  /// offsets into it.
  package mutating func parse(_ bytes: Span<UInt8>) throws(WireFault) -> HeadProgress {
    while state != .complete {
      try checkStart(bytes)
      if state == .fields, scanned == lineStart { try readPlainFields(bytes) }
      guard let distance = bytes.extracting(scanned..<bytes.count).firstIndex(of: UInt8(ascii: "\n")) else {
        scanned = bytes.count
        try checkSize(bytes.count)
        return .needMore
      }
      let lineFeed = scanned + distance
      try checkSize(lineFeed + 1)
      guard lineFeed > lineStart, bytes[lineFeed - 1] == UInt8(ascii: "\r") else {
        throw .bareLineFeed
      }
      scanned = lineFeed + 1
      try read(lineStart..<lineFeed - 1, in: bytes)
      lineStart = scanned
    }
    return .complete
  }

  /// Forgets the request and keeps the memory.
  package mutating func reset() {
    head.clear()
    state = .beforeRequestLine
    lineStart = 0
    scanned = 0
    emptyLines = 0
    length = nil
    isChunked = false
    saysClose = false
    saysKeepAlive = false
  }

  private func checkSize(_ count: Int) throws(WireFault) {
    let isRequestLine = state == .beforeRequestLine
    if isRequestLine, count - lineStart > Limits.target + 32 { throw .targetTooLong }
    if count > maximumHead { throw isRequestLine ? .targetTooLong : .headTooLarge }
  }

  /// Refuses early what is not HTTP at all: a TLS handshake sent to a plain port may never send a line end.
  private func checkStart(_ bytes: Span<UInt8>) throws(WireFault) {
    if state == .beforeRequestLine, lineStart < bytes.count {
      let first = bytes[lineStart]
      if !ASCIISet.token.contains(first), first != UInt8(ascii: "\r") { throw .malformedRequestLine }
    }
  }

  /// Reads one line, without its line end.
  private mutating func read(_ line: Range<Int>, in bytes: Span<UInt8>) throws(WireFault) {
    switch state {
    case .beforeRequestLine:
      if line.isEmpty {
        emptyLines += 1
        if emptyLines > Limits.leadingEmptyLines { throw .malformedRequestLine }
      } else {
        try head.readRequestLine(line, in: bytes)
        state = .fields
      }
    case .fields:
      if line.isEmpty {
        try conclude(bytes)
        state = .complete
      } else {
        try readField(line, in: bytes)
      }
    case .complete:
      break
    }
  }

  /// Reads a field line (RFC 9112 §5).
  mutating func readField(_ line: Range<Int>, in bytes: Span<UInt8>) throws(WireFault) {
    if head.fields.count == Limits.headerFields { throw .tooManyFields }
    let first = bytes[line.lowerBound]
    if first == 32 || first == 9 { throw .foldedField }
    let colon = bytes.endOfToken(from: line.lowerBound, upTo: line.upperBound)
    guard colon < line.upperBound, colon > line.lowerBound else { throw .malformedFieldName }
    if bytes[colon] != UInt8(ascii: ":") {
      throw bytes[colon] == 32 || bytes[colon] == 9 ? .spaceBeforeColon : .malformedFieldName
    }
    let value = bytes.trimmed(colon + 1..<line.upperBound)
    if !bytes.isFieldContent(value) {
      let hasReturn = bytes.extracting(value).firstIndex(of: UInt8(ascii: "\r")) != nil
      throw hasReturn ? .bareCarriageReturn : .malformedFieldValue
    }
    let name = line.lowerBound..<colon
    try add(HeaderField(name: name, value: value, known: KnownField(bytes.extracting(name))), in: bytes)
  }

  /// Reads the lines that are fields and nothing else. Only where none has been looked at: however the bytes arrive, each
  /// is looked at twice at most.
  private mutating func readPlainFields(_ bytes: Span<UInt8>) throws(WireFault) {
    while head.fields.count < Limits.headerFields, let line = FieldLine(bytes, from: lineStart),
      line.end <= maximumHead
    {
      lineStart = line.end
      scanned = line.end
      try add(HeaderField(name: line.name, value: line.value, known: line.known), in: bytes)
    }
  }

  @inline(__always)
  private mutating func add(_ field: HeaderField, in bytes: Span<UInt8>) throws(WireFault) {
    if head.fields.isEmpty { head.fields.reserveCapacity(HeaderField.usualCount) }
    head.fields.append(field)
    if field.known != .other { try note(field, in: bytes) }
    head.present |= field.known.bit
  }

  /// Reads the fields that decide about the connection and the body.
  private mutating func note(_ field: HeaderField, in bytes: Span<UInt8>) throws(WireFault) {
    let isRepeated = head.present & field.known.bit != 0
    let value = bytes.extracting(field.value)
    if field.known == .host {
      if isRepeated { throw .repeatedHost }
      if !RequestHead.isHost(field.value, in: bytes) { throw .malformedHost }
      if head.host.isEmpty { head.host = field.value }
    } else if field.known == .contentLength {
      if isRepeated { throw .repeatedContentLength }
      guard let decimal = value.decimal else { throw .malformedContentLength }
      // A length that an Int of 32 bits cannot hold is beyond every limit.
      length = Int(clamping: decimal)
    } else if field.known == .transferEncoding {
      if isRepeated { throw .repeatedTransferEncoding }
      if !value.equalsIgnoringCase("chunked") { throw .unknownTransferEncoding }
      isChunked = true
    } else if field.known == .connection {
      bytes.forEachListElement(field.value) { element in
        let option = bytes.extracting(element)
        if option.equalsIgnoringCase("close") { saysClose = true }
        if option.equalsIgnoringCase("keep-alive") { saysKeepAlive = true }
      }
    } else if field.known == .expect, head.minorVersion > 0 {
      // RFC 9110 §10.1.1; an HTTP/1.0 client's expectation is ignored.
      if !value.equalsIgnoringCase("100-continue") { throw .unknownExpectation }
      head.expectsContinue = true
    }
  }

  /// The field section of an HTTP/2 request has come: its body ends with its stream.
  mutating func conclude(fieldSection count: Int, isWhole: Bool) throws(WireFault) {
    if isChunked { throw .unknownTransferEncoding }
    head.framing = isWhole ? .none : length.map { .length($0) } ?? .chunked
    head.headLength = count
    state = .complete
  }

  /// The empty line has come: decides the framing (RFC 9112 §6.3) and the connection (§9.3).
  private mutating func conclude(_ bytes: Span<UInt8>) throws(WireFault) {
    if head.minorVersion > 0, head.count(of: .host) == 0 { throw .missingHost }
    if isChunked {
      if head.minorVersion == 0 { throw .transferEncodingInHTTP10 }
      if length != nil { throw .lengthAndTransferEncoding }
      head.framing = .chunked
    } else if let length {
      head.framing = .length(length)
    }
    head.keepAlive = !saysClose && (head.minorVersion > 0 || saysKeepAlive)
    head.headLength = scanned
  }
}
