package import Base
internal import Exchange
internal import HTTP2
package import Kernel
package import Policy
package import Transport
internal import Wire

/// The clients' side: listeners and connections. Bytes in, complete requests out.
///
/// It knows HTTP/1.1 and nothing of providers. Every connection is in one `Connection.State`; it is closed in
/// `close` and destroyed at the end of the turn, so that no event of the same turn finds a new one in its place.
package final class Downstream {
  let poller: Poller
  package var connections: SlotTable<Connection>
  package var timers = Timers()
  package var events: [ConnectionEvent] = []
  package var listeners: [ListenerPlace] = []
  var limits: LimitSettings
  package var gate: Gate
  package let admission: Admission
  package var uploads = Uploads()
  let reserve = ReserveDescriptor()
  /// When a pause for want of descriptors is over; connections that go end it earlier.
  package var retryAt: Instant?
  /// Until then idle connections are kept during a drain.
  package var graceEnd: Instant?
  package var isGraceOver = false
  /// No connection is kept alive beyond its answer any more.
  var isDraining = false
  /// Accepting pauses: out of descriptors or connections.
  package var isPaused = false
  private var closing: [SlotID] = []
  /// Connections whose bytes leave at the end of the turn.
  let gathered = WriteQueue()
  /// Connections that carry streams, where something may be to be sent when the turn is over.
  var soiled: [Connection] = []
  let desk = FrameDesk()
  /// Connections with TLS or HTTP/2 are read through it.
  var inbox = ByteBuffer()

  package struct ListenerPlace {
    package let listener: Listener
    package let listen: Listen
    package var isAdmin: Bool
    /// What it shows its clients; nil: they come in the clear.
    package var identity: TLSIdentity?

    package init(listener: Listener, listen: Listen, isAdmin: Bool, identity: TLSIdentity?) {
      self.listener = listener
      self.listen = listen
      self.isAdmin = isAdmin
      self.identity = identity
    }

    var reach: Gate.Reach {
      listener.address.isUnix ? .unix : listener.address.isLoopback ? .loopback : .network
    }
  }

  package init(poller: Poller, limits: LimitSettings, gate: Gate) {
    self.poller = poller
    self.limits = limits
    self.gate = gate
    admission = Admission(limits)
    connections = SlotTable(capacity: limits.connections)
  }

  /// The limits of a new configuration: they hold for heads that come from now on.
  package func apply(_ limits: LimitSettings) {
    self.limits = limits
    admission.apply(limits)
    connectionLimit = limits.connections
    resumeAccepting()
  }

  // MARK: - Connections come and go

  /// Takes a bounded number of connections from a listener.
  package func accept(_ place: Int, now: Instant) {
    guard place < listeners.count else { return }
    let from = listeners[place]
    for _ in 0..<Limits.acceptsPerTurn {
      if connections.isFull {
        closeLongestIdle()
        pause()
        return
      }
      switch from.listener.accept() {
      case .accepted(let descriptor, _):
        admit(descriptor, from: from, now: now)
      case .wouldBlock:
        return
      case .aborted:
        continue
      case .outOfDescriptors:
        switch refuseByReserve(from) {
        case .one: continue
        case .nobody: return
        case .failed:
          retryAt = now + Limits.acceptPause
          pause()
          return
        }
      }
    }
  }

  private func admit(_ descriptor: consuming Descriptor, from place: ListenerPlace, now: Instant) {
    var handed = Optional(descriptor)
    let connection = connections.insert { id in
      Connection(
        id: id, descriptor: handed.take()!, maximumHead: limits.header,
        reach: place.reach, isAdmin: place.isAdmin, gathering: place.identity == nil ? nil : gathered)
    }
    guard let connection else { return }
    if let identity = place.identity { secure(connection, identity) }
    connection.interest = [.read, .peerClosed]
    do throws(KernelFault) {
      try poller.add(connection.raw, connection.interest, token: connection.token)
    } catch {
      close(connection)
      return
    }
    timers.arm(Int(connection.id.slot), at: now + Limits.headTime)
    // Most clients send their request together with the connection: reading now saves a turn.
    if case .securing = connection.state {
      shakeHands(connection, now: now)
    } else {
      read(connection, now: now)
    }
  }

  /// Stops accepting until a connection has gone. The backlog holds who comes meanwhile.
  private func pause() {
    if isPaused { return }
    isPaused = true
    for place in listeners { poller.remove(place.listener.descriptor) }
  }

  /// Accepts again, once there is room.
  func resumeAccepting() {
    guard isPaused, !isDraining, !connections.isFull else { return }
    isPaused = false
    retryAt = nil
    for index in listeners.indices { watch(listener: index) }
  }

  package func watch(listener index: Int) {
    do throws(KernelFault) {
      try poller.add(
        listeners[index].listener.descriptor, .read, token: Token(kind: TokenKind.listener, slot: index))
    } catch {
      isPaused = true
    }
  }

  var connectionLimit: Int {
    get { connections.capacity }
    set { connections.capacity = newValue }
  }

  package func connection(_ id: SlotID) -> Connection? { connections[id] }

  /// Closes for good; whoever makes its answer hears `.left`.
  package func close(_ connection: Connection) {
    switch connection.state {
    case .closed: return
    case .answering: events.append(.left(connection.id))
    case .idle: connection.transport.sayGoodbye()
    case .carrying: closeStreams(of: connection)
    case .securing, .readingHead, .readingBody, .flushing, .lingering: break
    }
    connection.state = .closed
    if let lane = connection.lane { leave(connection, lane) }
    connection.carriage = nil
    connection.permit = nil
    endUpload(connection)
    connection.reservation = nil
    connection.output.shutDown()
    timers.disarm(Int(connection.id.slot))
    if connection.lane == nil { poller.remove(connection.raw) }
    closing.append(connection.id)
  }

  /// Frees what was closed in this turn.
  package func destroyClosed() {
    if closing.isEmpty { return }
    for id in closing { connections.remove(id) }
    closing.removeAll(keepingCapacity: true)
    resumeAccepting()
  }

  /// Gives back what only bursts need.
  package func rest() {
    connections.rest()
    timers.rest()
    events.dropSpareRoom()
    closing.dropSpareRoom()
    soiled.dropSpareRoom()
    gathered.rest()
    inbox.recycle(keeping: 0)
  }

  // MARK: - Events

  package func ready(_ id: SlotID, _ event: PolledEvent, now: Instant) {
    guard let connection = connections[id] else { return }
    if case .securing = connection.state {
      shakeHands(connection, now: now)
      if event.hungUp || event.failed { close(connection) }
      return
    }
    if event.readable {
      switch connection.state {
      case .securing: break
      case .carrying: hear(connection, now: now)
      case .idle, .readingHead, .readingBody: read(connection, now: now)
      case .answering: if connection.feed == nil { readAhead(connection) } else { readFeed(connection) }
      case .lingering: readAway(connection)
      case .flushing: watch(connection, connection.interest.subtracting(.read))
      case .closed: break
      }
    }
    // Data was read to the end before a hang-up is believed: HUP may come with bytes unread.
    if event.hungUp || event.failed {
      close(connection)
      return
    }
    if event.peerClosed { peerClosed(connection) }
    if event.writable { flush(connection, now: now) }
  }

  /// FIN came. It may mean "gone" or "I have said all": a half-closed client still wants its answer.
  private func peerClosed(_ connection: Connection) {
    switch connection.state {
    case .idle, .lingering: close(connection)
    case .securing, .carrying, .readingHead, .readingBody, .closed:
      // The read that follows finds the end of the stream; nothing more can come.
      break
    case .answering, .flushing:
      if connection.isHalfClosed { return }
      if connection.feed != nil {
        // Reading finds it, behind what came before it.
        watch(connection, connection.interest.subtracting(.peerClosed))
        return
      }
      connection.isHalfClosed = true
      // Level-triggered: a FIN stays readable, so stop watching for it. Reset and hang-up always report.
      watch(connection, connection.interest.subtracting([.read, .peerClosed]))
      connection.askWhetherPeerReads()
    }
  }

  /// Sends what waits for a client's socket, then goes on with what waited for that.
  func flush(_ connection: Connection, now: Instant) {
    connection.push()
    if connection.output.isBroken {
      close(connection)
    } else if connection.output.isBlocked {
      noteWriteProgress(connection, now: now)
    } else {
      unblocked(connection, now: now)
    }
  }

  /// Nothing waits for a client's socket any more.
  func unblocked(_ connection: Connection, now: Instant) {
    watch(connection, connection.interest.subtracting(.write))
    switch connection.state {
    case .answering:
      timers.disarm(Int(connection.id.slot))
      events.append(.drained(connection.id))
    case .flushing: if connection.lane == nil { afterAnswer(connection, now: now) }
    case .carrying:
      timers.disarm(Int(connection.id.slot))
      soil(connection)
    case .securing, .idle, .readingHead, .readingBody, .lingering, .closed: break
    }
  }

  /// After the turn's writes: watches for writability where bytes wait, and notices a broken socket.
  package func settle(_ connection: Connection, now: Instant) {
    if connection.output.isBroken {
      close(connection)
    } else if connection.output.isBlocked {
      guard !connection.interest.contains(.write), !connection.output.isQueued else { return }
      watch(connection, connection.interest.union(.write))
      connection.sentBefore = connection.output.sent
      timers.arm(Int(connection.id.slot), at: now + Limits.writeStall)
    }
  }

  func noteWriteProgress(_ connection: Connection, now: Instant) {
    guard connection.output.sent != connection.sentBefore else { return }
    connection.sentBefore = connection.output.sent
    timers.arm(Int(connection.id.slot), at: now + Limits.writeStall)
  }

  func watch(_ connection: Connection, _ interest: Interest) {
    guard connection.interest != interest else { return }
    connection.interest = interest
    if connection.lane != nil { return }
    do throws(KernelFault) {
      try poller.modify(connection.raw, interest, token: connection.token)
    } catch {
      close(connection)
    }
  }

  /// A connection's time has passed: 1. nothing sent yet: close silently; 2. half a request: 408; 3. an answer
  /// that is not read: close.
  package func timeDue(_ place: Int, now: Instant) {
    guard let connection = connections[place] else { return }
    switch connection.state {
    case .securing, .idle, .lingering: close(connection)  // 1
    case .carrying:
      if connection.output.isBlocked {
        close(connection)
      } else if connection.carriage?.streams.isEmpty == true {
        retire(connection)
      }
    case .readingHead: refuse(connection, .requestTimeout)  // 2
    case .readingBody: uploadTimeDue(connection, now: now)
    case .answering, .flushing:  // 3
      if connection.output.isBlocked { close(connection) }
    case .closed: break
    }
  }

  // MARK: - The end of an answer

  /// The whole answer is with its sink. Goes on with the next request, or closes the connection.
  package func finishAnswer(_ connection: Connection, closes: Bool, now: Instant) {
    connection.feed = nil
    connection.permit = nil
    connection.reservation = nil
    if closes || connection.sink.endsConnection || isDraining { connection.keepsAlive = false }
    if let lane = connection.lane {
      finishStream(connection, lane)
      return
    }
    connection.state = .flushing
    if connection.output.isQueued { connection.push() }
    if connection.output.isBroken {
      close(connection)
    } else if connection.output.isBlocked {
      settle(connection, now: now)
    } else {
      afterAnswer(connection, now: now)
    }
  }

  private func afterAnswer(_ connection: Connection, now: Instant) {
    guard connection.keepsAlive else {
      linger(connection, now: now)
      return
    }
    connection.parser.reset()
    connection.access = AccessDecision()
    connection.requestLength = 0
    connection.state = .idle
    connection.wasAnswered = true
    timers.arm(Int(connection.id.slot), at: now + Limits.keepAlive)
    watch(connection, connection.interest.union(.read))
    if connection.inbound.isEmpty {
      connection.inbound.recycle(keeping: Limits.keptBuffer)
    } else {
      advance(connection, now: now)
    }
  }

  /// Shuts the writing side down and reads what the client still sends away for a moment: a close with unread
  /// bytes would be a reset, which can overtake the answer (RFC 9112 §9.6).
  func linger(_ connection: Connection, now: Instant) {
    if connection.isHalfClosed {
      close(connection)
      return
    }
    connection.transport.sayGoodbye()
    Socket.shutdownWrite(connection.raw)
    connection.state = .lingering
    connection.inbound.release()
    watch(connection, [.read, .peerClosed])
    timers.arm(Int(connection.id.slot), at: now + Limits.linger)
  }
}
