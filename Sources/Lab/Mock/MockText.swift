internal import Base

/// The mock's text: the same words in the same order each time, some of them not ASCII. No character in it
/// needs an escape in JSON.
struct MockText: Sendable {
  /// Bytes for one chunk; 0 is one word.
  let chunkBytes: Int
  let chunks: Int

  init(_ options: MockOptions) {
    chunks = options.chunks
    chunkBytes = options.bodyBytes == 0 ? 0 : max(1, options.bodyBytes / options.chunks)
  }

  private static func word(_ n: Int) -> StaticString {
    switch n % 12 {
    case 0: "One "
    case 1: "word "
    case 2: "after "
    case 3: "another, "
    case 4: "größer "
    case 5: "and "
    case 6: "smaller, "
    case 7: "日本語 "
    case 8: "too, "
    case 9: "🌊 "
    case 10: "flows "
    default: "by. "
    }
  }

  /// Appends the text of one chunk.
  func append(chunk: Int, to buffer: inout ByteBuffer) {
    if chunkBytes == 0 {
      buffer.append(Self.word(chunk))
      return
    }
    var left = chunkBytes
    var n = chunk
    while left > 0 {
      let word = Self.word(n)
      if word.utf8CodeUnitCount <= left {
        buffer.append(word)
        left -= word.utf8CodeUnitCount
      } else {
        buffer.append(".")
        left -= 1
      }
      n += 1
    }
  }

  func append(to buffer: inout ByteBuffer) {
    for chunk in 0..<chunks { append(chunk: chunk, to: &buffer) }
  }
}
