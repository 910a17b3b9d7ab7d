package import Base
package import Kernel
internal import Wire

/// What a mock provider has done. Only POSTs are counted.
package struct MockStatistics: Equatable, Sendable {
  /// Requests that arrived whole.
  package var requests = 0
  /// Answers that were sent to their end.
  package var completed = 0
  /// Clients that went away before the end of their answer.
  package var cancelled = 0
  /// Answers that were made to fail.
  package var failed = 0
  /// Bytes that the sockets took, heads included, GETs too.
  package var bytes = 0
  /// Connections that were accepted.
  package var connections = 0
}

/// An OpenAI-style provider to test against, as a part of somebody's loop or with its own (`run`).
///
/// The host watches `pollDescriptor` for reading and calls `turn` when it is readable and when `nextDeadline`
/// has come. A client that closes its sending side before its answer is complete has left: what is half
/// closed is not told apart.
package final class MockProvider {
  private enum Kind {
    static let listener: UInt8 = 0
    static let connection: UInt8 = 1
    static let signals: UInt8 = 2
  }

  let options: MockOptions
  package internal(set) var statistics = MockStatistics()
  /// Where it listens, with the real port.
  package let address: SocketAddress
  package let text: String

  private let poller: Poller
  private let events = PolledEvents()
  private var listener: Listener?
  private var isAccepting = true
  private var isSignalled = false
  private var connections: [MockConnection?] = []
  private var free: [Int] = []
  private var generations: [UInt32] = []
  private var timers = Timers()
  var library: MockLibrary
  var probe = JSONProbe()
  var ask = MockAsk()
  /// The last POST as it came, its body decoded and cut at `Limits.mockKept`.
  var last = ByteBuffer()

  package init(_ options: MockOptions) throws(KernelFault) {
    self.options = options
    let listener = try options.listen.listener()
    poller = try Poller()
    library = MockLibrary(options)
    address = listener.address
    text = listener.text
    try poller.add(listener.descriptor, .read, token: Token(kind: Kind.listener, slot: 0))
    self.listener = listener
  }

  package var pollDescriptor: Int32 { poller.descriptor }
  package var nextDeadline: Instant? { timers.next }

  /// Does what is to be done now, without waiting.
  package func turn(now: Instant) throws(KernelFault) {
    try poller.wait(timeout: .zero, into: events)
    handleEvents(now)
  }

  /// Serves until SIGTERM or SIGINT.
  package func run() throws(KernelFault) {
    let signals = try Signals([.terminate, .interrupt])
    try poller.add(signals.descriptor, .read, token: Token(kind: Kind.signals, slot: 0))
    while !isSignalled {
      let timeout = nextDeadline.map { $0 - Clock.instant() }
      try poller.wait(timeout: timeout, into: events)
      handleEvents(Clock.instant())
    }
    // Left pending, it would be delivered when the mask is restored.
    while signals.read() != nil {}
    isSignalled = false
    poller.remove(signals.descriptor)
  }

  private func handleEvents(_ now: Instant) {
    for index in 0..<events.count {
      let event = events[index]
      if event.token.kind == Kind.listener {
        accept()
      } else if event.token.kind == Kind.signals {
        isSignalled = true
      } else if event.token.kind == Kind.connection, let connection = connections[event.token.slot],
        connection.token == event.token
      {
        if event.readable || event.hungUp || event.failed { receive(connection, now) }
        if event.writable, connections[event.token.slot] === connection { proceed(connection, now) }
      }
    }
    while let slot = timers.popDue(now) {
      if let connection = connections[slot] { timerFired(connection, now) }
    }
  }

  // MARK: - Connections

  private func accept() {
    for _ in 0..<Limits.acceptsPerTurn {
      guard let listener else { return }
      if connections.count - free.count >= Limits.mockConnections { return pauseAccepting() }
      switch listener.accept() {
      case .accepted(let socket, _): open(socket)
      case .aborted: continue
      case .wouldBlock: return
      case .outOfDescriptors: return pauseAccepting()
      }
    }
  }

  private func pauseAccepting() {
    guard let listener, isAccepting else { return }
    isAccepting = false
    poller.remove(listener.descriptor)
  }

  private func open(_ socket: consuming Descriptor) {
    let slot = free.popLast() ?? connections.count
    if slot == connections.count {
      connections.append(nil)
      generations.append(0)
    }
    generations[slot] &+= 1
    let token = Token(kind: Kind.connection, slot: slot, generation: generations[slot])
    let connection = MockConnection(socket, token: token)
    // Without the registration nothing would ever be heard of it: dropping it closes it.
    guard (try? poller.add(connection.socket.raw, .read, token: token)) != nil else {
      free.append(slot)
      return
    }
    connections[slot] = connection
    statistics.connections += 1
  }

  private func close(_ connection: MockConnection) {
    let slot = connection.token.slot
    poller.remove(connection.socket.raw)
    timers.disarm(slot)
    connections[slot] = nil
    free.append(slot)
    if !isAccepting, let listener {
      let token = Token(kind: Kind.listener, slot: 0)
      isAccepting = (try? poller.add(listener.descriptor, .read, token: token)) != nil
    }
  }

  private func watch(_ connection: MockConnection, writing: Bool) {
    // A client that sends on while its answer is under way is left waiting at the bound.
    let isFull = connection.state != .reading && connection.input.count >= Limits.mockPipelined
    var wanted: Interest = isFull ? [] : .read
    if writing { wanted.insert(.write) }
    guard wanted != connection.interest else { return }
    connection.interest = wanted
    if (try? poller.modify(connection.socket.raw, wanted, token: connection.token)) == nil {
      leave(connection)
    }
  }

  /// The client has gone.
  private func leave(_ connection: MockConnection) {
    switch connection.state {
    case .reading: break
    case .thinking, .answering, .hanging: if connection.isPost { statistics.cancelled += 1 }
    }
    close(connection)
  }

  /// Closes the listener, and every connection that waits for a request.
  func refuseFromNowOn() {
    listener = nil
    for case let connection? in connections {
      switch connection.state {
      case .reading: close(connection)
      case .thinking, .answering, .hanging: connection.keepAlive = false
      }
    }
  }

  // MARK: - Requests

  private func receive(_ connection: MockConnection, _ now: Instant) {
    for _ in 0..<Limits.mockReadsPerTurn {
      switch Socket.receive(connection.socket.raw, into: &connection.input, room: Limits.mockRead) {
      case .received(let n):
        switch connection.state {
        case .reading:
          serve(connection, now)
          if connections[connection.token.slot] !== connection { return }
        case .thinking, .answering, .hanging:
          if connection.input.count >= Limits.mockPipelined {
            return watch(connection, writing: connection.interest.contains(.write))
          }
        }
        if n < Limits.mockRead { return }
      case .wouldBlock: return
      case .endOfStream, .reset: return leave(connection)
      }
    }
  }

  /// Answers requests as long as they are there and their answers leave at once.
  private func serve(_ connection: MockConnection, _ now: Instant) {
    while connection.state == .reading, !connection.input.isEmpty {
      guard readRequest(connection) else { return }
      if connection.state == .hanging { return }
      if options.think > .zero, connection.isPost {
        connection.state = .thinking
        timers.arm(connection.token.slot, at: now + options.think)
        return
      }
      begin(connection, now)
      if connections[connection.token.slot] !== connection { return }
    }
  }

  private func timerFired(_ connection: MockConnection, _ now: Instant) {
    switch connection.state {
    case .thinking:
      begin(connection, now)
      if connections[connection.token.slot] === connection { serve(connection, now) }
    case .answering:
      // Later than planned, every event that is due by now goes: the rate holds.
      while connection.due <= now, connection.limit < connection.finalLimit {
        connection.release(1)
        connection.due = connection.due + options.gap
      }
      proceed(connection, now)
    case .reading, .hanging: break
    }
  }

  // MARK: - Answers

  private func begin(_ connection: MockConnection, _ now: Instant) {
    connection.state = .answering
    writeHead(connection)
    if options.gap > .zero, let script = connection.script, script.isStream {
      connection.release(script.preamble + 1)
      connection.due = now + options.gap
    } else {
      connection.releaseAll()
    }
    connection.joinHeadAndBody()
    flush(connection)
  }

  /// Goes on with an answer, then with what the client sent behind the request.
  private func proceed(_ connection: MockConnection, _ now: Instant) {
    flush(connection)
    if connections[connection.token.slot] === connection { serve(connection, now) }
  }

  private func flush(_ connection: MockConnection) {
    switch connection.flush(counting: &statistics.bytes) {
    case .gone: return leave(connection)
    case .blocked: watch(connection, writing: true)
    case .all:
      if connection.state == .answering, connection.isAtEnd { return finish(connection) }
      watch(connection, writing: false)
    }
    if connection.state == .answering, connection.limit < connection.finalLimit {
      timers.arm(connection.token.slot, at: connection.due)
    }
  }

  private func finish(_ connection: MockConnection) {
    if connection.isPost {
      if connection.isFailure { statistics.failed += 1 } else { statistics.completed += 1 }
    }
    switch connection.ending {
    case .complete:
      if connection.keepAlive {
        connection.reset()
        return watch(connection, writing: false)
      }
      Socket.shutdownWrite(connection.socket.raw)
    case .close: Socket.shutdownWrite(connection.socket.raw)
    case .reset: Socket.resetOnClose(connection.socket.raw)
    }
    close(connection)
  }
}
