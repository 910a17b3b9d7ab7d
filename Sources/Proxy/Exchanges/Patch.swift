internal import Base
internal import Exchange

/// The body of one attempt, as pieces: ranges of the client's bytes and what replaces some of them, or a new body.
final class Patch {
  // Lifetime: the pieces point into `bytes` and into the run's request, which both outlive the transfer.
  private(set) var pieces: [UnsafeRawBufferPointer] = []
  private var bytes = ByteBuffer()

  init(_ splices: [Splice], over body: UnsafeRawBufferPointer) {
    for splice in splices { bytes.append(splice.replacement.span) }
    bytes.withMutableBytes { patched in
      var at = 0
      var used = 0
      for splice in splices {
        if splice.range.lowerBound > at {
          pieces.append(UnsafeRawBufferPointer(rebasing: body[at..<splice.range.lowerBound]))
        }
        let next = used + splice.replacement.count
        if next > used {
          pieces.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(patched)[used..<next]))
        }
        used = next
        at = splice.range.upperBound
      }
      if at < body.count { pieces.append(UnsafeRawBufferPointer(rebasing: body[at...])) }
    }
  }

  init(whole body: consuming ByteBuffer) {
    bytes = body.take()
    pieces = [bytes.unsafeBytes]
  }
}
