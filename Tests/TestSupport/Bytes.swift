package import Base

extension String {
  package var bytes: [UInt8] { Array(utf8) }
}

extension ByteBuffer {
  package var contents: [UInt8] {
    var out: [UInt8] = []
    for i in 0..<count { out.append(self[i]) }
    return out
  }

  package var contentText: String { String(decoding: contents, as: UTF8.self) }
}

extension Span<UInt8> {
  /// Its lines, each with its line end.
  package var lines: [[UInt8]] {
    var lines: [[UInt8]] = []
    var start = 0
    for i in 0..<count where self[i] == UInt8(ascii: "\n") {
      lines.append(extracting(start..<i + 1).array)
      start = i + 1
    }
    return lines
  }
}
