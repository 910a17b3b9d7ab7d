import Base
import Testing
import Wire

@testable import Batch

@Suite struct BatchItemTests {
  private static func read(_ text: String) -> (BatchItem?, String) {
    var probe = JSONProbe()
    let bytes = Array(text.utf8)
    do throws(BatchItem.Mistake) {
      return (try BatchItem(bytes.span, &probe), "")
    } catch {
      return (nil, "\(error.offset): \(error.text)")
    }
  }

  @Test func takesALineApart() throws {
    let text = #"{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x"}}"#
    let item = try #require(Self.read(text).0)
    let bytes = Array(text.utf8)
    #expect(String(decoding: bytes[item.name], as: UTF8.self) == "\"a\"")
    #expect(String(decoding: bytes[item.path], as: UTF8.self) == "/v1/embeddings")
    #expect(String(decoding: bytes[item.body], as: UTF8.self) == #"{"model":"m","input":"x"}"#)
  }

  @Test func aNameIsOneHoweverItIsEscaped() throws {
    let tail = #","method":"POST","url":"/v1/x","body":{"model":"m"}}"#
    let plain = try #require(Self.read(#"{"custom_id":"a/b""# + tail).0)
    let escaped = try #require(Self.read(#"{"custom_id":"\u0061\/b""# + tail).0)
    let other = try #require(Self.read(#"{"custom_id":"a/c""# + tail).0)
    #expect(plain.key == escaped.key)
    #expect(plain.key != other.key)
    #expect(plain.model == other.model)
  }

  @Test(arguments: [
    ("{", "1: unexpected end"),
    ("[]", "0: the line is not a JSON object"),
    (#"{"method":"POST"}"#, "0: `custom_id` is missing, or is no string"),
    (#"{"custom_id":7}"#, "13: `custom_id` is missing, or is no string"),
    (#"{"custom_id":""}"#, "13: `custom_id` is empty"),
    (#"{"custom_id":"a","method":"GET"}"#, "26: `method` is not POST"),
    (#"{"custom_id":"a","method":"POST"}"#, "0: `url` is missing, or is no string"),
    (
      #"{"custom_id":"a","method":"POST","url":"https://x/v1"}"#,
      "39: `url` is not a path such as /v1/chat/completions"
    ),
    (
      #"{"custom_id":"a","method":"POST","url":"/v1/a b"}"#,
      "39: `url` is not a path such as /v1/chat/completions"
    ),
    (
      #"{"custom_id":"a","method":"POST","url":"/v1/a\r\nX: y"}"#,
      "39: `url` is not a path such as /v1/chat/completions"
    ),
    (#"{"custom_id":"a","method":"POST","url":"/v1/x"}"#, "0: `body` is missing, or is no object"),
    (#"{"custom_id":"a","method":"POST","url":"/v1/x","body":[]}"#, "54: `body` is missing, or is no object"),
    (#"{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}"#, "54: `body` names no `model`"),
    (
      #"{"custom_id":"a","method":"POST","url":"/v1/x","body":{"model":"m","stream":true}}"#,
      "76: an answer cannot be streamed into a file: leave `stream` out"
    ),
  ])
  func mistakes(_ line: String, _ said: String) {
    #expect(Self.read(line).1 == said)
  }
}

@Suite struct LineIndexTests {
  private static func key(_ n: UInt64) -> Fingerprint {
    var hash = KeyedHash(key: KeyedHash.Key(first: 1, second: 2))
    hash.absorb(word: n)
    return hash.finish()
  }

  @Test func knowsEachLineOnce() {
    var index = LineIndex()
    for n in 0..<5000 as Range<UInt64> {
      let isNew = index.insert(Self.key(n))
      let isNewAgain = index.insert(Self.key(n / 2))
      #expect(isNew && !isNewAgain)
    }
    #expect(index.count == 5000 && index.answered == 0)
    for n in stride(from: 0, to: 5000, by: 3) as StrideTo<UInt64> {
      let marked = index.mark(Self.key(n))
      let again = index.mark(Self.key(n))
      #expect(marked == .marked && again == .twice)
    }
    let unknown = index.mark(Self.key(9999))
    #expect(unknown == .unknown)
    for n in 0..<5000 as Range<UInt64> { #expect(index.isAnswered(Self.key(n)) == (n % 3 == 0)) }
    #expect(index.answered == 1667)
  }
}

@Suite struct BatchQueueTests {
  private static func ask(_ n: Int, due: Int64) -> BatchAsk {
    BatchAsk(
      place: LinePlace(number: n, offset: Int64(n), length: 1), model: Fingerprint(high: 1, low: 1),
      due: Instant(nanoseconds: due))
  }

  @Test func givesWhatIsDueInTheOrderOfTheFile() {
    var queue = BatchQueue()
    for (n, due) in [(3, 10), (1, 20), (2, 10), (4, 30)] { queue.add(Self.ask(n, due: Int64(due))) }
    #expect(queue.next == Instant(nanoseconds: 10))
    let early = queue.takeDue(Instant(nanoseconds: 9))
    #expect(early == nil)
    var order: [Int] = []
    while let ask = queue.takeDue(Instant(nanoseconds: 20)) { order.append(ask.place.number) }
    #expect(order == [1, 2, 3])
    #expect(queue.count == 1)
  }

  @Test func aWaitIsTheModels() {
    var queue = BatchQueue()
    let model = Fingerprint(high: 7, low: 7)
    let now = Instant(nanoseconds: 100)
    queue.holdBack(model, until: now + .seconds(1), now: now)
    #expect(queue.heldBackUntil(model, now: now) == now + .seconds(1))
    #expect(queue.heldBackUntil(model, now: now + .seconds(1)) == nil)
    #expect(queue.heldBackUntil(Fingerprint(high: 8, low: 7), now: now) == nil)
    for n in 0..<UInt64(Limits.batchModels + 5) {
      queue.holdBack(Fingerprint(high: 100 + n, low: 0), until: now + .seconds(9), now: now)
    }
    #expect(queue.heldBackUntil(model, now: now) == nil)
  }
}

extension BatchAsk: Equatable {
  public static func == (a: BatchAsk, b: BatchAsk) -> Bool { a.place == b.place }
}
