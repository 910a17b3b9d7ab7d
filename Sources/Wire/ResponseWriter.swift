package import Base

// Writing a response's head and its chunks into a buffer (RFC 9112 §4, §7.1).

extension ByteBuffer {
  /// `HTTP/1.1 200 OK` and the line end.
  package mutating func appendStatusLine(_ status: Int) {}
  package mutating func appendField(_ name: StaticString, _ value: StaticString) {}
  package mutating func appendField(_ name: StaticString, _ value: Span<UInt8>) {}
  package mutating func appendField(_ name: Span<UInt8>, _ value: Span<UInt8>) {}
  package mutating func appendField(_ name: StaticString, decimal value: Int) {}
  /// `Date`, as IMF-fixdate.
  package mutating func appendDateField(_ now: WallTime) {}
  /// The empty line that ends a head.
  package mutating func appendHeadEnd() {}
  /// The size line in front of `size` > 0 bytes of a chunk.
  package mutating func appendChunkStart(_ size: Int) {}
  /// The line end behind a chunk's bytes.
  package mutating func appendChunkEnd() {}
  /// The last chunk and an empty trailer section.
  package mutating func appendLastChunk() {}
}
