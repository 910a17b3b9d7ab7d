internal import Base

/// What a parser of heads says after it was given more bytes.
package enum HeadProgress: Sendable {
  case needMore
  case complete
}

/// Reads the head of an HTTP/1.1 request, strictly (RFC 9112).
package struct RequestParser: Sendable {
  package private(set) var head = RequestHead()
  let maximumHead: Int

  /// `maximumHead` bytes of request line and fields are read before 431.
  package init(maximumHead: Int) { self.maximumHead = maximumHead }

  /// Reads on. `bytes` is everything received since the start of this request.
  package mutating func parse(_ bytes: Span<UInt8>) throws(WireFault) -> HeadProgress { .needMore }

  /// Forgets the request and keeps the memory.
  package mutating func reset() {}
}
