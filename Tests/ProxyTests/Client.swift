import Base
import Glibc
import Kernel
import Observability
import Policy
import TestSupport
import Testing
import Upstream

@testable import Downstream
@testable import Proxy

/// A runner without the loop, and clients without sockets: their requests come as heads and bodies, their answers stay
/// in their sinks.
final class Proxying {
  let downstream: Downstream
  let runner: Runner
  private let carrier: Connection
  private let null: Descriptor
  private(set) var now = Moment(
    instant: Instant(nanoseconds: 1_000_000_000), wall: WallTime(milliseconds: 1_800_000_000_000))

  init(_ change: (inout Configuration) -> Void = { _ in }) throws {
    var configuration = Configuration()
    configuration.providers = [provider("near"), provider("far", tier: 1)]
    change(&configuration)
    let poller = try Poller()
    let downstream = Downstream(
      poller: poller, limits: configuration.limits, gate: Gate(configuration, keeping: nil))
    self.downstream = downstream
    null = Descriptor(owning: open("/dev/null", O_WRONLY))
    runner = Runner(
      configuration, downstream: downstream, upstream: try Upstream(UpstreamSettings()),
      log: Log(descriptor: null.raw, settings: LogSettings(), wall: now.wall), seed: 1, secondSeed: 2,
      now: now)
    // It carries streams and says nothing itself.
    carrier = downstream.connections.insert { id in
      Connection(
        id: id, descriptor: Descriptor(owning: open("/dev/null", O_WRONLY)), maximumHead: 1 << 15,
        reach: .loopback, isAdmin: false, gathering: downstream.gathered)
    }!
  }

  /// A client's request, whole; it has been taken.
  func ask(_ method: String, _ path: String, _ fields: String = "", body: String? = nil) throws -> Connection
  {
    let stream = try #require(
      downstream.connections.insert { id in
        Connection(
          id: id, lane: Lane(carrier, Int32(2 * id.slot + 1)), maximumHead: 1 << 15,
          gathering: downstream.gathered)
      })
    let head = ":method: \(method)\r\n:scheme: http\r\n:authority: localhost\r\n:path: \(path)\r\n\(fields)"
    Array(head.utf8).withUnsafeBytes {
      downstream.takeHead($0, isWhole: body == nil, of: stream, now: now.instant)
    }
    if let body {
      Array(body.utf8).withUnsafeBytes { downstream.takeBody($0, of: stream, now: now.instant) }
      downstream.endRequest(stream)
    }
    settle()
    return stream
  }

  /// Tells the runner what has happened to clients.
  func settle() {
    while !downstream.events.isEmpty {
      let events = downstream.events
      downstream.events.removeAll()
      for event in events { runner.take(event, now: now) }
    }
  }

  /// One turn of the loop.
  func turn() {
    runner.doTurn(now)
    settle()
  }

  /// A client takes what its sink has.
  func take(_ stream: Connection) -> String {
    let text = String(decoding: stream.sink.output.waiting, as: UTF8.self)
    stream.sink.output.passed(stream.sink.output.waiting.count)
    downstream.unblocked(stream, now: now.instant)
    settle()
    return text
  }
}

extension Connection {
  /// All of its answer is with its sink.
  var isAnswered: Bool { lane?.isFinished == true }
}
