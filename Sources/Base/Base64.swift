/// Base 64 with padding (RFC 4648 §4).
package enum Base64 {
  package static func encode(_ bytes: Span<UInt8>) -> String {
    let letters: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    var text: [UInt8] = []
    for at in stride(from: 0, to: bytes.count, by: 3) {
      let left = bytes.count - at
      var group = UInt32(bytes[at]) << 16
      if left > 1 { group |= UInt32(bytes[at + 1]) << 8 }
      if left > 2 { group |= UInt32(bytes[at + 2]) }
      for n in 0..<4 {
        let letter = letters.utf8Start[Int(group >> UInt32(18 - 6 * n) & 63)]
        text.append(n <= left ? letter : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
