import Testing

@testable import HTTP2

/// A server's sessions make their frames in one buffer, in turns, and each says what it would say alone.
@Suite struct FrameDeskTests {
  /// One connection: its client, its server, and what the client has got.
  private final class Pair {
    let client = HTTP2Session()!
    let server: HTTP2Session
    let letter: UInt8
    let fields: Int
    let body: [UInt8]
    var head: [UInt8]
    var toClient: [UInt8] = []
    var gotHead: [UInt8] = []
    var gotBody: [UInt8] = []
    var hasEnded = false

    /// `fields`: of 1000 bytes each, so that seventeen are more than a frame, of letters that RFC 7541 has no short code for.
    init(_ letter: Character, at desk: FrameDesk, fields: Int) {
      server = HTTP2Session(answering: 32 * 1024, at: desk)!
      self.letter = letter.asciiValue!
      self.fields = fields
      body = [UInt8](repeating: self.letter, count: 100_000)
      head = Array("HTTP/1.1 200 OK\r\n".utf8)
      for number in 0..<fields {
        head += Array("x-\(number): \(String(repeating: letter, count: 1000))\r\n".utf8)
      }
      head += Array("\r\n".utf8)
      var request = Array(":method: GET\r\n:scheme: http\r\n:path: /\r\n:authority: a\r\n".utf8)
      _ = request.withUnsafeMutableBytes { client.submit(tag: 0, head: $0, body: []) }
    }

    /// What the client says goes to the server, which answers as soon as it is asked.
    func ask() {
      var said: [UInt8] = []
      while let bytes = client.output() { said += bytes }
      said.withUnsafeBytes {
        server.receive($0)
        while let event = server.nextEvent() {
          guard event.fact == .head else { continue }
          head.withUnsafeMutableBytes { server.answer(event.stream, head: $0, bare: false) }
        }
      }
    }

    /// One piece of what the server says next; false: there is none.
    func sayPiece() -> Bool {
      body.withUnsafeBytes { server.lend(UnsafeRawBufferPointer(rebasing: $0[sent...]), to: 1, ends: true) }
      let piece = server.output()
      if let piece { toClient += piece }
      sent += server.takeBack(of: 1).count
      return piece != nil
    }
    private var sent = 0

    func hear() {
      toClient.withUnsafeBytes {
        client.receive($0)
        while let event = client.nextEvent() {
          if event.fact == .head { gotHead += event.bytes }
          if event.fact == .data { gotBody += event.bytes }
          if event.fact == .end { hasEnded = true }
        }
      }
    }
  }

  @Test func sessionsThatTakeTurnsDoNotMixTheirFrames() {
    let desk = FrameDesk()
    let pairs = [
      Pair("a", at: desk, fields: 0), Pair("~", at: desk, fields: 30), Pair("^", at: desk, fields: 30),
    ]
    for pair in pairs { pair.ask() }
    var isSomebodySpeaking = true
    while isSomebodySpeaking {
      isSomebodySpeaking = false
      for pair in pairs where pair.sayPiece() { isSomebodySpeaking = true }
    }
    for pair in pairs {
      pair.hear()
      #expect(!pair.client.isBroken)
      #expect(pair.hasEnded)
      #expect(pair.gotBody == pair.body)
      #expect(pair.gotHead.count { $0 == pair.letter } >= pair.fields * 1000)
    }
  }

  @Test func theDeskIsThereForAsLongAsASession() {
    var pair: Pair? = Pair("a", at: FrameDesk(), fields: 1)
    pair?.ask()
    while pair?.sayPiece() == true {}
    pair?.hear()
    #expect(pair?.hasEnded == true)
    pair = nil
  }
}
