package import Base

/// Decodes a chunked request body in place (RFC 9112 §7.1).
///
/// The buffer holds, in front of the body, `start` bytes that are left alone (the head). After each call it
/// holds `start` bytes, then the `bodyCount` bytes decoded so far, then (only when finished) whatever the
/// client sent behind the body. While more is needed nothing undecoded is left in the buffer.
package struct ChunkedDecoder: Sendable {
  package enum Progress: Sendable { case needMore, finished }

  /// Decoded bytes so far.
  package private(set) var bodyCount = 0
  let limit: Int

  /// `limit` decoded bytes are taken before 413.
  package init(limit: Int) { self.limit = limit }

  /// Decodes what was appended to the buffer since the last call.
  package mutating func decode(_ buffer: inout ByteBuffer, behind start: Int) throws(WireFault) -> Progress {
    .needMore
  }
}
