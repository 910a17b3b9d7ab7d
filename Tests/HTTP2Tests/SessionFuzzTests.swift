import Base
import CNghttp2
import TestSupport
import Testing

@testable import HTTP2

/// Hears a session as its owner does, and holds it to what it promises: a stream begins once, nothing comes behind its
/// end, it ends once; bytes lie where they should; nothing grows.
private final class Owner {
  let session: HTTP2Session
  var random: SeededRandom
  /// Answers, resets and reads as it likes; else it only takes what comes, so that the same bytes bring the same.
  let isLively: Bool
  private enum Stage { case begun, ended, over }
  private var stages: [Int32: Stage] = [:]
  private var body: [UInt8]
  private var owed: [Int32: Int] = [:]
  private(set) var said = ""
  private(set) var faults: [String] = []
  private(set) var heads = 0

  init(_ session: HTTP2Session, seed: Int, isLively: Bool) {
    self.session = session
    random = SeededRandom(UInt64(seed) &+ 17)
    self.isLively = isLively
    body = [UInt8](repeating: 0x62, count: 3000)
  }

  private func fault(_ text: String) { faults.append(text) }

  /// Streams that we have begun.
  func began(_ stream: Int32) { stages[stream] = .begun }

  func hear(_ bytes: UnsafeRawBufferPointer) {
    if session.isBroken { return }
    session.receive(bytes)
    takeEvents(bytes)
    if isLively, random.below(4) > 0 { send() }
  }

  func send() {
    var count = 0
    while !session.isBroken, let bytes = session.output() {
      count += bytes.count
      if count > 1 << 20 { return fault("it has ever more to say") }
    }
    for stream in stages.keys { _ = session.takeBack(of: stream) }
    takeEvents(UnsafeRawBufferPointer(start: nil, count: 0))
  }

  private func takeEvents(_ given: UnsafeRawBufferPointer) {
    while let event = session.nextEvent() {
      take(event, given)
      if session.session.pointee.text_room > Limits.upstreamHead * 5 { fault("heads grow") }
    }
    if session.session.pointee.room > 64 { fault("the list of events stays") }
    if session.streamCount > Limits.clientStreams { fault("\(session.streamCount) streams") }
  }

  private func take(_ event: HTTP2Event, _ given: UnsafeRawBufferPointer) {
    let stage = stages[event.stream]
    if stage == .over { fault("\(event.fact) of \(event.stream), which was over") }
    switch event.fact {
    case .head, .openHead, .headTooLong:
      heads += 1
      if stage == .ended { fault("a head behind the end of \(event.stream)") }
      if event.bytes.count > Limits.upstreamHead { fault("a head of \(event.bytes.count) bytes") }
      stages[event.stream] = .begun
      let sum = event.bytes.reduce(0) { $0 &* 31 &+ Int($1) }
      said += "\n\(event.stream) \(event.fact) \(sum)"
      if isLively { answer(event.stream) }
    case .data:
      if stage != .begun { fault("data of \(event.stream)") }
      let start = event.bytes.baseAddress!
      if start < given.baseAddress! || start + event.bytes.count > given.baseAddress! + given.count {
        fault("data that was not given")
      }
      said += "\n\(event.stream) " + String(repeating: "x", count: event.bytes.count)
      session.tookIn(event.bytes.count)
      if !isLively || random.below(3) > 0 {
        session.passedOn(event.bytes.count, of: event.stream)
      } else {
        owed[event.stream, default: 0] += event.bytes.count
      }
    case .end:
      if stage != .begun { fault("an end of \(event.stream)") }
      stages[event.stream] = .ended
      said += "\n\(event.stream) end"
    case .closed(let code):
      stages[event.stream] = .over
      said += "\n\(event.stream) closed \(code)"
    case .goAway: said += "\ngoAway"
    }
  }

  private func answer(_ stream: Int32) {
    switch random.below(5) {
    case 0: session.reset(stream, [.noError, .internalError, .refusedStream, .cancel][random.below(4)])
    case 1: break
    default:
      var head = Array("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n".utf8)
      let isBare = random.below(4) == 0
      head.withUnsafeMutableBytes { session.answer(stream, head: $0, bare: isBare) }
      session.shareFairly(stream)
      if isBare { return }
      let (count, ends) = (random.below(body.count), random.below(2) == 0)
      // Lifetime: `send` takes the loan back, and nothing changes `body`.
      body.withUnsafeBytes { bytes in
        session.lend(UnsafeRawBufferPointer(rebasing: bytes[..<count]), to: stream, ends: ends)
      }
    }
  }

  /// What came, however its bytes were cut: pieces of one body are one.
  var story: [Substring] {
    var lines: [Substring] = []
    for line in said.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, words[1].hasPrefix("x"), let last = lines.last?.split(separator: " "),
        last.count == 2, last[0] == words[0], last[1].hasPrefix("x")
      {
        lines[lines.count - 1] += words[1]
      } else {
        lines.append(line)
      }
    }
    return lines
  }
}

/// Whatever comes on an HTTP/2 connection, from either side: no trap, no growth, and each stream ends once.
@Suite struct SessionFuzzTests {
  private static func hear(_ bytes: [UInt8], by owner: Owner, pieces: [Int]) {
    bytes.withUnsafeBytes { all in
      var at = 0
      var index = 0
      while at < all.count {
        let count = min(pieces[index % pieces.count], all.count - at)
        owner.hear(UnsafeRawBufferPointer(rebasing: all[at..<(at + count)]))
        at += count
        index += 1
      }
    }
  }

  private static func pieces(_ random: inout SeededRandom) -> [Int] {
    // Of single bytes nghttp2 takes the head of one CONTINUATION for many.
    (0..<7).map { _ in 2 + random.below([1, 9, 100, 2000][random.below(4)]) }
  }

  private static func client() -> (HTTP2Session, [Int32]) {
    let session = HTTP2Session()!
    var streams: [Int32] = []
    for tag in Conversation.asked.indices {
      var head = Array(":method: POST\r\n:scheme: http\r\n:path: /\r\n:authority: a\r\n".utf8)
      head.withUnsafeMutableBytes {
        streams.append(session.submit(tag: UInt32(tag), head: $0, body: [])!)
      }
    }
    while session.output() != nil {}
    return (session, streams)
  }

  @Test(arguments: 0..<24) func aServerSurvives(_ seed: Int) {
    for round in 0..<40 {
      var talk = Conversation(seed: seed * 1000 + round, isServer: false)
      let bytes = talk.bytes(4 + talk.random.below(200))
      let owner = Owner(HTTP2Session(answering: 32 * 1024, at: FrameDesk())!, seed: round, isLively: true)
      Self.hear(bytes, by: owner, pieces: Self.pieces(&talk.random))
      owner.send()
      #expect(owner.faults.isEmpty, "seed \(seed) round \(round)")
      if !owner.faults.isEmpty { return }
    }
  }

  @Test(arguments: 0..<24) func aClientSurvives(_ seed: Int) {
    for round in 0..<40 {
      var talk = Conversation(seed: seed * 1000 + round, isServer: true)
      let bytes = talk.bytes(4 + talk.random.below(100))
      let (session, streams) = Self.client()
      let owner = Owner(session, seed: round, isLively: false)
      for stream in streams { owner.began(stream) }
      Self.hear(bytes, by: owner, pieces: Self.pieces(&talk.random))
      owner.send()
      #expect(owner.faults.isEmpty, "seed \(seed) round \(round)")
      if !owner.faults.isEmpty { return }
    }
  }

  /// However they are cut, the same bytes say the same.
  @Test(arguments: [false, true], 0..<12) func cutsDoNotMatter(_ isServer: Bool, _ seed: Int) {
    var heads = 0
    for round in 0..<30 {
      var talk = Conversation(seed: seed * 1000 + round, isServer: isServer)
      let bytes = talk.bytes(4 + talk.random.below(100))
      let stories = [[bytes.count], Self.pieces(&talk.random)].map { pieces in
        let session = isServer ? Self.client().0 : HTTP2Session(answering: 32 * 1024, at: FrameDesk())!
        let owner = Owner(session, seed: 0, isLively: false)
        if isServer { for stream in Conversation.asked { owner.began(Int32(stream)) } }
        Self.hear(bytes, by: owner, pieces: pieces)
        #expect(owner.faults.isEmpty, "seed \(seed) round \(round)")
        heads += owner.heads
        return owner.story
      }
      #expect(stories[0] == stories[1], "seed \(seed) round \(round)")
      if stories[0] != stories[1] { return }
    }
    #expect(heads > 300)
  }

  /// A few bytes that stand for many large heads: those that were not taken are not made yet.
  @Test func headsDoNotPileUp() {
    let session = HTTP2Session(answering: 32 * 1024, at: FrameDesk())!
    let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")].flatMap {
      Conversation.field($0.0, Array($0.1.utf8))
    }
    var bytes = Conversation.preface + Conversation.frame(4, 0, 0, [])
    let large = Conversation.field("x", [UInt8](repeating: 0x79, count: 4000), isIndexed: true)
    bytes += Conversation.frame(1, 5, 1, get + large)
    for stream in 1..<UInt32(Limits.clientStreams) {
      bytes += Conversation.frame(1, 5, stream * 2 + 1, get + [UInt8](repeating: 0xbe, count: 7))
    }
    var heads = 0
    bytes.withUnsafeBytes { all in
      session.receive(all)
      while let event = session.nextEvent() {
        if event.fact == .head {
          heads += 1
          #expect(event.bytes.count == (heads == 1 ? 4059 : 28_089))
        }
        #expect(session.session.pointee.text_room < 200 * 1024)
      }
    }
    #expect(heads == Limits.clientStreams && session.streamCount == heads)
    #expect(session.session.pointee.text_room == 0)
  }
}
