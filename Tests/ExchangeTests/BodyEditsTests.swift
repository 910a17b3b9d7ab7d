import Base
import Exchange
import Policy
import TestSupport
import Testing
import Wire

/// Applies splices as the Server does: from the front, each once.
func spliced(_ body: [UInt8], _ splices: [Splice]) -> [UInt8] {
  var out: [UInt8] = []
  var at = 0
  for splice in splices {
    out += body[at..<splice.range.lowerBound]
    out += splice.replacement
    at = splice.range.upperBound
  }
  return out + body[at...]
}

/// Puts a model, as JSON, into the place of a body's.
func modelSplice(_ model: String, in body: [UInt8]) -> Splice? {
  var probe = JSONProbe()
  try? probe.scan(body.span)
  return probe.value(of: "model", in: body.span).map { Splice(range: $0.value, replacement: model.bytes) }
}

func isJSON(_ bytes: [UInt8]) -> Bool {
  var probe = JSONProbe()
  do throws(JSONFault) {
    try probe.scan(bytes.span)
    return true
  } catch {
    return false
  }
}

@Suite struct BodyEditsTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var edits: [(String, RequestEdit.Action)]
    var body: String
    var result: String
    init(_ edits: [(String, RequestEdit.Action)], _ body: String, _ result: String) {
      self.edits = edits
      self.body = body
      self.result = result
    }
    var testDescription: String { body }
  }

  private static func apply(_ edits: [(String, RequestEdit.Action)], _ body: String, model: String? = nil)
    -> String
  {
    let bytes = body.bytes
    let list = BodyEdits(edits.map { RequestEdit(path: $0.0, action: $0.1) })
    let first = model.flatMap { modelSplice($0, in: bytes) }
    let splices = list.splices(of: bytes.span, adding: first)
    for (a, b) in zip(splices, splices.dropFirst()) {
      #expect(a.range.upperBound <= b.range.lowerBound, "ordered and apart")
    }
    return String(decoding: spliced(bytes, splices), as: UTF8.self)
  }

  @Test(arguments: [
    // Drops: first, middle, last, all but one, neighbours, white space of all kinds.
    Row([("a", .drop)], #"{"a":1,"b":2,"c":3}"#, #"{"b":2,"c":3}"#),
    Row([("b", .drop)], #"{"a":1,"b":2,"c":3}"#, #"{"a":1,"c":3}"#),
    Row([("c", .drop)], #"{"a":1,"b":2,"c":3}"#, #"{"a":1,"b":2}"#),
    Row([("a", .drop), ("b", .drop)], #"{"a":1,"b":2,"c":3}"#, #"{"c":3}"#),
    Row([("b", .drop), ("c", .drop)], #"{"a":1,"b":2,"c":3}"#, #"{"a":1}"#),
    Row([("c", .drop), ("b", .drop)], #"{"a":1,"b":2,"c":3}"#, #"{"a":1}"#),
    Row([("a", .drop), ("c", .drop)], #"{"a":1,"b":2,"c":3}"#, #"{"b":2}"#),
    Row([("a", .drop), ("b", .drop), ("c", .drop)], #"{"a":1,"b":2,"c":3}"#, "{}"),
    Row([("a", .drop)], #"{"a":1}"#, "{}"),
    Row([("a", .drop)], "{ \"a\" : 1 }", "{  }"),
    Row([("b", .drop)], "{\n\t\"a\" : 1 ,\r\n\t\"b\" : [ 1 , 2 ] \n}", "{\n\t\"a\" : 1  \n}"),
    Row([("b", .drop), ("c", .drop)], "{ \"a\":1 , \"b\":2 , \"c\":3 }", "{ \"a\":1  }"),
    Row([("a", .drop)], "{ \"a\":1 , \"b\":2 }", "{ \"b\":2 }"),
    Row([("a", .drop)], #"{"a":"},{\"a\":1","b":2}"#, #"{"b":2}"#),
    Row([("a", .drop)], #"{"b":{"a":1},"x":"a"}"#, #"{"b":{"a":1},"x":"a"}"#),
    Row([("a", .drop)], #"{"a":1,"b":2,"a":3}"#, #"{"b":2}"#),
    Row([("a", .drop)], #"{"\u0061":1,"b":2}"#, #"{"b":2}"#),
    Row([("a", .drop), ("a", .drop)], #"{"b":2,"a":1}"#, #"{"b":2}"#),
    // White space around the body.
    Row([("a", .drop)], " \n{\"a\":1,\"b\":2} \n", " \n{\"b\":2} \n"),
    Row([("b", .drop)], "\r\n{\"a\":1,\"b\":2}\r\n", "\r\n{\"a\":1}\r\n"),
    Row([("c", .fallback("3"))], " {\"a\":1}", " {\"c\":3,\"a\":1}"),
    Row([("c", .fallback("3"))], " {\"c\":1}", " {\"c\":1}"),
    // Conditions.
    Row([("n", .dropUnless("1"))], #"{"n":1,"b":2}"#, #"{"n":1,"b":2}"#),
    Row([("n", .dropUnless("1"))], #"{"n":2,"b":2}"#, #"{"b":2}"#),
    Row([("n", .dropWhere("null"))], #"{"n":null,"b":2}"#, #"{"b":2}"#),
    Row([("n", .dropWhere("null"))], #"{"n":"null","b":2}"#, #"{"n":"null","b":2}"#),
    // New names.
    Row([("a", .rename("z"))], #"{"a":1,"b":2}"#, #"{"z":1,"b":2}"#),
    Row([("a", .rename("z"))], #"{"\u0061" : 1,"b":2}"#, #"{"z" : 1,"b":2}"#),
    Row([("a", .rename("b"))], #"{"a":1,"b":2}"#, #"{"b":2}"#),
    Row([("a", .rename("b"))], #"{"b":2,"a":1}"#, #"{"b":2}"#),
    Row([("a", .rename("b")), ("b", .fallback("9"))], #"{"a":1,"c":2}"#, #"{"b":1,"c":2}"#),
    Row([("b", .fallback("9")), ("a", .rename("b"))], #"{"a":1,"c":2}"#, #"{"b":1,"c":2}"#),
    Row([("a", .rename("b")), ("b", .fallback("9"))], #"{"c":2}"#, #"{"b":9,"c":2}"#),
    // Bounds.
    Row([("t", .clamp(2))], #"{"t":3}"#, #"{"t":2}"#),
    Row([("t", .clamp(2))], #"{"t":2}"#, #"{"t":2}"#),
    Row([("t", .clamp(2))], #"{"t":2.01}"#, #"{"t":2}"#),
    Row([("t", .clamp(2))], #"{"t":1.99}"#, #"{"t":1.99}"#),
    Row([("t", .clamp(2))], #"{"t":-7}"#, #"{"t":-7}"#),
    Row([("t", .clamp(2))], #"{"t":1e999}"#, #"{"t":2}"#),
    Row([("t", .clamp(2))], #"{"t":"3"}"#, #"{"t":"3"}"#),
    Row([("t", .clamp(2))], #"{"t":null}"#, #"{"t":null}"#),
    // Defaults.
    Row([("d", .fallback("7"))], #"{"a":1}"#, #"{"d":7,"a":1}"#),
    Row([("d", .fallback("7"))], #"{"d":1}"#, #"{"d":1}"#),
    Row([("d", .fallback("7"))], #"{"d":null}"#, #"{"d":null}"#),
    Row([("d", .fallback("7"))], "{}", #"{"d":7}"#),
    Row([("d", .fallback("7"))], "{ }", #"{"d":7 }"#),
    Row([("d", .fallback("7")), ("e", .fallback("8"))], #"{"a":1}"#, #"{"d":7,"e":8,"a":1}"#),
    // A default beside drops at the same place.
    Row([("a", .drop), ("d", .fallback("7"))], #"{"a":1,"b":2}"#, #"{"d":7,"b":2}"#),
    Row([("d", .fallback("7")), ("a", .drop)], #"{"a":1,"b":2}"#, #"{"d":7,"b":2}"#),
    // Defaults where nothing else is left, or was there.
    Row([("a", .drop), ("d", .fallback("7"))], #"{"a":1}"#, #"{"d":7}"#),
    Row([("a", .drop), ("b", .drop), ("d", .fallback("7"))], "{ \"a\":1, \"b\":2 }", "{\"d\":7  }"),
    Row([("d", .fallback("7")), ("e", .fallback("8"))], "{}", #"{"d":7,"e":8}"#),
    Row([("d", .fallback("7")), ("e", .fallback("8")), ("a", .drop)], #"{"a":1}"#, #"{"d":7,"e":8}"#),
    // Values.
    Row([("a", .replace("null", with: "\"\""))], #"{"a":null,"b":null}"#, #"{"a":"","b":null}"#),
    Row([("a", .replace("null", with: "\"\""))], #"{"a":0}"#, #"{"a":0}"#),
    // Several at one member.
    Row([("a", .rename("z")), ("a", .clamp(2))], #"{"a":9}"#, #"{"z":2}"#),
    Row([("a", .rename("z")), ("a", .drop)], #"{"a":9,"b":1}"#, #"{"b":1}"#),
    Row([("a.x", .clamp(1)), ("a", .drop)], #"{"a":{"x":5},"b":1}"#, #"{"b":1}"#),
    // Inside.
    Row(
      [("messages[].name", .drop)],
      #"{"messages":[{"role":"user","name":"x","content":"y"},{"name":"z"},7,{"role":"a"},[{"name":1}]],"name":2}"#,
      #"{"messages":[{"role":"user","content":"y"},{},7,{"role":"a"},[{"name":1}]],"name":2}"#),
    Row([("messages[].name", .drop)], #"{"messages":{"name":1}}"#, #"{"messages":{"name":1}}"#),
    Row([("messages[].name", .drop)], #"{"messages":[]}"#, #"{"messages":[]}"#),
    Row([("messages[].name", .drop)], #"{"messages":[ ]}"#, #"{"messages":[ ]}"#),
    Row(
      [("messages[].content", .replace("null", with: "\"\""))],
      #"{"messages":[{"content":null},{"content":"a"}]}"#,
      #"{"messages":[{"content":""},{"content":"a"}]}"#),
    Row(
      [
        ("tools[].function.parameters.$schema", .drop),
        ("tools[].function.parameters.additionalProperties", .drop),
      ],
      #"{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","$schema":"u","additionalProperties":false}}}]}"#,
      #"{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}"#),
    Row(
      [("tools[].function.parameters", .drop)], #"{"tools":[{"function":{"parameters":{}}}]}"#,
      #"{"tools":[{"function":{}}]}"#),
    Row([("a.b.c", .drop)], #"{"a":{"b":{"c":1}}}"#, #"{"a":{"b":{}}}"#),
    Row([("a.b.c", .drop)], #"{"a":{"b":"c"}}"#, #"{"a":{"b":"c"}}"#),
    Row([("a.b.c", .drop)], #"{"a":null}"#, #"{"a":null}"#),
    Row([("", .drop), ("[]", .drop), ("a[]", .drop)], #"{"a":[1],"b":2}"#, #"{"a":[1],"b":2}"#),
  ])
  func table(_ row: Row) {
    let result = Self.apply(row.edits, row.body)
    #expect(result == row.result)
    #expect(isJSON(result.bytes))
  }

  @Test(arguments: [
    Row([], #"{"model":"a","b":1}"#, #"{"model":"NEW","b":1}"#),
    Row([("b", .drop)], #"{"model":"a","b":1}"#, #"{"model":"NEW"}"#),
    Row([("b", .drop)], #"{"b":1,"model":"a"}"#, #"{"model":"NEW"}"#),
    Row([("b", .drop), ("c", .drop)], #"{"b":1,"model":"a","c":1}"#, #"{"model":"NEW"}"#),
    Row([("model", .replace("\"a\"", with: "\"edit\""))], #"{"model":"a"}"#, #"{"model":"NEW"}"#),
    Row([("model", .rename("engine"))], #"{"model":"a"}"#, #"{"engine":"NEW"}"#),
    Row([("d", .fallback("1"))], #"{"model":"a"}"#, #"{"d":1,"model":"NEW"}"#),
    Row([("d", .fallback("1")), ("b", .drop)], #"{"b":1,"model":"a"}"#, #"{"d":1,"model":"NEW"}"#),
  ])
  func withTheModel(_ row: Row) {
    let result = Self.apply(row.edits, row.body, model: #""NEW""#)
    #expect(result == row.result)
    #expect(isJSON(result.bytes))
  }

  @Test func nothingToDoIsNoSplice() {
    #expect(BodyEdits([]).isEmpty)
    let body = #"{"a":1}"#.bytes
    let edits = BodyEdits([RequestEdit(path: "b", action: .drop), RequestEdit(path: "a", action: .clamp(5))])
    #expect(!edits.isEmpty)
    #expect(edits.splices(of: body.span, adding: nil).isEmpty)
  }
}
