internal import Base
internal import Wire

/// The bytes of an answer, made once and sent many times.
///
/// A stream's events are chunk-coded already (RFC 9112 §7.1), each event one chunk, so that sending one is
/// sending a range.
final class MockScript {
  /// What it answers: the key that it is found by.
  let key: ByteBuffer
  let status: Int
  let contentType: StaticString
  let isStream: Bool
  private(set) var body = ByteBuffer()
  /// Where each event ends; a plain answer is one event. The end of a stream goes with its last event.
  private(set) var ends: [Int] = []
  /// Events before the first with content.
  private(set) var preamble = 0

  init(key: consuming ByteBuffer, status: Int = 200, contentType: StaticString, isStream: Bool) {
    self.key = key
    self.status = status
    self.contentType = contentType
    self.isStream = isStream
  }

  /// A script that is not looked up.
  convenience init(status: Int = 200, contentType: StaticString = "application/json", isStream: Bool = false)
  {
    self.init(key: ByteBuffer(), status: status, contentType: contentType, isStream: isStream)
  }

  /// Adds an event of a stream: `payload` is a whole event with its empty line.
  func addEvent(_ payload: borrowing ByteBuffer, hasContent: Bool = true) {
    if !hasContent, ends.count == preamble { preamble += 1 }
    body.appendChunkStart(payload.count)
    payload.withBytes { body.append($0) }
    body.appendChunkEnd()
    ends.append(body.count)
  }

  /// Ends a stream: the last event goes out together with the end of the body.
  func endStream() {
    body.appendLastChunk()
    if ends.isEmpty { ends.append(body.count) } else { ends[ends.count - 1] = body.count }
  }

  /// Adds the whole of a plain answer.
  func addBody(_ bytes: borrowing ByteBuffer) {
    bytes.withBytes { body.append($0) }
    ends.append(body.count)
  }
}
