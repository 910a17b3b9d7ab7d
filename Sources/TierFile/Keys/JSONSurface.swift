internal import Base

/// A file that is JSON, made into what libyaml takes for the same thing.
///
/// YAML holds JSON but for three habits: comments (`//` and `/* */`, which .NET allows in appsettings.json), tabs
/// before the first brace, and characters beyond U+FFFF written as two `\u` escapes. Comments and tabs become
/// blanks, so every place stays where it was; a pair becomes one `\U` escape, two columns shorter.
struct JSONSurface {
  private let input: [UInt8]
  private var output: [UInt8] = []
  private var at = 0

  /// nil where the file does not begin as JSON does, with a brace, a bracket or such a comment.
  static func plain(_ bytes: Span<UInt8>) -> [UInt8]? {
    var start = 0
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { start = 3 }
    while start < bytes.count, isBlank(bytes[start]) { start += 1 }
    guard start < bytes.count else { return nil }
    switch bytes[start] {
    case UInt8(ascii: "{"), UInt8(ascii: "["): break
    case UInt8(ascii: "/"): break
    default: return nil
    }
    var surface = JSONSurface(bytes)
    surface.scan()
    return surface.output
  }

  private init(_ bytes: Span<UInt8>) {
    input = bytes.array
    output.reserveCapacity(input.count)
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == 32 || byte == 9 || byte == 10 || byte == 13
  }

  private func byte(_ offset: Int = 0) -> UInt8 { at + offset < input.count ? input[at + offset] : 0 }

  /// A token may begin here: the byte before is a blank, a bracket, a comma, a quote, or there is none.
  private var isTokenStart: Bool {
    guard let last = output.last else { return true }
    switch last {
    case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ","),
      UInt8(ascii: "\""), 0xBF:
      return true
    default: return Self.isBlank(last)
    }
  }

  private mutating func scan() {
    while at < input.count {
      switch byte() {
      case UInt8(ascii: "\""): quoted(by: UInt8(ascii: "\""))
      case UInt8(ascii: "'") where isTokenStart: quoted(by: UInt8(ascii: "'"))
      case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "/") && isTokenStart: comment(isBlock: false)
      case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*") && isTokenStart: comment(isBlock: true)
      case UInt8(ascii: "#") where isTokenStart: copyLine()
      case 9:
        output.append(32)
        at += 1
      default: copy(1)
      }
    }
  }

  private mutating func copy(_ n: Int) {
    for _ in 0..<n where at < input.count {
      output.append(input[at])
      at += 1
    }
  }

  private mutating func copyLine() {
    while at < input.count, byte() != 10 { copy(1) }
  }

  private mutating func comment(isBlock: Bool) {
    var length = 0
    while at < input.count {
      if isBlock, length >= 4, input[at - 2] == UInt8(ascii: "*"), input[at - 1] == UInt8(ascii: "/") {
        return
      }
      if !isBlock, byte() == 10 { return }
      // Columns count characters: a character's continuation bytes leave no blank.
      if byte() == 10 || byte() == 13 {
        output.append(byte())
      } else if byte() & 0xC0 != 0x80 {
        output.append(32)
      }
      at += 1
      length += 1
    }
  }

  private mutating func quoted(by quote: UInt8) {
    copy(1)
    while at < input.count, byte() != quote {
      if byte() == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        if let scalar = surrogatePair() {
          output.append(contentsOf: "\\U".utf8)
          for shift in stride(from: 28, through: 0, by: -4) {
            output.append(Array("0123456789ABCDEF".utf8)[Int(scalar >> UInt32(shift)) & 15])
          }
          at += 12
        } else {
          copy(2)
        }
      } else {
        copy(1)
      }
    }
    copy(1)
  }

  /// The character that `\uD8xx\uDCxx` stands for, where those stand here (RFC 8259 §7).
  private func surrogatePair() -> UInt32? {
    guard let high = escape(at: 0), high & 0xFC00 == 0xD800 else { return nil }
    guard let low = escape(at: 6), low & 0xFC00 == 0xDC00 else { return nil }
    return 0x10000 + (high & 0x3FF) << 10 + (low & 0x3FF)
  }

  private func escape(at offset: Int) -> UInt32? {
    guard byte(offset) == UInt8(ascii: "\\"), byte(offset + 1) == UInt8(ascii: "u") else { return nil }
    var value: UInt32 = 0
    for i in 2..<6 {
      guard let digit = byte(offset + i).hexValue else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value
  }
}
