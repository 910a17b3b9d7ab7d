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
