/// How far other words are from one word: insertions, deletions, substitutions and swaps of neighbours (optimal string
/// alignment). ASCII letters compare without case; of longer words the first `longest` bytes are compared.
///
/// A column of the table is one machine word (H. Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit
/// distances", 2003), so that a comparison takes a handful of instructions per byte of the other word.
package struct EditDistance {
  package static let longest = UInt64.bitWidth

  /// For each byte the places at which the word has it, without case. No InlineArray: Swift 6.2 reads an element from a
  /// copy of the whole, which is most of the time then.
  private var places = [UInt64](repeating: 0, count: 256)
  private let count: Int

  package init(from word: Span<UInt8>) {
    count = min(word.count, Self.longest)
    for place in 0..<count { places[Int(word[place].asciiLowercased)] |= 1 << UInt64(place) }
  }

  /// The distance to another word, or `bound + 1` where it is greater than that.
  package func to(_ other: Span<UInt8>, bound: Int) -> Int {
    let length = min(other.count, Self.longest)
    if abs(length - count) > bound { return bound + 1 }
    if count == 0 { return length }
    let last: UInt64 = 1 << UInt64(count - 1)
    // Where a step down the column adds one, and where it takes one away; and where the diagonal adds none.
    var rises = UInt64.max
    var falls: UInt64 = 0
    var diagonal: UInt64 = 0
    var before: UInt64 = 0
    var distance = count
    for at in 0..<length {
      let same = places[Int(other[at].asciiLowercased)]
      let swapped = ((~diagonal & same) << 1) & before
      diagonal = (((same & rises) &+ rises) ^ rises) | same | falls | swapped
      var along = falls | ~(diagonal | rises)
      let back = diagonal & rises
      if along & last != 0 { distance += 1 } else if back & last != 0 { distance -= 1 }
      // What is left can take back one a byte.
      if distance - (length - 1 - at) > bound { return bound + 1 }
      along = along << 1 | 1
      rises = back << 1 | ~(diagonal | along)
      falls = along & diagonal
      before = same
    }
    return distance > bound ? bound + 1 : distance
  }
}
