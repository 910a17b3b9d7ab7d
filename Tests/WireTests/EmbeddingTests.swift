import Base
import Testing
import Wire

/// Requests for embeddings that go as one list, and what each gets of the answer.
@Suite struct EmbeddingTests {
  private static func probe(_ text: String) throws -> (JSONProbe, [UInt8]) {
    let bytes = Array(text.utf8)
    var probe = JSONProbe()
    try probe.scan(bytes.span)
    return (probe, bytes)
  }

  @Test(
    arguments: [
      (#"{"input":"one","model":"m"}"#, .text, #""one""#, 3),
      (#"{"input": [ "one" ] }"#, .text, #""one""#, 3),
      (#"{"input":"\u0061é\\"}"#, .text, #""\u0061é\\""#, 10),
      (#"{"input":[1, 2,3]}"#, .tokens, "[1, 2,3]", 3),
      (#"{"input":[[1,2]]}"#, .tokens, "[1,2]", 2),
      (#"{"input":[7]}"#, .tokens, "[7]", 1),
      (#"{"\u0069nput":"x"}"#, .text, #""x""#, 1),
    ] as [(String, EmbeddingInput.Form, String, Int)])
  func oneInput(_ body: String, _ form: EmbeddingInput.Form, _ value: String, _ weight: Int) throws {
    let (probe, bytes) = try Self.probe(body)
    guard let input = EmbeddingInput(probe, in: bytes.span) else {
      Issue.record("it is one input")
      return
    }
    #expect(input.form == form)
    #expect(String(decoding: bytes[input.value], as: UTF8.self) == value)
    #expect(input.weight == weight)
    #expect(input.member.lowerBound <= input.value.lowerBound)
    #expect(input.member.upperBound >= input.value.upperBound)
  }

  @Test(arguments: [
    "{}", #"{"input":""}"#, #"{"input":[""]}"#, #"{"input":[]}"#, #"{"input":[[]]}"#, #"{"input":["a","b"]}"#,
    #"{"input":[[1],[2]]}"#, #"{"input":[1,"a"]}"#, #"{"input":["a",1]}"#, #"{"input":[1,[2]]}"#,
    #"{"input":null}"#, #"{"input":7}"#, #"{"input":{"text":"a"}}"#, #"{"input":[{"image":"a"}]}"#,
    #"{"input":"a","input":"b"}"#, #"{"input":"a","Input":"b"}"#, #"["input"]"#,
  ])
  func notOneInput(_ body: String) throws {
    let (probe, bytes) = try Self.probe(body)
    #expect(EmbeddingInput(probe, in: bytes.span) == nil)
  }

  /// Requests that differ in their input only are the same.
  @Test(
    arguments: [
      (#"{"input":"a","model":"m"}"#, #"{"input":"b","model":"m"}"#, true),
      (#"{"input":"a","model":"m"}"#, #"{ "model":"m" , "input": ["bb"]}"#, true),
      (#"{"input":"a","model":"m"}"#, #"{"input":"a","model":"n"}"#, false),
      (#"{"input":"a","model":"m"}"#, #"{"input":"a","model":"m","dimensions":3}"#, false),
      (#"{"input":"a","user":"u"}"#, #"{"input":"a","user":"v"}"#, false),
      (#"{"input":"a"}"#, #"{"inputs":"a"}"#, false),
    ] as [(String, String, Bool)])
  func sameButForTheInput(_ one: String, _ other: String, _ isSame: Bool) throws {
    func key(_ body: String) throws -> Fingerprint? {
      let (probe, bytes) = try Self.probe(body)
      var key = RequestKey(
        key: KeyedHash.Key(first: 1, second: 2), endpoint: "embeddings", query: Span(), isStream: false)
      key.omit("input")
      let print = key.finish(bytes.span, probe)
      return print
    }
    let (first, second) = (try key(one), try key(other))
    #expect(first != nil && (first == second) == isSame)
  }

  private static func parts(_ answer: String, _ weights: [Int]) throws -> [String] {
    let bytes = Array(answer.utf8)
    var probe = AnswerProbe()
    probe.read(bytes.span)
    let whole: EmbeddingAnswer = try probe.embeddings(in: bytes.span, weights: weights)
    return weights.indices.map { place in
      var out = ByteBuffer()
      whole.write(place, of: bytes.span, into: &out)
      return out.withBytes { $0.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) } }
    }
  }

  /// Each number as the provider wrote it, order by `index`, whatever else there is around it.
  @Test func parts() throws {
    let answer = """
      { "usage" : {"prompt_tokens": 10,"total_tokens":11, "cost":1.5e-7, "details":{"text":3}},\r
       "data" : [ {"index":1, "embedding":[-0.0010, 1E-9,0.30000000000000004],"object":"embedding"} ,
       {"object":"embedding","embedding":"AAC/vw==","index" : 0}], "model":"m-1","object":"list","id":"\\u00e9" }
      """
    let parts = try Self.parts(answer, [1, 3])
    #expect(
      parts[0] == """
        { "usage" : {"prompt_tokens": 2,"total_tokens":2, "cost":1.5e-7, "details":{"text":0}},\r
         "data" : [{"object":"embedding","embedding":"AAC/vw==","index" : 0}], "model":"m-1","object":"list","id":"\\u00e9" }
        """)
    #expect(
      parts[1] == """
        { "usage" : {"prompt_tokens": 8,"total_tokens":9, "cost":1.5e-7, "details":{"text":3}},\r
         "data" : [{"index":0, "embedding":[-0.0010, 1E-9,0.30000000000000004],"object":"embedding"}], "model":"m-1","object":"list","id":"\\u00e9" }
        """)
  }

  @Test(
    arguments: [
      (#"{"data":[{"index":0,"embedding":[1]}]}"#, .wrongCount),
      (#"{"data":[]}"#, .wrongCount),
      (#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#, .wrongIndex),
      (#"{"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]}"#, .wrongIndex),
      (#"{"data":[{"index":0,"embedding":[1]},{"index":-1,"embedding":[1]}]}"#, .wrongIndex),
      (#"{"data":[{"index":0,"embedding":[1]},{"embedding":[1]}]}"#, .wrongIndex),
      (#"{"data":[{"index":0,"embedding":[1]},{"index":0,"index":1,"embedding":[1]}]}"#, .wrongIndex),
      (#"{"data":[{"index":0,"embedding":[1]},[1]]}"#, .wrongIndex),
      (#"{"data":[{"index":0,"embedding":[1]},{"index":1}]}"#, .noEmbedding),
      (#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[]}]}"#, .noEmbedding),
      (#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":null}]}"#, .noEmbedding),
      (#"{"data":{"index":0}}"#, .notAList), (#"{"object":"list"}"#, .notAList), ("[]", .notAList),
      (#"{"Data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}]}"#, .notAList),
      (#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}],"data":[]}"#, .notAList),
      (#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}],"texts":["a","b"]}"#, .notAList),
      (
        #"{"x":"\#(String(repeating: "y", count: Limits.gatheredRest))","data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}]}"#,
        .tooMuchBeside
      ),
    ] as [(String, EmbeddingAnswer.Fault)])
  func noAnswerToTheList(_ answer: String, _ fault: EmbeddingAnswer.Fault) {
    #expect(throws: fault) { try Self.parts(answer, [1, 1]) }
  }

  /// However a list of inputs is made up, each part is what the input alone would have got, and the shares are the whole.
  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func partsEqualAnswersAlone(_ seed: UInt64) throws {
    var state = seed
    func below(_ n: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % n
    }
    let count = 1 + below(70)
    let weights = (0..<count).map { _ in 1 + below(below(3) == 0 ? 30_000 : 40) }
    func element(_ n: Int, index: Int) -> String {
      let text = #""embedding":\#(n % 2 == 0 ? "[0.\(n)1,-\(n)e-3]" : "\"b\(n)==\"")"#
      return n % 3 == 0
        ? #"{"index":\#(index),\#(text)}"# : #"{"object":"embedding",\#(text),"index":\#(index)}"#
    }
    func answer(_ elements: [String], _ tokens: Int64) -> String {
      let usage = #""usage":{"prompt_tokens":\#(tokens),"total_tokens":\#(tokens)}"#
      let data = #""data":[\#(elements.joined(separator: ","))]"#
      return seed % 2 == 0
        ? #"{\#(usage),"object":"list",\#(data)}"# : #"{"object":"list",\#(data),\#(usage)}"#
    }
    let tokens = Int64(below(1_000_000))
    var order = Array(0..<count)
    for n in order.indices { order.swapAt(n, below(count)) }
    let parts = try Self.parts(answer(order.map { element($0, index: $0) }, tokens), weights)
    var shared: Int64 = 0
    for (place, part) in parts.enumerated() {
      var probe = AnswerProbe()
      let bytes = Array(part.utf8)
      probe.read(bytes.span)
      let share = try #require(probe.usage.input).value
      #expect(part == answer([element(place, index: 0)], share))
      let exact = Double(tokens) * Double(weights[place]) / Double(weights.reduce(0, +))
      #expect(abs(Double(share) - exact) <= 1)
      shared += share
    }
    #expect(shared == tokens)
  }

  /// The largest counts that are believed do not overflow.
  @Test func sharesOfTheLargest() throws {
    let most = Limits.quantity
    let answer =
      #"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}],"usage":{"total_tokens":\#(most),"x":\#(Int64.max)}}"#
    let parts = try Self.parts(answer, [1, 1 << 19])
    #expect(parts[0].hasSuffix(#""x":\#(Int64.max)}}"#))
    #expect(parts[1].contains(#""total_tokens":\#(most - most / ((1 << 19) + 1))"#))
  }
}
