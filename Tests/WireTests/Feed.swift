import Base

/// The ways in which bytes may arrive: whole, byte by byte, and cut in two at every place.
enum Feed {
  static func cuts(_ count: Int) -> [[Range<Int>]] {
    var cuts: [[Range<Int>]] = [[0..<count]]
    cuts.append((0..<count).map { $0..<$0 + 1 })
    for at in stride(from: 1, to: count, by: 1) { cuts.append([0..<at, at..<count]) }
    return cuts
  }
}

extension String {
  var bytes: [UInt8] { Array(utf8) }
}

extension ByteBuffer {
  var contents: [UInt8] {
    var out: [UInt8] = []
    for i in 0..<count { out.append(self[i]) }
    return out
  }
  var contentText: String { String(decoding: contents, as: UTF8.self) }
}

/// A generator with a seed, so that every run sees the same inputs (splitmix64).
struct SeededRandom {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
  mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
}
