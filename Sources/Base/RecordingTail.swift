internal import CLinux

/// Where the next bytes of a recording go. One value, so that a chunk costs one access to the object.
struct RecordingTail {
  // Lifetime: into the recording's last block, which lives until the recording closes or moves its tail.
  var next: UnsafeMutableRawPointer?
  /// Bytes that may be put at `next`.
  var room = 0
  /// Offset behind the last byte of the recording.
  var end = 0
  /// Nothing else is to be noted of a chunk than its bytes.
  let isPlain: Bool

  init(isPlain: Bool) { self.isPlain = isPlain }

  /// Takes all of the bytes where that needs nothing but copying them.
  mutating func put(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if bytes.count > room || !isPlain { return bytes.count == 0 }
    _ = fill(bytes)
    return true
  }

  /// Takes as many bytes as there is room for, and returns how many that were.
  mutating func fill(_ bytes: UnsafeRawBufferPointer) -> Int {
    let count = min(bytes.count, room)
    if let next, let source = bytes.baseAddress {
      memcpy(next, source, count)
      self.next = next + count
    }
    room -= count
    end += count
    return count
  }

  mutating func close() {
    next = nil
    room = 0
  }
}
