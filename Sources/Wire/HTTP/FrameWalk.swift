/// Tells where the frames of one direction begin and end, from the bytes as they pass (RFC 6455 §5.2).
package struct FrameWalk: Sendable {
  /// Bytes of a frame's head that were seen; 0: none.
  private var seen = 0
  /// Bytes of its extended length.
  private var extended = 0
  private var length: UInt64 = 0
  private var isMasked = false
  private var isClose = false
  /// Bytes of the frame that are still to come behind its head.
  private var left: UInt64 = 0
  /// A frame has come that ends the connection.
  package private(set) var sawClose = false

  package init() {}

  /// A frame of ours would stand between two others.
  package var isBetweenFrames: Bool { seen == 0 && left == 0 }

  package mutating func observe(_ bytes: Span<UInt8>) {
    var at = 0
    while at < bytes.count {
      if left > 0 {
        let step = min(left, UInt64(bytes.count - at))
        left -= step
        at += Int(step)
      } else {
        observe(bytes[at])
        at += 1
      }
    }
  }

  /// One byte of a frame's head.
  private mutating func observe(_ byte: UInt8) {
    switch seen {
    case 0: isClose = byte & 15 == 8
    case 1:
      isMasked = byte & 0x80 != 0
      length = UInt64(byte & 0x7f)
      extended = length == 126 ? 2 : length == 127 ? 8 : 0
      if extended > 0 { length = 0 }
    default: length = length << 8 | UInt64(byte)
    }
    seen += 1
    if seen < 2 + extended { return }
    seen = 0
    left = length &+ (isMasked ? 4 : 0)
    if isClose { sawClose = true }
  }
}
