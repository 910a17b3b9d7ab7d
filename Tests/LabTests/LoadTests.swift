import Base
import Foundation
import Kernel
import Lab
import TestSupport
import Testing

@Suite struct LoadTests {
  /// A load run against a mock, both on this thread; ends when the run does.
  /// Once `stallsAfter` answers are there, the mock does nothing for `stall`.
  private static func run(
    mock change: (inout MockOptions) -> Void = { _ in }, stallsAfter: Int = .max, stall: Interval = .zero,
    load: (inout LoadOptions) -> Void
  ) throws -> (LoadReport, MockStatistics) {
    var mockOptions = MockOptions()
    mockOptions.listen = .unix(path: scratchPath("load"))
    mockOptions.gap = .zero
    mockOptions.chunks = 5
    change(&mockOptions)
    let mock = try MockProvider(mockOptions)
    var options = LoadOptions()
    switch mockOptions.listen {
    case .unix: options.instance = Instance(mockOptions.listen)
    case .tcp(let host, _): options.instance = Instance(.tcp(host: host, port: mock.address.port))
    }
    options.connections = 4
    options.amount = .requests(40)
    load(&options)
    let generator = try LoadGenerator(options)
    let poller = try Poller()
    let events = PolledEvents()
    try poller.add(mock.pollDescriptor, .read, token: Token(bits: 0))
    try poller.add(generator.pollDescriptor, .read, token: Token(bits: 1))
    var goesOnAt: Instant?
    try generator.turn(now: Kernel.Clock.instant())
    while !generator.isFinished {
      let now = Kernel.Clock.instant()
      if goesOnAt == nil, generator.report.completed >= stallsAfter { goesOnAt = now + stall }
      let isStalled = goesOnAt.map { $0 > now } ?? false
      let next = [isStalled ? goesOnAt : mock.nextDeadline, generator.nextDeadline].compactMap { $0 }.min()
      // A stalled mock leaves its descriptor readable: it is not waited for.
      let wait = isStalled ? .milliseconds(1) : next.map { max(.zero, $0 - Kernel.Clock.instant()) }
      try poller.wait(timeout: wait, into: events)
      if !isStalled { try mock.turn(now: Kernel.Clock.instant()) }
      try generator.turn(now: Kernel.Clock.instant())
    }
    return (generator.report, mock.statistics)
  }

  @Test(arguments: [false, true], [false, true])
  func closedLoopCountsEveryAnswer(isStream: Bool, isTCP: Bool) throws {
    let (report, statistics) = try Self.run(
      mock: { if isTCP { $0.listen = .tcp(host: "127.0.0.1", port: 0) } }, load: { $0.stream = isStream })
    #expect(report.completed == 40)
    #expect(report.errors.total == 0)
    #expect(report.total.count == 40)
    #expect(report.firstToken.count == 40)
    // Four warm-up requests are not measured, but sent.
    #expect(statistics.requests == 44)
    #expect(statistics.completed == 44)
    #expect(statistics.connections == 4)
    if isStream {
      #expect(report.events >= 40 * 5)
      #expect(report.gap.count == UInt64(report.events - 40))
    } else {
      #expect(report.events == 0 && report.gap.count == 0)
    }
    #expect(report.elapsed > .zero)
    #expect(!report.wasInterrupted)
  }

  @Test func openLoopSendsWhatIsDue() throws {
    let (report, statistics) = try Self.run { options in
      options.rate = 4_000
      options.amount = .requests(60)
      options.warmUp = 0
      options.stream = true
    }
    #expect(report.completed == 60)
    #expect(report.errors.total == 0)
    #expect(statistics.requests == 60)
  }

  @Test func openLoopMeasuresFromTheMomentARequestWasDue() throws {
    // One connection, answers of 20 ms, requests due every millisecond: the last waits for all before it.
    let (report, _) = try Self.run(
      mock: { $0.think = .milliseconds(20) },
      load: { options in
        options.connections = 1
        options.rate = 1_000
        options.amount = .requests(6)
        options.warmUp = 0
      })
    #expect(report.completed == 6)
    // The k-th answer comes 20 × (k + 1) ms after the start at the earliest, and was due at k ms.
    #expect(report.total.greatest >= .milliseconds(6 * 20 - 5))
    #expect(report.total.least >= .milliseconds(19))
  }

  @Test(arguments: [false, true])
  func aStallShowsInEveryRequestThatWasDueInIt(isStream: Bool) throws {
    // 100 requests, one due every 2 ms. A quarter is answered, then the server does nothing for 100 ms: some 50
    // fall due meanwhile, of which two are under way. All of them are late.
    let (report, _) = try Self.run(
      stallsAfter: 25, stall: .milliseconds(100),
      load: { options in
        options.connections = 2
        options.rate = 500
        options.amount = .requests(100)
        options.stream = isStream
        options.warmUp = 0
      })
    #expect(report.completed == 100)
    // Due k × 2 ms into the stall is late by 100 − 2k ms: 40 requests by 20 ms or more, 25 by 50 ms or more. A
    // slow machine makes more of them late, never fewer.
    for histogram in [report.total, report.firstToken] {
      #expect(histogram.percentile(0.65)! >= .milliseconds(20))
      #expect(histogram.percentile(0.80)! >= .milliseconds(50))
      #expect(histogram.percentile(0.99)! >= .milliseconds(95))
    }
  }

  @Test func aTimedRunEnds() throws {
    let (report, statistics) = try Self.run { options in
      options.amount = .time(.milliseconds(30))
      options.warmUp = 0
    }
    #expect(report.completed > 0)
    #expect(report.completed == statistics.completed)
    #expect(report.errors.total == 0)
  }

  @Test(arguments: [
    (MockFailure(.tooManyRequests, 2), "status"), (MockFailure(.serverError, 2), "status"),
    (MockFailure(.errorIn200, 2), "stream"), (MockFailure(.emptyStream, 2), "stream"),
    (MockFailure(.truncate, 2), "cut"),
  ])
  func failuresAreToldApart(failure: MockFailure, kind: String) throws {
    let (report, statistics) = try Self.run(
      mock: { $0.failure = failure },
      load: { options in
        options.stream = true
        options.warmUp = 0
      })
    #expect(report.finished == 40)
    #expect(report.completed == 20)
    #expect(statistics.failed == 20)
    let errors = report.errors
    #expect((kind == "status" ? errors.status : kind == "stream" ? errors.stream : errors.cut) == 20)
    #expect(report.errorRate == 0.5)
  }

  @Test func hangingAnswersTimeOut() throws {
    let (report, statistics) = try Self.run(
      mock: { $0.failure = MockFailure(.hang) },
      load: { options in
        options.amount = .requests(2)
        options.timeout = .milliseconds(5)
        options.warmUp = 0
      })
    #expect(report.errors.timeout == 2)
    #expect(statistics.requests == 2)
  }

  @Test func nobodyListens() throws {
    let (report, _) = try Self.run { options in
      options.instance = Instance(.unix(path: scratchPath("nobody")))
      options.amount = .requests(3)
    }
    #expect(report.errors.connect == 3)
    #expect(report.completed == 0)
    #expect(report.requestsPerSecond == 0)
  }

  @Test func anotherMachineIsRefusedUnlessPermitted() throws {
    var options = LoadOptions()
    options.instance = Instance(.tcp(host: "192.0.2.1", port: 80))
    let fault = #expect(throws: LoadFault.self) { try LoadGenerator(options) }
    #expect(fault?.text.contains("--allow-remote") == true)
    options.allowRemote = true
    #expect(throws: Never.self) { try LoadGenerator(options) }
  }

  @Test func theReportIsReadableByPeopleAndPrograms() throws {
    let (report, _) = try Self.run { $0.stream = true }
    let text = report.json().withBytes { $0.text }
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(object["requests"] as? Int == 40)
    #expect(object["error_rate"] as? Double == 0)
    for key in ["first_token_ms", "total_ms", "gap_ms"] {
      let part = try #require(object[key] as? [String: Any])
      let p50 = try #require(part["p50"] as? Double)
      let p99 = try #require(part["p99"] as? Double)
      #expect(p50 <= p99)
    }
    let table = report.table().withBytes { $0.text }
    for word in ["requests/s", "p50", "p95", "p99", "first token", "total", "gap", "0.00 %"] {
      #expect(table.contains(word))
    }
    let empty = LoadReport().json().withBytes { $0.text }
    #expect(try JSONSerialization.jsonObject(with: Data(empty.utf8)) is [String: Any])
  }

  @Test func interruptingKeepsWhatThereWas() throws {
    var options = LoadOptions()
    options.instance = Instance(.unix(path: scratchPath("nobody")))
    let generator = try LoadGenerator(options)
    try generator.turn(now: Instant(nanoseconds: 1))
    generator.interrupt(Instant(nanoseconds: 2))
    #expect(generator.isFinished && generator.report.wasInterrupted)
    #expect(generator.report.table().withBytes { $0.hasPrefix("interrupted") })
  }
}
