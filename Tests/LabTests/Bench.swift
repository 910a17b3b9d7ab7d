import Base
import Glibc
import Kernel
import Lab
import TestSupport

struct Stuck: Error {}

/// A mock provider and its clients on one thread. The mock's time is the test's: it jumps to the next deadline
/// when nothing else is to be done. The sockets are unix ones, since what is sent there has arrived.
final class Bench {
  let mock: MockProvider
  var now = Instant(nanoseconds: 1_000_000_000)
  private let poller: Poller
  private let events = PolledEvents()
  private var clients: [Client] = []

  init(_ change: (inout MockOptions) -> Void = { _ in }) throws {
    var options = MockOptions()
    options.listen = .unix(path: scratchPath("mock"))
    options.gap = .zero
    options.chunks = 4
    change(&options)
    mock = try MockProvider(options)
    poller = try Poller()
    try poller.add(mock.pollDescriptor, .read, token: Token(kind: 0, slot: 0))
  }

  func client(_ text: String = "") throws -> Client {
    let client = try Client(mock.address)
    if !text.isEmpty { client.send(text) }
    return client
  }

  /// Lets the mock do what it can without the passing of time.
  func settle() throws {
    repeat {
      try mock.turn(now: now)
      for client in clients { client.read() }
      try poller.wait(timeout: .zero, into: events)
    } while events.count > 0
  }

  /// Lets the mock's time pass to its next deadline.
  func advance() throws {
    guard let next = mock.nextDeadline else { throw Stuck() }
    now = max(now, next)
    try settle()
  }

  /// Goes on, time passing, until `done`.
  func drive(_ client: Client, until done: (Client) -> Bool) throws {
    try settle()
    client.read()
    while !done(client) {
      if mock.nextDeadline == nil {
        try settle()
        client.read()
        if done(client) { return }
        throw Stuck()
      }
      try advance()
      client.read()
    }
  }

  /// One request on a connection of its own, to the end of its answer.
  func answer(to text: String) throws -> Answer {
    let client = try client(text)
    try drive(client) { $0.hasAnswer || $0.end != .open }
    return client.takeAnswer()
  }
}

struct Answer: Equatable {
  var status = 0
  var head = ""
  var body = ""
  var isWhole = false

  func field(_ name: String) -> String? {
    for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix(name + ": ") {
      return String(line.dropFirst(name.utf8.count + 2))
    }
    return nil
  }

  /// The payloads of an event stream's `data:` lines.
  var events: [String] {
    body.split(separator: "\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
  }
}

final class Client {
  enum End { case open, closed, reset }
  private var descriptor: Int32
  private(set) var received: [UInt8] = []
  private(set) var end = End.open

  init(_ address: SocketAddress) throws { descriptor = try Socket.connect(to: address).take() }
  deinit { leave() }

  func leave() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) {
    let n = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    precondition(n == bytes.count, "the tests' requests fit into a socket's buffer")
  }

  func read() {
    if end != .open || descriptor < 0 { return }
    var buffer = ByteBuffer()
    while true {
      switch Socket.receive(descriptor, into: &buffer, room: 1 << 16) {
      case .received:
        buffer.withBytes { bytes in for i in 0..<bytes.count { received.append(bytes[i]) } }
        buffer.removeAll()
      case .wouldBlock: return
      case .endOfStream:
        end = .closed
        return
      case .reset:
        end = .reset
        return
      }
    }
  }

  var hasAnswer: Bool { parse()?.0.isWhole ?? false }

  /// The first answer that was received, as far as it has come; it is taken away.
  func takeAnswer() -> Answer {
    guard let (answer, length) = parse() else { return Answer() }
    received.removeFirst(length)
    return answer
  }

  private func parse() -> (Answer, Int)? {
    let mark: [UInt8] = Array("\r\n\r\n".utf8)
    guard received.count >= 4,
      let start = (0...received.count - 4).first(where: { Array(received[$0..<$0 + 4]) == mark })
    else { return nil }
    var answer = Answer()
    answer.head = String(decoding: received[..<start], as: UTF8.self)
    answer.status = Int(answer.head.dropFirst(9).prefix(3)) ?? 0
    var at = start + 4
    if answer.status == 100 {
      answer.isWhole = true
      return (answer, at)
    }
    if let length = answer.field("content-length").flatMap({ Int($0) }) {
      let end = min(at + length, received.count)
      answer.body = String(decoding: received[at..<end], as: UTF8.self)
      answer.isWhole = end == at + length
      return (answer, end)
    }
    var body: [UInt8] = []
    while let line = received[at...].firstIndex(of: 13), line + 1 < received.count {
      let size = Int(String(decoding: received[at..<line], as: UTF8.self), radix: 16) ?? 0
      at = line + 2
      if size == 0 {
        answer.isWhole = at + 2 <= received.count
        at = min(at + 2, received.count)
        break
      }
      let end = min(at + size, received.count)
      body += received[at..<end]
      at = min(end + 2, received.count)
    }
    answer.body = String(decoding: body, as: UTF8.self)
    return (answer, at)
  }
}

/// A POST as a client would send it.
func post(_ path: String, _ body: String, headers: String = "") -> String {
  "POST \(path) HTTP/1.1\r\nHost: mock\r\n\(headers)Content-Type: application/json\r\n"
    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: mock\r\n\r\n" }

let plainChat = #"{"model":"m","messages":[{"role":"user","content":"hi \"stream\": true"}]}"#
let streamedChat = #"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#
let chatPath = "/v1/chat/completions"
