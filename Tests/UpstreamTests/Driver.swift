import Base
import Glibc
import Testing
import Upstream

/// The owner of an Upstream: a loop over poll(2) that keeps to the contract of `WatchChange` to the letter.
final class Driver {
  let upstream: Upstream
  private(set) var watched: [Int32: WatchInterest] = [:]
  private(set) var changes: [WatchChange] = []
  private var alarm: Instant?
  private(set) var log: [TransferEvent] = []
  /// Bodies that transfers read from. Freed with the driver.
  private var bodies: [UnsafeMutableRawBufferPointer] = []

  init(_ settings: UpstreamSettings = UpstreamSettings()) throws { upstream = try Upstream(settings) }
  /// One that trusts a test's own certificate; nil: the system's.
  convenience init(trusting certificate: Certificate?) throws {
    var settings = UpstreamSettings()
    settings.extraCertificateFile = certificate?.file
    try self.init(settings)
  }
  deinit { for body in bodies { body.deallocate() } }

  static var now: Instant {
    var t = timespec()
    clock_gettime(CLOCK_MONOTONIC, &t)
    return Instant(nanoseconds: Int64(t.tv_sec) * 1_000_000_000 + Int64(t.tv_nsec))
  }

  func target(_ url: String, connectTimeout: Interval = .seconds(5)) -> TargetID {
    var target = TransferTarget(url: url, headerLines: ["Authorization: Bearer secret"])
    target.connectTimeout = connectTimeout
    return upstream.prepare(target)
  }

  /// A server that is spoken to by HTTP/2 in the clear.
  func http2Target(of server: ScriptedServer) -> TargetID {
    var target = TransferTarget(url: server.url, headerLines: ["Authorization: Bearer secret"])
    target.versions = .http2
    return upstream.prepare(target)
  }

  /// Opens a POST whose body comes in the given segments.
  func open(
    _ target: TargetID, body: [[UInt8]] = [Array("{\"model\":\"m\"}".utf8)], race: RaceID? = nil,
    method: TransferMethod = .post, lines: String = "Content-Type: application/json\r\n", tag: UInt64 = 0
  ) -> TransferID {
    var request = TransferRequest(target: target)
    request.race = race
    request.method = method
    request.tag = tag
    let segments = body.map { segment -> UnsafeRawBufferPointer in
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, segment.count), alignment: 1)
      copy.copyBytes(from: segment)
      bodies.append(copy)
      return UnsafeRawBufferPointer(rebasing: copy[..<segment.count])
    }
    let lines = Array(lines.utf8)
    let id = upstream.open(request, headerLines: lines.span, body: segments.span, now: Self.now)
    drain()
    return id
  }

  func cancel(_ id: TransferID, pathIsDead: Bool = false) {
    upstream.cancel(id, pathIsDead: pathIsDead)
    drain()
  }

  func drain() {
    while let change = upstream.nextWatchChange() {
      changes.append(change)
      switch change {
      case .add(let descriptor, let interest):
        #expect(watched[descriptor] == nil)
        watched[descriptor] = interest
      case .modify(let descriptor, let interest):
        #expect(watched[descriptor] != nil && watched[descriptor] != interest)
        watched[descriptor] = interest
      case .remove(let descriptor), .forget(let descriptor):
        #expect(watched[descriptor] != nil)
        watched[descriptor] = nil
      }
    }
    switch upstream.takeTimerChange() {
    case .arm(let at)?: alarm = at
    case .disarm?: alarm = nil
    case nil: break
    }
    while let event = upstream.nextEvent() { log.append(event) }
  }

  func clearChanges() { changes = [] }

  /// One turn of the loop; waits until something happens, at most a short while.
  func turn(_ longest: Int32 = 50) {
    var polled = watched.map { entry in
      pollfd(
        fd: entry.key,
        events: Int16(
          (entry.value.contains(.read) ? POLLIN : 0) | (entry.value.contains(.write) ? POLLOUT : 0)),
        revents: 0)
    }
    var wait = longest
    if let alarm { wait = max(0, min(wait, Int32(((alarm - Self.now).microseconds + 999) / 1000))) }
    poll(&polled, nfds_t(polled.count), wait)
    for entry in polled where entry.revents != 0 {
      let events = Int32(entry.revents)
      upstream.socketReady(
        entry.fd, readable: events & POLLIN != 0, writable: events & POLLOUT != 0,
        failed: events & (POLLERR | POLLHUP | POLLNVAL) != 0, now: Self.now)
      drain()
    }
    if let at = alarm, at < Self.now {
      alarm = nil
      upstream.timerFired(now: Self.now)
      drain()
    }
  }

  /// Turns until the condition holds. False after 20 s: the test would hang otherwise.
  @discardableResult func run(until condition: () -> Bool) -> Bool {
    let limit = Self.now + .seconds(20)
    while !condition() {
      if limit < Self.now { return false }
      turn()
    }
    return true
  }

  func outcome(_ id: TransferID) -> TransferOutcome? {
    for event in log where event.transfer == id {
      if case .ended(let outcome) = event.fact { return outcome }
    }
    return nil
  }

  func isConnected(_ id: TransferID) -> Bool {
    log.contains { if case .connected = $0.fact { $0.transfer == id } else { false } }
  }

  func status(_ id: TransferID) -> Int? {
    for event in log where event.transfer == id { if case .head(let status) = event.fact { return status } }
    return nil
  }

  func isHeldFull(_ id: TransferID) -> Bool {
    log.contains { if case .heldFull = $0.fact { $0.transfer == id } else { false } }
  }

  func hasContent(_ id: TransferID) -> Bool {
    log.contains { if case .content = $0.fact { $0.transfer == id } else { false } }
  }

  func end(_ id: TransferID) throws -> TransferOutcome {
    try #require(run { self.outcome(id) != nil })
    return try #require(outcome(id))
  }

  func held(_ id: TransferID) -> [UInt8] {
    upstream.withHeld(id) { span in span.withUnsafeBufferPointer { Array($0) } } ?? []
  }

  func head(_ id: TransferID) -> String { upstream.withHead(id) { $1.text } ?? "" }
}

/// A client's connection: an output on one end of a socket pair, the client on the other.
final class Client {
  let output: WriteBuffer
  private let ours: Int32
  private let theirs: Int32
  private(set) var received: [UInt8] = []

  init(sendBuffer: Int32? = nil) {
    var pair: [Int32] = [0, 0]
    precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &pair) == 0)
    (ours, theirs) = (pair[0], pair[1])
    if var sendBuffer { setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &sendBuffer, 4) }
    output = WriteBuffer(descriptor: ours)
  }

  deinit {
    output.shutDown()
    close(ours)
    close(theirs)
  }

  /// Reads what is there.
  func take() {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let n = read(theirs, &chunk, chunk.count)
      if n <= 0 { return }
      received.append(contentsOf: chunk[..<n])
    }
  }

  /// The sizes and contents of the chunks after `head`; nil where the framing is broken.
  func chunks(after head: String) -> [[UInt8]]? {
    guard received.starts(with: head.utf8) else { return nil }
    var at = head.utf8.count
    var found: [[UInt8]] = []
    while at < received.count {
      guard let end = received[at...].firstIndex(of: 13),
        let size = Int(String(decoding: received[at..<end], as: UTF8.self), radix: 16),
        end + 2 + size + 2 <= received.count, received[end + 1] == 10,
        received[end + 2 + size] == 13, received[end + 3 + size] == 10
      else { return nil }
      found.append(Array(received[(end + 2)..<(end + 2 + size)]))
      at = end + 4 + size
    }
    return found
  }
}
