/// The ways in which bytes may arrive: whole, byte by byte, and cut in two at every place.
enum Feed {
  static func cuts(_ count: Int) -> [[Range<Int>]] {
    var cuts: [[Range<Int>]] = [[0..<count]]
    cuts.append((0..<count).map { $0..<$0 + 1 })
    for at in stride(from: 1, to: count, by: 1) { cuts.append([0..<at, at..<count]) }
    return cuts
  }
}
