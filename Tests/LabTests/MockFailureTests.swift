import Base
import Foundation
import Kernel
import Lab
import Testing

@Suite struct MockFailureTests {
  private static func bench(_ mode: MockFailure.Mode, _ n: Int = 1) throws -> Bench {
    try Bench { $0.failure = MockFailure(mode, n) }
  }

  @Test(arguments: [
    (MockFailure.Mode.tooManyRequests, 429, "rate_limit_exceeded"), (.serverError, 500, "internal_error"),
    (.unauthorized, 401, "invalid_api_key"),
  ])
  func statuses(mode: MockFailure.Mode, status: Int, code: String) throws {
    let bench = try Self.bench(mode, 3)
    var statuses: [Int] = []
    for _ in 0..<6 { statuses.append(try bench.answer(to: post(chatPath, streamedChat)).status) }
    #expect(statuses == [200, 200, status, 200, 200, status])
    #expect(try bench.answer(to: get("/v1/models")).status == 200)
    #expect(bench.mock.statistics.failed == 2)
    #expect(bench.mock.statistics.completed == 4)
    let always = try Self.bench(mode)
    let answer = try always.answer(to: post(chatPath, plainChat0))
    #expect(object(answer.body)?.at("error.code") as? String == code)
    #expect(answer.field("retry-after") == nil)
  }

  /// As llama.cpp answers while it loads its model, and then it has.
  @Test func loads() throws {
    let bench = try Self.bench(.loading, 2)
    var statuses: [Int] = []
    for _ in 0..<4 { statuses.append(try bench.answer(to: post(chatPath, plainChat0)).status) }
    #expect(statuses == [503, 503, 200, 200])
    let always = try Self.bench(.loading, .max)
    let answer = try always.answer(to: post(chatPath, streamedChat))
    #expect(answer.status == 503)
    #expect(object(answer.body)?.at("error.message") as? String == "Loading model")
    #expect(object(answer.body)?.at("error.code") as? Int == 503)
  }

  @Test func retryAfter() throws {
    let bench = try Bench {
      $0.failure = MockFailure(.tooManyRequests)
      $0.retryAfter = 7
    }
    #expect(try bench.answer(to: post(chatPath, plainChat0)).field("retry-after") == "7")
  }

  @Test func hangs() throws {
    let bench = try Self.bench(.hang)
    let client = try bench.client(post(chatPath, streamedChat))
    try bench.settle()
    client.read()
    #expect(client.received.isEmpty && client.end == .open)
    #expect(bench.mock.nextDeadline == nil)
    client.leave()
    try bench.settle()
    #expect(bench.mock.statistics.cancelled == 1)
  }

  @Test func errorInside200() throws {
    let bench = try Self.bench(.errorIn200)
    let plain = try bench.answer(to: post(chatPath, plainChat0))
    #expect(plain.status == 200 && object(plain.body)?["error"] != nil)
    let stream = try bench.answer(to: post(chatPath, streamedChat))
    #expect(stream.status == 200 && stream.isWhole)
    #expect(stream.events.count == 1)
    #expect(object(stream.events.first ?? "")?["error"] != nil)
  }

  @Test func emptyStream() throws {
    let bench = try Self.bench(.emptyStream)
    let stream = try bench.answer(to: post(chatPath, streamedChat))
    #expect(stream.status == 200 && stream.isWhole && stream.body.isEmpty)
    let plain = try bench.answer(to: post(chatPath, plainChat0))
    #expect(plain.status == 200 && plain.isWhole && plain.body.isEmpty)
  }

  @Test(arguments: [plainChat, streamedChat])
  func truncates(body: String) throws {
    let bench = try Self.bench(.truncate)
    let client = try bench.client(post(chatPath, body))
    try bench.drive(client) { $0.end != .open }
    #expect(client.end == .closed)
    let answer = client.takeAnswer()
    #expect(answer.status == 200 && !answer.isWhole && !answer.body.isEmpty)
    #expect(bench.mock.statistics.failed == 1)
  }

  @Test(arguments: [1, 3])
  func resetsAfterChunks(n: Int) throws {
    let bench = try Bench {
      $0.failure = MockFailure(.resetAfterChunks, n)
      $0.listen = .tcp(host: "127.0.0.1", port: 0)
      $0.gap = .milliseconds(1)
    }
    let client = try bench.client(post(chatPath, streamedChat))
    // Over TCP what is sent arrives a little later, so this waits for it.
    while client.end == .open {
      if let next = bench.mock.nextDeadline { bench.now = max(bench.now, next) }
      try bench.mock.turn(now: bench.now)
      client.read()
    }
    #expect(client.end == .reset)
    let answer = client.takeAnswer()
    #expect(!answer.isWhole)
    #expect(answer.events.count == n + 1)
    #expect(bench.mock.statistics.failed == 1)
  }

  @Test func refusesAfter() throws {
    let bench = try Self.bench(.refuseAfter, 2)
    let idle = try bench.client(get("/v1/models"))
    try bench.drive(idle) { $0.hasAnswer }
    let client = try bench.client(post(chatPath, plainChat0))
    try bench.drive(client) { $0.hasAnswer }
    #expect(client.takeAnswer().status == 200)
    client.send(post(chatPath, plainChat0))
    try bench.drive(client) { $0.end == .closed }
    #expect(client.takeAnswer().status == 200)
    idle.read()
    #expect(idle.end != .open)
    #expect(throws: KernelFault.self) { try Client(bench.mock.address) }
  }
}
