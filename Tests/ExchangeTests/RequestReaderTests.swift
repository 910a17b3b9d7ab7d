import Base
import Exchange
import TestSupport
import Testing

@Suite struct RequestReaderTests {
  private static func read(_ body: [UInt8], type: String = "application/json") -> Result<
    RequestFacts, LocalError
  > {
    var reader = RequestReader()
    let type = type.bytes
    do throws(LocalError) {
      return .success(try reader.read(body.span, contentType: type.span))
    } catch {
      return .failure(error)
    }
  }

  struct Good: Sendable {
    var body: String
    var model: String
    /// As it stands in the body.
    var written: String
    var stream = false
    var temperature: Double?
    var tokens: Quantity?
  }

  @Test(arguments: [
    Good(body: #"{"model":"a"}"#, model: "a", written: #""a""#),
    Good(body: "\n {\t\"model\" : \"a\" } \r\n", model: "a", written: #""a""#),
    Good(body: #"{"mod\u0065l":"a"}"#, model: "a", written: #""a""#),
    Good(body: #"{"model":"a\/b\u00e9"}"#, model: "a/bé", written: #""a\/b\u00e9""#),
    Good(body: #"{"messages":[{"model":"inner"}],"model":"outer"}"#, model: "outer", written: #""outer""#),
    Good(body: #"{"model":"a","stream":true}"#, model: "a", written: #""a""#, stream: true),
    Good(body: #"{"model":"a","str\u0065am":true}"#, model: "a", written: #""a""#, stream: true),
    Good(body: #"{"model":"a","stream":false}"#, model: "a", written: #""a""#),
    Good(body: #"{"model":"a","stream":null}"#, model: "a", written: #""a""#),
    Good(body: #"{"model":"a","temperature":0.5}"#, model: "a", written: #""a""#, temperature: 0.5),
    Good(body: #"{"model":"a","temperature":"hot"}"#, model: "a", written: #""a""#),
    Good(body: #"{"model":"a","x":1,"x":2}"#, model: "a", written: #""a""#),
    Good(body: #"{"model":"a","max_tokens":100}"#, model: "a", written: #""a""#, tokens: 107),
    Good(
      body: #"{"model":"a","max_tokens":1,"max_completion_tokens":50}"#, model: "a", written: #""a""#,
      tokens: 63),
    Good(body: #"{"model":"a","max_output_tokens":7}"#, model: "a", written: #""a""#, tokens: 15),
    Good(body: #"{"model":"a","max_tokens":-5}"#, model: "a", written: #""a""#, tokens: 7),
    Good(
      body: #"{"model":"a","max_tokens":9223372036854775807}"#, model: "a", written: #""a""#,
      tokens: 1_048_587),
    Good(body: #"{"model":"a","max_tokens":1e3}"#, model: "a", written: #""a""#, tokens: 1007),
  ])
  func json(_ row: Good) throws {
    let body = row.body.bytes
    for type in ["application/json", "", "text/plain", "application/json; charset=utf-8"] {
      let facts = try Self.read(body, type: type).get()
      #expect(facts.form == .json)
      #expect(String(decoding: facts.model, as: UTF8.self) == row.model)
      #expect(String(decoding: body[facts.modelRange], as: UTF8.self) == row.written)
      #expect(facts.wantsStream == row.stream)
      #expect(facts.temperature == row.temperature)
      if let tokens = row.tokens { #expect(facts.estimatedTokens == tokens) }
    }
  }

  @Test(arguments: [
    ("", LocalError.invalidJSON(offset: 0, reason: "")), ("  ", .invalidJSON(offset: 2, reason: "")),
    ("[]", .invalidJSON(offset: 0, reason: "")), (#"[{"model":"a"}]"#, .invalidJSON(offset: 0, reason: "")),
    (" 1", .invalidJSON(offset: 1, reason: "")), (#""model""#, .invalidJSON(offset: 0, reason: "")),
    ("null", .invalidJSON(offset: 0, reason: "")), ("{", .invalidJSON(offset: 1, reason: "")),
    (#"{"model":"a"} x"#, .invalidJSON(offset: 14, reason: "")),
    (#"{"model":"a",}"#, .invalidJSON(offset: 13, reason: "")),
    ("model=a&stream=true", .invalidJSON(offset: 0, reason: "")),
    ("{}", .missingField("model")), (#"{"models":"a"}"#, .missingField("model")),
    (#"{"Model":"a"}"#, .missingField("model")), (#"{"x":{"model":"a"}}"#, .missingField("model")),
    (#"{"model":""}"#, .missingField("model")), (#"{"model":1}"#, .invalidField("model", reason: "")),
    (#"{"model":null}"#, .invalidField("model", reason: "")),
    (#"{"model":["a"]}"#, .invalidField("model", reason: "")),
    (#"{"model":"a","model":"b"}"#, .invalidField("model", reason: "")),
    (#"{"model":"a","mod\u0065l":"b"}"#, .invalidField("model", reason: "")),
    (#"{"model":"a","model":"a"}"#, .invalidField("model", reason: "")),
    (#"{"model":"a","Model":"b"}"#, .invalidField("model", reason: "")),
    (#"{"MODEL":"b","x":1,"model":"a"}"#, .invalidField("model", reason: "")),
    (#"{"model":"a","\u004dod\u0065L":"b"}"#, .invalidField("model", reason: "")),
    (#"{"model":"a","stream":true,"Stream":false}"#, .invalidField("stream", reason: "")),
    (#"{"model":"a","stream":false,"\u017ftream":true}"#, .invalidField("stream", reason: "")),
    (#"{"model":"a","stream":false,"ſTREAM":true}"#, .invalidField("stream", reason: "")),
    (#"{"model":"a","stream":true,"stream":false}"#, .invalidField("stream", reason: "")),
    (#"{"model":"a","stream":"true"}"#, .invalidField("stream", reason: "")),
    (#"{"model":"a","stream":1}"#, .invalidField("stream", reason: "")),
    (#"{"model":"a","stream":{}}"#, .invalidField("stream", reason: "")),
    (#"{"model":"a","stream":[]}"#, .invalidField("stream", reason: "")),
  ])
  func refused(_ body: String, _ error: LocalError) {
    guard case .failure(let found) = Self.read(body.bytes) else {
      Issue.record("accepted: \(body)")
      return
    }
    #expect(found == error)
    #expect(found.param?.string == error.param?.string)
    if case .invalidJSON(let offset, _) = found, case .invalidJSON(let wanted, _) = error {
      #expect(offset == wanted)
    }
  }

  @Test(arguments: [
    (#"{"model":"a"}"#, true), (#"{"model":"a","n":1}"#, true), (#"{"model":"a","n":null}"#, true),
    (#"{"model":"a","n":2}"#, false), (#"{"model":"a","n":0}"#, false),
  ])
  func oneChoice(_ body: String, _ isOne: Bool) throws {
    #expect(try Self.read(body.bytes).get().wantsOneChoice == isOne)
  }

  @Test func nestingHasALimit() {
    func body(_ depth: Int) -> [UInt8] {
      (#"{"model":"a","x":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        + "}").bytes
    }
    guard case .success = Self.read(body(Limits.jsonDepth - 1)) else {
      Issue.record("refused at the limit")
      return
    }
    guard case .failure(let error) = Self.read(body(Limits.jsonDepth)) else {
      Issue.record("accepted beyond the limit")
      return
    }
    #expect(error == .invalidJSON(offset: 0, reason: ""))
    guard case .failure = Self.read(body(1_000_000)) else {
      Issue.record("accepted far beyond the limit")
      return
    }
  }

  /// One reader serves many requests: nothing of one is left for the next.
  @Test func aReaderForgets() throws {
    var reader = RequestReader()
    let none = "".bytes
    let first = #"{"model":"first","stream":true,"temperature":1}"#.bytes
    let second = #"{"model":"b"}"#.bytes
    let third = #"{"stream":true}"#.bytes
    #expect(try reader.read(first.span, contentType: none.span).wantsStream)
    let facts = try reader.read(second.span, contentType: none.span)
    #expect(facts.model == "b".bytes)
    #expect(!facts.wantsStream)
    #expect(facts.temperature == nil)
    #expect(throws: LocalError.missingField("model")) { try reader.read(third.span, contentType: none.span) }
  }

  /// Names are kept for requests that repeat them: each request gets its own, also where many share a place.
  @Test func namesAreNotMixedUp() throws {
    var reader = RequestReader()
    let none = "".bytes
    let long = String(repeating: "x", count: Limits.modelName)
    for round in 0..<4 {
      for number in 0..<Limits.recentNames * 8 {
        let name = number % 7 == 0 ? "\(long)\(number)" : "model-\(number * (round % 2 + 1))"
        let body = #"{"model":"\#(name)"}"#.bytes
        #expect(try reader.read(body.span, contentType: none.span).model == name.bytes)
      }
    }
  }

  // MARK: - Forms

  private static func form(_ parts: [(String, String)]) -> [UInt8] {
    var text = ""
    for (name, value) in parts {
      text += "--b\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
    }
    return (text + "--b--\r\n").bytes
  }

  @Test func multipart() throws {
    let body = Self.form([
      ("file", "\u{1}\u{2} \"model\":\"no\""), ("model", "whisper-1"), ("stream", "true"),
    ])
    let facts = try Self.read(body, type: "multipart/form-data; boundary=b").get()
    #expect(facts.form == .multipart)
    #expect(facts.model == "whisper-1".bytes)
    #expect(Array(body[facts.modelRange]) == "whisper-1".bytes)
    #expect(facts.wantsStream)
    #expect(facts.estimatedTokens == 0)
  }

  @Test(
    arguments: [
      ([("file", "x")], LocalError.missingField("model")), ([("model", "")], .missingField("model")),
      ([("model", "a"), ("model", "b")], .invalidField("body", reason: "")),
      ([("model", String(repeating: "m", count: 257))], .invalidField("model", reason: "")),
    ] as [([(String, String)], LocalError)])
  func refusedForm(_ parts: [(String, String)], _ error: LocalError) {
    guard case .failure(let found) = Self.read(Self.form(parts), type: "multipart/form-data; boundary=b")
    else {
      Issue.record("accepted")
      return
    }
    #expect(found == error)
    #expect(found.param?.string == error.param?.string)
  }

  @Test(arguments: [
    "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other",
  ])
  func unreadableForm(_ type: String) {
    guard case .failure(let found) = Self.read(Self.form([("model", "a")]), type: type) else {
      Issue.record("accepted")
      return
    }
    #expect(found == .invalidField("body", reason: ""))
  }

  @Test func everyFaultOfAHeadHasItsError() {
    #expect(LocalError(.bodyTooLarge).row.status == 413)
    #expect(LocalError(.targetTooLong).row.status == 414)
    #expect(LocalError(.unknownExpectation).row.status == 417)
    #expect(LocalError(.headTooLarge).row.status == 431)
    #expect(LocalError(.tooManyFields).row.status == 431)
    #expect(LocalError(.unknownTransferEncoding).row.status == 501)
    #expect(LocalError(.unsupportedVersion).row.status == 505)
    #expect(LocalError(.lengthAndTransferEncoding).row.status == 400)
    #expect(LocalError(.lengthAndTransferEncoding).row.closes)
  }

  /// MurmurHash3's finaliser of small numbers, in hexadecimal.
  @Test(arguments: [
    (0, "req_0000000000000000"), (1, "req_b456bcfc34c2cb2c"), (2, "req_3abf2a20650683e7"),
    (0x12_3456_7890, "req_ce7b14efcf876c8e"),
  ])
  func aRequestIDIsAScrambledNumber(_ number: UInt64, _ expected: String) {
    #expect(RequestID(number: number).span.text == expected)
  }
}
