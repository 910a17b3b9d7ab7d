import Base
import TestSupport
import Testing
import Wire

/// A JSON value for the tests: what two bodies must have in common if they have one key.
private indirect enum Value: Hashable {
  case literal(String)
  case number(String)
  case string([UInt8])
  case array([Value])
  /// The last of several members with one key counts.
  case object([[UInt8]: Value])
}

/// The oracle's own reader. It shares nothing with the module, and takes only valid JSON.
private struct Reader {
  let bytes: [UInt8]
  var at = 0

  mutating func space() {
    while at < bytes.count, [32, 9, 10, 13].contains(bytes[at]) { at += 1 }
  }

  mutating func value() -> Value {
    space()
    defer { space() }
    switch bytes[at] {
    case UInt8(ascii: "\""): return .string(string())
    case UInt8(ascii: "["):
      var list: [Value] = []
      at += 1
      space()
      while bytes[at] != UInt8(ascii: "]") {
        list.append(value())
        if bytes[at] == UInt8(ascii: ",") { at += 1 }
      }
      at += 1
      return .array(list)
    case UInt8(ascii: "{"):
      var members: [[UInt8]: Value] = [:]
      at += 1
      space()
      while bytes[at] != UInt8(ascii: "}") {
        space()
        let key = string()
        space()
        at += 1
        members[key] = value()
        if bytes[at] == UInt8(ascii: ",") { at += 1 }
      }
      at += 1
      return .object(members)
    default:
      let start = at
      while at < bytes.count, !",]} \t\r\n".utf8.contains(bytes[at]) { at += 1 }
      let text = String(decoding: bytes[start..<at], as: UTF8.self)
      return "tfn".contains(text.first ?? " ") ? .literal(text) : .number(text)
    }
  }

  mutating func string() -> [UInt8] {
    var units: [UInt8] = []
    at += 1
    while bytes[at] != UInt8(ascii: "\"") {
      if bytes[at] != UInt8(ascii: "\\") {
        units.append(bytes[at])
        at += 1
        continue
      }
      let kind = bytes[at + 1]
      at += 2
      if kind != UInt8(ascii: "u") {
        let plain: [Character: UInt8] = ["b": 8, "t": 9, "n": 10, "f": 12, "r": 13]
        units.append(plain[Character(UnicodeScalar(kind))] ?? kind)
        continue
      }
      var scalar = hex()
      if scalar >> 10 == 0x36, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
        bytes[at + 1] == UInt8(ascii: "u")
      {
        let before = at
        at += 2
        let low = hex()
        if low >> 10 == 0x37 {
          scalar = 0x10000 + (scalar & 0x3ff) << 10 + (low & 0x3ff)
        } else {
          at = before
        }
      }
      if let real = UnicodeScalar(scalar) {
        units += Array(String(Character(real)).utf8)
      } else {
        units += [0xff, UInt8(scalar >> 8), UInt8(scalar & 0xff)]
      }
    }
    at += 1
    return units
  }

  mutating func hex() -> UInt32 {
    let text = String(decoding: bytes[at..<at + 4], as: UTF8.self)
    at += 4
    return UInt32(text, radix: 16) ?? 0
  }
}

/// Texts of JSON that mean what they are said to mean.
extension SeededRandom {
  fileprivate mutating func blank() -> String { below(3) == 0 ? pick([" ", "\n", "\t", "\r\n", "   "]) : "" }

  /// One value as text, and its nested order fixed: `spaced` varies the white space only.
  fileprivate mutating func tokens(_ depth: Int) -> [String] {
    switch below(depth > 3 ? 4 : 6) {
    case 0: return [pick(["true", "false", "null"])]
    case 1: return [pick(["0", "-1", "1.5", "1e3", "1E3", "10", "1", "0.1"])]
    case 2, 3:
      return [
        pick([
          #""""#, #"" ""#, #""a""#, #""\"""#, #""\\""#, #""a,b:{}[]""#, #""é""#, #""\u00e9""#, #""\ud800""#,
          #""{\"a\":1}""#, #""  ""#,
        ])
      ]
    case 4:
      var list = ["["]
      for index in 0..<below(4) { list += (index > 0 ? [","] : []) + tokens(depth + 1) }
      return list + ["]"]
    default:
      var list = ["{"]
      for index in 0..<below(4) {
        list += (index > 0 ? [","] : []) + [pick([#""a""#, #""b""#, #""\u0061""#]), ":"] + tokens(depth + 1)
      }
      return list + ["}"]
    }
  }

  fileprivate mutating func spaced(_ tokens: [String]) -> String {
    tokens.map { blank() + $0 }.joined() + blank()
  }

  /// A key in one of its writings.
  fileprivate mutating func written(_ key: String) -> String {
    var text = "\""
    for scalar in key.unicodeScalars {
      if below(4) == 0 || scalar == "\"" || scalar == "\\" {
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16, uppercase: below(2) == 0)
          text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}

@Suite struct RequestKeyFuzzTests {
  /// Members in any order, spaced and escaped in any way: one key.
  @Test(arguments: UInt64(1)...40)
  func writingsOfOneRequestHaveOneKey(_ seed: UInt64) throws {
    var random = SeededRandom(seed &* 0x9e37_79b9_7f4a_7c15)
    for _ in 0..<40 {
      var members: [(String, [String])] = []
      for key in ["model", "messages", "é", "😀", "", "a b", "\"", "x\\y"] where random.below(3) > 0 {
        members.append((key, random.tokens(0)))
      }
      var prints: Set<Fingerprint?> = []
      for _ in 0..<4 {
        var parts: [String] = []
        for (key, value) in members {
          parts.append(random.blank() + random.written(key) + random.blank() + ":" + random.spaced(value))
        }
        for index in parts.indices { parts.swapAt(index, random.below(parts.count)) }
        let body = random.blank() + "{" + parts.joined(separator: ",") + random.blank() + "}" + random.blank()
        prints.insert(try requestKey(Array(body.utf8)))
      }
      #expect(prints.count == 1 && !prints.contains(nil))
    }
  }

  /// Bodies that differ by a few bytes, many of them alike: where two have one key, they have one value.
  @Test(arguments: UInt64(1)...24)
  func equalKeysMeanEqualValues(_ seed: UInt64) {
    var random = SeededRandom(seed &* 0xd6e8_feb8_6659_fd93)
    var seen: [Fingerprint: Value] = [:]
    var valid = 0
    var shared = 0
    for _ in 0..<100 {
      var parts: [String] = []
      for key in ["a", "b", "ab"] where random.below(3) > 0 {
        parts.append(random.written(key) + random.blank() + ":" + random.spaced(random.tokens(2)))
      }
      let original = Array(("{" + parts.joined(separator: ",") + "}").utf8)
      for _ in 0..<30 {
        var body = original
        for _ in 0..<random.below(3) + 1 { mutate(&body, &random) }
        guard let print = try? requestKey(body) else { continue }
        valid += 1
        var reader = Reader(bytes: body)
        let value = reader.value()
        #expect(reader.at == body.count)
        if let before = seen[print] {
          shared += 1
          #expect(before == value, "\(String(decoding: body, as: UTF8.self))")
        }
        seen[print] = value
      }
    }
    #expect(valid > 200 && shared > 50)
  }

  private func mutate(_ body: inout [UInt8], _ random: inout SeededRandom) {
    let at = random.below(body.count)
    switch random.below(6) {
    case 0: body.insert(random.pick(Array(" \n\t\r".utf8)), at: at)
    case 1: body.remove(at: at)
    case 2: body[at] = random.pick(Array("{}[]\",:\\ 01aetu/".utf8))
    case 3: body.insert(random.pick(Array("{}[]\",:\\ 01aetu/".utf8)), at: at)
    case 4:
      let other = random.below(body.count)
      body.swapAt(at, other)
    default:
      let end = min(body.count, at + 1 + random.below(8))
      body.insert(contentsOf: Array(body[at..<end]), at: random.below(body.count))
    }
    if body.isEmpty { body = Array("{}".utf8) }
  }
}
