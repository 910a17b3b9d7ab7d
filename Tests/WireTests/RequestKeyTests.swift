import Base
import Testing
import Wire

private let secret = KeyedHash.Key(first: 0x0123_4567_89ab_cdef, second: 0xfedc_ba98_7654_3210)

/// The key of a body with the least around it.
func requestKey(_ body: [UInt8]) throws -> Fingerprint? {
  var probe = JSONProbe()
  try probe.scan(body.span)
  let key = RequestKey(key: secret, endpoint: "chat/completions", query: Span(), isStream: false)
  let whole = key.finish(body.span, probe)
  // With pauses it is the same.
  for step in [1, 6, 50] {
    var slow = key
    var limit = step
    while !slow.goOn(body.span, probe, upTo: limit) { limit += step }
    #expect(slow.finish() == whole)
  }
  return whole
}

@Suite struct RequestKeyTests {
  // From OpenSSL 3: `openssl mac -macopt hexkey:000102…0f -macopt size:16 SIPHASH`.
  @Test(arguments: [
    (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
    (7, "a1f1ebbed8dbc153c0b84aa61ff08239"), (8, "3b62a9ba6258f5610f83e264f31497b4"),
    (9, "264499060ad9baabc47f8b02bb6d71ed"), (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
    (16, "6ee2a4ca67b054bbfd3315bf85230577"), (63, "5150d1772f50834a503e069a973fbd7c"),
  ])
  func hashesAsSipHashDoes(_ count: Int, _ expected: String) {
    let key = KeyedHash.Key(first: 0x0706_0504_0302_0100, second: 0x0f0e_0d0c_0b0a_0908)
    let bytes = (0..<count).map { UInt8($0) }
    for split in 0...count {
      var hash = KeyedHash(key: key)
      hash.absorb(bytes.span.extracting(0..<split))
      hash.absorb(bytes.span.extracting(split..<count))
      #expect(hex(hash.finish()) == expected)
    }
    var hash = KeyedHash(key: key)
    for byte in bytes { hash.absorb(byte) }
    #expect(hex(hash.finish()) == expected)
    for lead in 0...7 where count >= lead + 8 {
      var hash = KeyedHash(key: key)
      for byte in bytes[..<lead] { hash.absorb(byte) }
      hash.absorb(word: (0..<8).reduce(0) { $0 | UInt64(bytes[lead + $1]) << (UInt64($1) * 8) })
      hash.absorb(bytes.span.extracting((lead + 8)..<count))
      #expect(hex(hash.finish()) == expected)
    }
  }

  private func hex(_ print: Fingerprint) -> String {
    var text = ""
    for word in [print.high, print.low] {
      for byte in 0..<8 {
        let value = UInt8(truncatingIfNeeded: word >> (UInt64(byte) * 8))
        text += (value < 16 ? "0" : "") + String(value, radix: 16)
      }
    }
    return text
  }

  @Test(arguments: [
    (#"{}"#, " {\n}\t"),
    (#"{"a":1,"b":2}"#, #"{"b":2,"a":1}"#),
    (#"{"a":1,"b":2}"#, "\r\n{ \"a\" : 1\t, \"b\"\n:\n2 }\n"),
    (#"{"a":[1,2,{"x":"y z"}]}"#, #"{"a": [ 1, 2, { "x" : "y z" } ] }"#),
    (#"{"model":"m"}"#, #"{"\u006dodel":"m"}"#),
    (#"{"a/b":1}"#, #"{"a\/b":1}"#),
    (#"{"é":1}"#, #"{"\u00e9":1}"#),
    (#"{"😀":1}"#, #"{"\uD83D\ude00":1}"#),
    (#"{"\n\t\b\f\r\"\\":1}"#, #"{"\u000a\u0009\u0008\u000C\u000d\u0022\u005c":1}"#),
    (#"{"a":"x\"y","b":[]}"#, #"{ "b":[ ],"a":"x\"y"}"#),
  ])
  func theSameRequestHasOneKey(_ a: String, _ b: String) throws {
    let first = try requestKey(Array(a.utf8))
    #expect(first != nil)
    #expect(try requestKey(Array(b.utf8)) == first)
  }

  @Test(arguments: [
    (#"{"a":1}"#, #"{"a":2}"#), (#"{"a":1}"#, #"{"b":1}"#), (#"{"a":1}"#, #"{"a":1,"b":1}"#),
    (#"{"a":1,"b":2}"#, #"{"a":2,"b":1}"#), (#"{}"#, #"{"":""}"#),
    (#"{"a":"b c"}"#, #"{"a":"bc"}"#), (#"{"a":"b c"}"#, #"{"a":"b  c"}"#),
    (#"{"a":[1,2]}"#, #"{"a":[2,1]}"#), (#"{"a":[12]}"#, #"{"a":[1,2]}"#),
    (#"{"a":"1"}"#, #"{"a":1}"#), (#"{"a":null}"#, #"{}"#), (#"{"a":true}"#, #"{"a":false}"#),
    (#"{"a":"\" ,","b":1}"#, #"{"a":"\",","b":1}"#), (#"{"a":"\\","b":1}"#, #"{"a":"\\\\","b":1}"#),
    (#"{"a":{"b":1}}"#, #"{"a":{"b":1,"c":null}}"#), (#"{"a":"","b":""}"#, #"{"a":"","c":""}"#),
    (#"{"a b":1}"#, #"{"ab":1}"#), (#"{"a":"B"}"#, #"{"A":"b"}"#),
    // Not different in value, but kept apart: texts inside of values count as written.
    (#"{"a":1.0}"#, #"{"a":1}"#), (#"{"a":"\u0061"}"#, #"{"a":"a"}"#),
    (#"{"a":{"x":1,"y":2}}"#, #"{"a":{"y":2,"x":1}}"#),
  ])
  func differentRequestsHaveDifferentKeys(_ a: String, _ b: String) throws {
    let first = try requestKey(Array(a.utf8))
    let second = try requestKey(Array(b.utf8))
    #expect(first != nil && second != nil && first != second)
  }

  @Test(arguments: [
    #"{"a":1,"a":1}"#, #"{"a":1,"\u0061":2}"#, #"{"a":1,"b":2,"a":3}"#, #"{"\ud800":1}"#,
    #"{"\udc00\ud800":1}"#,
    #"[]"#, #""text""#, #"{"store":true}"#, #"{"st\u006fre":true}"#, #"{"store":1}"#, #"{"background":true}"#,
    #"{"previous_response_id":"r"}"#, #"{"conversation":{"id":"c"}}"#, #"{"container":"c"}"#,
    #"{"mcp_servers":[{}]}"#,
  ])
  func someRequestsHaveNoKey(_ body: String) throws {
    #expect(try requestKey(Array(body.utf8)) == nil)
  }

  @Test(arguments: [
    #"{"store":false}"#, #"{"store":null}"#, #"{"background":false}"#, #"{"previous_response_id":null}"#,
    #"{"conversation":null}"#, #"{"mcp_servers":[]}"#, #"{"mcp_servers":null}"#,
    #"{"metadata":{"store":true}}"#,
    #"{"a":{"b":1,"b":2}}"#,
  ])
  func othersHaveOne(_ body: String) throws {
    #expect(try requestKey(Array(body.utf8)) != nil)
  }

  @Test func manyMembersAreSortedAndTooManyHaveNoKey() throws {
    func body(_ keys: [Int]) -> [UInt8] {
      Array(("{" + keys.map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}").utf8)
    }
    let all = Array(0..<Limits.jsonMembers)
    let first = try requestKey(body(all))
    #expect(first != nil)
    #expect(try requestKey(body(all.reversed())) == first)
    #expect(try requestKey(body(all.map { ($0 * 37) % 128 })) == first)
    #expect(try requestKey(body(Array(all.dropLast()))) != first)
    #expect(try requestKey(body(Array(all.dropLast()) + [0])) == nil)
  }

  /// What surrounds the body, as a list of calls.
  private enum Part: Hashable {
    case field(String), line(String), client(String)
  }

  private func scopedKey(
    _ parts: [Part], endpoint: StaticString = "embeddings", query: String = "", isStream: Bool = false,
    key: KeyedHash.Key = secret
  ) throws -> Fingerprint? {
    let body = Array(#"{"model":"m"}"#.utf8)
    var probe = JSONProbe()
    try probe.scan(body.span)
    let query = Array(query.utf8)
    var request = RequestKey(key: key, endpoint: endpoint, query: query.span, isStream: isStream)
    for part in parts {
      switch part {
      case .field(let name): request.beginField(name)
      case .line(let value):
        let value = Array(value.utf8)
        request.addLine(value.span)
      case .client(let name): request.addClient(name)
      }
    }
    return request.finish(body.span, probe)
  }

  @Test func everyPartOfTheScopeCounts() throws {
    let scopes: [[Part]] = [
      [], [.client("")], [.client("a")], [.field("a")], [.field("a"), .line("")], [.field("a"), .line("b")],
      [.field("a"), .line("b"), .line("c")], [.field("a"), .line("bc")], [.field("a"), .line("b,c")],
      [.field("a"), .field("b")], [.field("a"), .field("b"), .line("c")],
      [.field("a"), .line("c"), .field("b")], [.field("ab")], [.field("a"), .client("b")],
      [.field("a"), .line("b"), .client("c")], [.field("a"), .line("b\u{4}\u{1}c")], [.line("a")],
    ]
    var seen: [Fingerprint: [Part]] = [:]
    for scope in scopes {
      let print = try #require(try scopedKey(scope))
      #expect(seen[print] == nil, "\(scope) and \(String(describing: seen[print]))")
      seen[print] = scope
      #expect(try scopedKey(scope) == print)
      #expect(try scopedKey(scope, isStream: true) != print)
      #expect(try scopedKey(scope, endpoint: "embedding") != print)
      #expect(try scopedKey(scope, query: "a=1") != print)
      #expect(try scopedKey(scope, key: KeyedHash.Key(first: 1, second: 2)) != print)
    }
  }
}
