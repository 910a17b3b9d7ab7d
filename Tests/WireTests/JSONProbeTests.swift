import Base
import TestSupport
import Testing

@testable import Wire

/// What comes of a text, in one go and with pauses of every length.
private func verdict(_ bytes: [UInt8]) -> String {
  let whole = verdict(bytes, step: .max)
  for step in [1, 2, 3, 7, 16, 100] { #expect(verdict(bytes, step: step) == whole, "pausing after \(step)") }
  return whole.contains("@") ? whole : "ok"
}

private func verdict(_ bytes: [UInt8], step: Int) -> String {
  var probe = JSONProbe()
  probe.begin()
  var limit = step
  do throws(JSONFault) {
    while try !probe.goOn(bytes.span, upTo: limit) { limit += step }
    return "\(probe.root) \(probe.members)"
  } catch {
    #expect(probe.members.isEmpty)
    return "\(error.reason)@\(error.offset)"
  }
}

private let most: Quantity = 1_099_511_627_776

@Suite struct JSONProbeTests {
  @Test(arguments: [
    "{}", "[]", " \t\r\n{ } \t\r\n", "null", "true", "false", "0", "-0", "1", "-1", "10", "0.5", "1e5",
    "1E+5",
    "1e-05", "-0.0e0", "123456789012345678901234567890", "\"\"", "\"a\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0000\"", "\"\\uD834\\udd1e\"", "\"\u{7f}\"", "\"é\"", "\"日本語\"", "\"😀\"", "\"\u{10FFFF}\"",
    "\"\u{2028}\"", "[1,2]", "[ 1 , 2 ]", "[[],[[]],{}]", "{\"a\":1}", "{\"a\":{\"b\":[1,{\"c\":null}]}}",
    "{ \"a\" : 1 , \"b\" : 2 }", "{\"a\":1,\"a\":2}", "{\"\":0}", "[\"a\",1,true,false,null,{},[]]",
    "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
    // Implementation-defined in JSONTestSuite's terms: lone surrogates and huge numbers are accepted.
    "\"\\uD800\"", "\"\\uDC00\\uD800\"", "\"\\uD800x\"", "1e9999", "-1e9999",
  ])
  func accepts(_ text: String) { #expect(verdict(text.bytes) == "ok") }

  @Test(arguments: [
    ("", "unexpectedEnd@0"), (" ", "unexpectedEnd@1"), ("{", "unexpectedEnd@1"), ("[", "unexpectedEnd@1"),
    ("\"", "unexpectedEnd@1"), ("\"abc", "unexpectedEnd@4"), ("\"\\", "unexpectedEnd@2"),
    ("\"\\u12", "unexpectedEnd@5"), ("{\"a\"", "unexpectedEnd@4"), ("{\"a\":", "unexpectedEnd@5"),
    ("{\"a\":1", "unexpectedEnd@6"), ("[1,", "unexpectedEnd@3"), ("tru", "unexpectedEnd@3"),
    ("-", "unexpectedEnd@1"), ("1.", "unexpectedEnd@2"), ("1e", "unexpectedEnd@2"),
    ("1e+", "unexpectedEnd@3"),
    ("}", "unexpectedByte@0"), ("]", "unexpectedByte@0"), (",", "unexpectedByte@0"),
    ("[,1]", "unexpectedByte@1"),
    ("[1,]", "unexpectedByte@3"), ("[1,,2]", "unexpectedByte@3"), ("[1 2]", "unexpectedByte@3"),
    ("[1}", "unexpectedByte@2"), ("{\"a\":1]", "unexpectedByte@6"), ("{\"a\":1,}", "unexpectedByte@7"),
    ("{,}", "unexpectedByte@1"), ("{a:1}", "unexpectedByte@1"), ("{'a':1}", "unexpectedByte@1"),
    ("{1:1}", "unexpectedByte@1"), ("{\"a\" 1}", "unexpectedByte@5"), ("{\"a\":}", "unexpectedByte@5"),
    ("{\"a\"::1}", "unexpectedByte@5"), ("{\"a\":1 \"b\":2}", "unexpectedByte@7"),
    ("'a'", "unexpectedByte@0"),
    ("NaN", "unexpectedByte@0"), ("Infinity", "unexpectedByte@0"), ("-Infinity", "badNumber@1"),
    (".5", "unexpectedByte@0"), ("+1", "unexpectedByte@0"), ("True", "unexpectedByte@0"),
    ("// c\n1", "unexpectedByte@0"), ("/* c */ 1", "unexpectedByte@0"), ("[1]\u{c}", "trailingBytes@3"),
    ("\u{FEFF}{}", "unexpectedByte@0"), ("{}{}", "trailingBytes@2"), ("{}x", "trailingBytes@2"),
    ("{},", "trailingBytes@2"), ("1 2", "trailingBytes@2"), ("truer", "trailingBytes@4"),
    ("\"\"\"", "trailingBytes@2"),
    ("[]\0", "trailingBytes@2"), ("0x1", "trailingBytes@1"), ("00", "badNumber@1"), ("01", "badNumber@1"),
    ("-01", "badNumber@2"), ("-a", "badNumber@1"), ("1.a", "badNumber@2"), ("1.e1", "badNumber@2"),
    ("1ea", "badNumber@2"), ("1e+-1", "badNumber@3"), ("nul1", "badLiteral@3"), ("falze", "badLiteral@3"),
    ("\"\\a\"", "badEscape@2"), ("\"\\x41\"", "badEscape@2"), ("\"\\u00g0\"", "badEscape@5"),
    ("\"\\u-123\"", "badEscape@3"), ("\"\\\n\"", "badEscape@2"), ("\"\n\"", "controlCharacter@1"),
    ("\"a\tb\"", "controlCharacter@2"), ("\"\0\"", "controlCharacter@1"),
    ("\"0123456\u{1f}\"", "controlCharacter@8"),
    ("\"01234567890123456789012345678901234567890123456\u{1}\"", "controlCharacter@48"),
    ("[\"a\\\"]", "unexpectedEnd@6"),
  ])
  func refuses(_ text: String, _ expected: String) { #expect(verdict(text.bytes) == expected) }

  @Test(
    arguments: [
      [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x20], [0xE0, 0x80, 0x80],
      [0xE0, 0x9F, 0xBF],
      [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xEF, 0xBF], [0xF0, 0x80, 0x80, 0x80],
      [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
    ] as [[UInt8]])
  func refusesIllFormedUTF8(_ sequence: [UInt8]) {
    for padding in [0, 1, 7, 8, 9, 31, 33] {
      let text = "\"".bytes + Array(repeating: 0x61, count: padding) + sequence + "\"".bytes
      #expect(verdict(text) == "badUTF8@\(padding + 1)")
    }
  }

  /// The word-wise scan must stop at each special byte, wherever it lies in its word.
  @Test func findsEveryByteAtEveryPlace() {
    for special in [UInt8(0), 1, 0x1F, 0x22, 0x5C, 0x80, 0xFF] {
      for neighbour in [UInt8(0x20), 0x21, 0x23, 0x5B, 0x5D, 0x7F] {
        for place in 0..<72 {
          var bytes = [UInt8](repeating: neighbour, count: 80)
          bytes[place] = special
          var at = 0
          JSONGrammar.skipPlain(bytes.span, &at)
          #expect(at == place)
          if at != place { return }
        }
      }
    }
  }

  /// What comes of a string of letters with one byte changed, near the text's end and far from it: as by a reader of
  /// single bytes.
  @Test func readsStringsToTheirEnd() {
    for (count, behind) in [0, 1, 14, 15, 16, 17, 33].flatMap({ [($0, 0), ($0, 20)] }) {
      let plain = [0x22] + [UInt8](repeating: 0x61, count: count) + [0x22]
      let spaces = [UInt8](repeating: 0x20, count: behind)
      #expect(verdict(plain + spaces) == "ok")
      for place in 1..<count + 1 {
        for byte in UInt8.min...UInt8.max {
          var text = plain + spaces
          text[place] = byte
          let wanted =
            switch byte {
            case 0x22: "trailingBytes@\(place + 1)"
            case 0x5C: place == count ? "unexpectedEnd@\(text.count)" : "badEscape@\(place + 1)"
            case 0..<0x20: "controlCharacter@\(place)"
            case 0x80...: "badUTF8@\(place)"
            default: "ok"
            }
          let found = verdict(text, step: .max)
          if (found.contains("@") ? found : "ok") != wanted { Issue.record("\(text): \(found)") }
        }
      }
    }
  }

  @Test func boundsDepth() {
    func nested(_ n: Int) -> [UInt8] {
      Array(repeating: UInt8(ascii: "["), count: n) + Array(repeating: UInt8(ascii: "]"), count: n)
    }
    #expect(verdict(nested(Limits.jsonDepth)) == "ok")
    #expect(verdict(nested(Limits.jsonDepth + 1)) == "tooDeep@\(Limits.jsonDepth)")
    #expect(verdict(Array(repeating: UInt8(ascii: "["), count: 100_000)) == "tooDeep@\(Limits.jsonDepth)")
    let objects = String(repeating: "{\"a\":[", count: 64) + String(repeating: "]}", count: 64)
    #expect(verdict(objects.bytes) == "ok")
    let wrong = String(repeating: "{\"a\":[", count: 64) + String(repeating: "}]", count: 64)
    #expect(verdict(wrong.bytes) == "unexpectedByte@384")
  }

  @Test func boundsMembers() {
    func object(_ n: Int) -> [UInt8] {
      ("{" + (0..<n).map { "\"\($0)\":0" }.joined(separator: ",") + "}").bytes
    }
    #expect(verdict(object(Limits.jsonMembers)) == "ok")
    #expect(verdict(object(Limits.jsonMembers + 1)).hasPrefix("tooManyMembers@"))
    #expect(verdict("[".bytes + object(1000) + "]".bytes) == "ok")
  }

  @Test func remembersTopLevelMembers() throws {
    let text =
      #" { "mod\u0065l" : "a\u0062c" , "n":[1,{"model":"no"}], "stream":true,"x":{},"model":"z\"", "t":-1.5e1 } "#
    let bytes = text.bytes
    var probe = JSONProbe()
    try probe.scan(bytes.span)
    #expect(probe.root.kind == .object)
    #expect(probe.root.value == 1..<bytes.count - 1)
    #expect(probe.members.map(\.kind) == [.string, .array, .bool, .object, .string, .number])
    let values = probe.members.map { bytes.span.extracting($0.value).text }
    #expect(values == [#""a\u0062c""#, #"[1,{"model":"no"}]"#, "true", "{}", #""z\"""#, "-1.5e1"])
    #expect(probe.count(of: "model", in: bytes.span) == 2)
    #expect(probe.count(of: "mode", in: bytes.span) == 0)
    #expect(probe.value(of: "model", in: bytes.span) == probe.members[4])
    let stream = probe.value(of: "stream", in: bytes.span) ?? probe.root
    #expect(bytes.span.jsonBool(stream) == true)
    #expect(bytes.span.jsonEquals(probe.members[0], "abc") == true)
    #expect(bytes.span.jsonEquals(probe.members[0], "abd") == false)
    #expect(bytes.span.jsonDouble(probe.members[5]) == -15)
    #expect(bytes.span.jsonQuantity(probe.members[5]) == nil)
    #expect(throws: JSONFault(offset: 1, reason: .unexpectedEnd)) {
      let cut = "{".bytes
      try probe.scan(cut.span)
    }
    #expect(probe.members.isEmpty)
  }

  @Test(arguments: [
    (#""""#, ""), (#""a""#, "a"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
    (#""\u00e9\u20AC""#, "é€"),
    (#""x\ud83d\ude00y""#, "x😀y"), (#""\ud83d""#, "\u{FFFD}"), (#""\ude00\ud83d""#, "\u{FFFD}\u{FFFD}"),
    (#""\ud83d\u0041""#, "\u{FFFD}A"), (#""\ud83dA""#, "\u{FFFD}A"), (#""日\n本""#, "日\n本"),
  ])
  func decodesStrings(_ text: String, _ expected: String) throws {
    let bytes = text.bytes
    var probe = JSONProbe()
    try probe.scan(bytes.span)
    var out = ByteBuffer()
    let isString = bytes.span.jsonString(probe.root, into: &out)
    #expect(isString)
    #expect(out.contentText == expected)
  }

  @Test(
    arguments: [
      ("0", 0), ("-0", 0), ("-7", nil), ("2147483648", 2_147_483_648), ("1.0", 1), ("12.9", 12),
      ("1e3", 1000),
      ("1099511627775", 1_099_511_627_775), ("9223372036854775807", most), ("18446744073709551616", most),
      ("1e308", most), ("1e999", most), ("-1e308", nil), ("\"1\"", nil), ("null", nil),
    ] as [(String, Quantity?)])
  func readsQuantities(_ text: String, _ expected: Quantity?) throws {
    var probe = JSONProbe()
    try probe.scan(text.bytes.span)
    #expect(text.bytes.span.jsonQuantity(probe.root) == expected)
  }

  @Test func walksContainers() throws {
    let bytes = #"{"a":[1, "x]", {"b":[]} ,[ ]],"c":{"d" : "}" , "e":false},"f":null}"#.bytes
    var probe = JSONProbe()
    try probe.scan(bytes.span)
    func list(_ member: JSONMember) -> [String] {
      var out: [String] = []
      var cursor = JSONCursor(member)
      while let next = cursor.next(bytes.span) {
        out.append("\(bytes.span.extracting(next.key).text)=\(bytes.span.extracting(next.value).text)")
      }
      return out
    }
    #expect(list(probe.members[0]) == ["=1", #"="x]""#, #"={"b":[]}"#, "=[ ]"])
    #expect(list(probe.members[1]) == [#"d="}""#, "e=false"])
    #expect(list(probe.members[2]).isEmpty)
    #expect(bytes.span.jsonMember("e", in: probe.members[1])?.kind == .bool)
    #expect(bytes.span.jsonMember("x", in: probe.members[1]) == nil)
    #expect(bytes.span.jsonMember("x", in: probe.members[0]) == nil)
  }

  /// A walk that pauses anywhere, also within a key, a string or what it passes over, finds the same.
  @Test(arguments: [
    #"{"a":[1, "x\"\\", {"b":[[{}],"]}"]} ,[ ]],"c\u0041\"" : {"d" : "}" , "e":false},"f":null ,"g":-1.5e3}"#,
    #"[ [ [ "[[[\\" ] , {} ] , "é日😀" , "\n\n\n\n\n\n" , true,0]"#, "[]", "{ }", #"{"":""}"#,
  ])
  func pausesAnywhere(_ text: String) throws {
    let bytes = text.bytes
    var probe = JSONProbe()
    try probe.scan(bytes.span)
    func list(_ member: JSONMember, step: Int) -> [JSONMember] {
      var out: [JSONMember] = []
      var cursor = JSONCursor(member)
      var pauses = 0
      while true {
        switch cursor.step(bytes.span, upTo: step == .max ? .max : cursor.place + step) {
        case .member(let next): out.append(next)
        case .paused: pauses += 1
        case .end:
          #expect(step > 1 || member.value.count < 20 || pauses > 3)
          return out
        }
      }
    }
    let whole = list(probe.root, step: .max)
    for step in 1...20 {
      #expect(list(probe.root, step: step) == whole)
      for member in whole { #expect(list(member, step: step) == list(member, step: .max)) }
    }
  }

  @Test(
    arguments: [
      ("abc".bytes, #""abc""#),
      ("a\"\\/\n\r\t\u{1}\u{1f}\u{7f}".bytes, "\"a\\\"\\\\/\\n\\r\\t\\u0001\\u001f\u{7f}\""),
      ("é日😀".bytes, "\"é日😀\""), ([0x61, 0xFF, 0xE2, 0x82, 0x62], "\"a\u{FFFD}\u{FFFD}\u{FFFD}b\""),
      ([], "\"\""),
    ] as [([UInt8], String)])
  func writesStrings(_ bytes: [UInt8], _ expected: String) {
    var out = ByteBuffer()
    out.append(jsonString: bytes.span)
    #expect(out.contentText == expected)
    #expect(verdict(out.contents) == "ok")
  }
}
