internal import Base
internal import CLinux
internal import Kernel

/// Where a line stands in its file.
struct LinePlace: Equatable, Sendable {
  /// From 1.
  var number: Int
  /// Of its first byte.
  var offset: Int64
  /// Without its line end.
  var length: Int
}

/// Reads a file's lines in turn, in the memory of the longest. A file of any size.
struct LineReader: ~Copyable {
  private let file: Int32
  private var buffer = ByteBuffer()
  /// Where the buffer's first byte stands in the file.
  private var offset: Int64 = 0
  private var number = 0
  /// Bytes of the line that was given last, with its end.
  private var taken = 0
  private var hasEnded = false
  /// The last line that was given has its line end.
  private(set) var isWhole = true

  /// - Parameter file: is read from its start by pread(2), and stays the caller's.
  init(_ file: Int32) { self.file = file }

  /// Bytes of the file in front of the line that `next` gives next.
  var position: Int64 { offset + Int64(taken) }

  /// The next line that holds anything; nil at the end of the file.
  mutating func next() throws(BatchFault) -> LinePlace? {
    var scanned = 0
    buffer.consume(taken)
    offset += Int64(taken)
    taken = 0
    while true {
      let end = buffer.withBytes(scanned..<buffer.count) { $0.firstIndex(of: UInt8(ascii: "\n")) }
      if end == nil, !hasEnded {
        scanned = buffer.count
        if scanned > Limits.batchLine { throw .lineTooLong(number + 1) }
        try fill()
        continue
      }
      let length = end.map { scanned + $0 } ?? buffer.count
      if end == nil, length == 0 { return nil }
      number += 1
      taken = end == nil ? length : length + 1
      isWhole = end != nil
      let isReturn = length > 0 && buffer.withBytes(length - 1..<length) { $0[0] } == UInt8(ascii: "\r")
      let place = LinePlace(number: number, offset: offset, length: isReturn ? length - 1 : length)
      if buffer.withBytes(0..<place.length, { !$0.isBlank }) { return place }
      buffer.consume(taken)
      offset += Int64(taken)
      taken = 0
      scanned = 0
    }
  }

  /// Lends the line that was given last.
  func withLine<R, E: Error>(_ place: LinePlace, _ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    try buffer.withBytes(0..<place.length, body)
  }

  private mutating func fill() throws(BatchFault) {
    let at = offset + Int64(buffer.count)
    guard let count = FileBytes.read(file, at: at, room: Limits.batchRead, into: &buffer) else {
      throw .read(linux_errno())
    }
    hasEnded = count == 0
    // A byte order mark, which some editors and shells put at a file's start.
    if at == 0, buffer.withBytes({ $0.count >= 3 && $0[0] == 0xEF && $0[1] == 0xBB && $0[2] == 0xBF }) {
      buffer.consume(3)
      offset = 3
    }
  }
}

enum FileBytes {
  /// Reads at most `room` bytes from a place in a file behind what the buffer holds: 0 at its end, nil and errno
  /// where that failed.
  static func read(_ file: Int32, at offset: Int64, room: Int, into buffer: inout ByteBuffer) -> Int? {
    var count: Int?
    _ = buffer.fill(room: room) { free in
      while true {
        // Lifetime: the kernel writes into the buffer's free bytes during the call only.
        let n = pread(file, free.baseAddress!, min(room, free.count), off_t(offset))
        if n < 0, linux_errno() == EINTR { continue }
        count = n < 0 ? nil : n
        return max(0, n)
      }
    }
    return count
  }

  /// Reads exactly one line again.
  static func read(_ place: LinePlace, of file: Int32, into buffer: inout ByteBuffer) throws(BatchFault) {
    while buffer.count < place.length {
      let at = place.offset + Int64(buffer.count)
      guard let n = read(file, at: at, room: place.length - buffer.count, into: &buffer) else {
        throw .read(linux_errno())
      }
      if n == 0 { throw .changed(place.number) }
    }
  }
}

extension Span<UInt8> {
  /// Blanks and tabs only, or nothing.
  fileprivate var isBlank: Bool {
    for at in 0..<count where self[at] != 32 && self[at] != 9 { return false }
    return true
  }
}
