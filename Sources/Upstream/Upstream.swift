package import Base
internal import CCurl
internal import CLinux
internal import HTTP2
internal import Transport
package import Wire

package struct UpstreamSettings: Sendable {
  /// As `SSL_CERT_FILE` and `SSL_CERT_DIR` say; nil where unset. They replace the system's own.
  package var certificateFile: String?
  package var certificateDirectory: String?
  /// Trusted besides the system's hashed directory: a file of certificates in PEM. Where the system has only
  /// a bundle, it stands alone.
  package var extraCertificateFile: String?
  package init() {}
}

package enum UpstreamError: Error, Equatable, Sendable {
  /// libcurl did not start; its code.
  case startFailed(code: Int32)
}

/// Requests to providers: transfers in, events and bytes out.
///
/// It polls nothing. After every call, and before it makes or closes any descriptor of its own, the owner
/// drains `nextWatchChange`; in the same turn also `takeTimerChange` and `nextEvent`. It calls `socketReady` and
/// `timerFired` when what was asked for has come. All on one thread, and never from inside one of its calls.
package final class Upstream {
  // Lifetime: made in init and ended in deinit, after every easy handle.
  let multi: UnsafeMutableRawPointer

  let trust: Trust

  /// By place; nil: a free one.
  private(set) var slots: [Slot?] = []
  /// Free places, the latest used last.
  private var free: [Int] = []
  /// Places without a slot, which those in `free` have.
  private var vacant: [Int] = []
  private var lastGeneration: UInt32 = 0
  var targets: [Target?] = []
  var hosts: [HostRecord] = []
  /// Races of which one transfer sends its request, or has sent it.
  var wonRaces: Set<RaceID> = []

  var dials: [Dial?] = []
  /// Places of dials that make nothing, and places without one.
  var idleDials: [Int] = []
  var bareDials: [Int] = []
  /// The socket that libcurl is about to hand over; −1: none.
  var handover: Int32 = -1
  var sockets = WatchTable()
  var pool = ConnectionPool()
  /// Connections that have something to send when the turn is over.
  var unflushed: [Connection] = []
  /// Transfers over HTTP/2 whose bodies come piece by piece.
  var feedingStreams: [TransferID] = []
  /// What was last read. Lifetime: allocated with the object, freed in deinit.
  let inbox = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.connectionRead, alignment: 16)

  var events: [TransferEvent] = []
  private var eventsRead = 0
  /// When libcurl wants to be called, when the idle connections are to be looked at, and when the owner has been told
  /// to call.
  var curlDue = Instant.distantFuture
  var poolDue = Instant.distantFuture
  private var toldDue = Instant.distantFuture
  /// The owner's clock as of the current call.
  var now = Instant.distantPast
  /// Counts the turns.
  var turn: UInt64 = 0

  /// Whose body bytes wait to be sent, −1: none's; the first piece, and what came behind it. Lifetime: the first one lies
  /// where it was read, until `sendRelayed`.
  var relayed = -1
  var firstPiece = UnsafeRawBufferPointer.none
  var staging = ByteBuffer()
  /// Scratch for what is written before body bytes: head and chunk size.
  var frame = ByteBuffer()

  package init(_ settings: UpstreamSettings) throws(UpstreamError) {
    let code = curl_global_init(Int(CURL_GLOBAL_DEFAULT))
    guard code == CURLE_OK else { throw .startFailed(code: Int32(code.rawValue)) }
    guard let multi = curl_multi_init() else {
      curl_global_cleanup()
      throw .startFailed(code: Int32(CURLE_OUT_OF_MEMORY.rawValue))
    }
    self.multi = multi
    trust = Trust(settings)
    connectCallbacks(multi: multi)
  }

  deinit {
    for case let dial? in dials where dial.connection != nil { curl_multi_remove_handle(multi, dial.easy) }
    dials = []
    curl_multi_cleanup(multi)
    for (descriptor, entry) in sockets.entries.enumerated() where entry.connection != nil {
      _ = close(Int32(descriptor))
    }
    curl_global_cleanup()
    inbox.deallocate()
  }

  // MARK: - Transfers

  func live(_ id: TransferID) -> Slot? {
    guard Int(id.slot) < slots.count, let slot = slots[Int(id.slot)] else { return nil }
    return slot.generation == id.generation && slot.phase != .free ? slot : nil
  }

  /// Starts a transfer. How many there may be is the caller's to bound.
  ///
  /// `query`: what follows the `?` of the URL besides what the target has there, visible ASCII. `headerLines`: complete
  /// field lines, each ended by CRLF; of a field that the target has itself, its own is sent. Both are copied before
  /// the call returns. `body`: the
  /// segments are read later. Lifetime: the caller keeps their bytes in place until `.ended` or `cancel`.
  package func open(
    _ request: TransferRequest, query: Span<UInt8> = Span(), headerLines: Span<UInt8>,
    body: Span<UnsafeRawBufferPointer>, now: Instant
  ) -> TransferID {
    guard let target = targets[Int(request.target.index)] else {
      preconditionFailure("a target that was given back")
    }
    let slot = takeSlot()
    slot.begin(request, target, body: body, now: now)
    work(now) {
      guard let destination = target.destination else {
        slot.say("The URL cannot be used")
        end(slot, .localFault)
        return
      }
      destination.compose(
        request.method, query: query, lines: headerLines, but: target.names, bodySize: slot.bodySize,
        into: &slot.lent)
      connect(slot, target)
    }
    return slot.id
  }

  func takeSlot() -> Slot {
    let index = free.popLast() ?? vacant.popLast() ?? slots.count
    if index == slots.count { slots.append(nil) }
    let slot = slots[index] ?? Slot(index: UInt32(index))
    lastGeneration &+= 1
    slot.generation = lastGeneration
    slots[index] = slot
    return slot
  }

  /// Ends a transfer at any time, or gives the slot of an ended one back. No event of it follows. Unknown and
  /// old names are ignored.
  ///
  /// `pathIsDead`: its connection must not be used again, what else goes over it has failed, and the idle ones that
  /// lead the same way are of no use either.
  package func cancel(_ id: TransferID, pathIsDead: Bool = false) {
    guard let slot = live(id) else { return }
    work(now) {
      var hasMoved = false
      if let connection = slot.connection {
        if pathIsDead, slot.connectedAt != nil {
          hasMoved = linux_has_moved(connection.descriptor)
          shutOff(connection.descriptor)
        }
        leave(slot, connection)
        if pathIsDead { lose(connection, .silent) }
      }
      let target = slot.request.target
      if slot.hasWonRace, let race = slot.request.race { wonRaces.remove(race) }
      slot.end()
      if free.count < Limits.idleSlots {
        free.append(Int(slot.index))
      } else {
        slots[Int(slot.index)] = nil
        vacant.append(Int(slot.index))
      }
      if pathIsDead { dropConnections(of: target, afterMove: hasMoved) }
    }
  }

  /// A transfer has no more use for its connection. `isAtRest`: it may serve another one.
  func leave(_ slot: Slot, _ connection: Connection, isAtRest: Bool = false) {
    slot.connection = nil
    switch connection.stage {
    case .dialling, .securing:
      connection.waiting.removeAll { $0 == slot.id }
      if connection.waiting.isEmpty { giveUp(connection) }
    case .http1:
      connection.transport.keepSession()
      if isAtRest { keepIdle(connection) } else { shut(connection) }
    case .http2(let session):
      connection.transport.keepSession()
      slot.bodyTaken = max(slot.bodyTaken, session.sent(of: slot.stream))
      session.reset(slot.stream)
      soil(connection)
    case .closed: return
    }
  }

  /// The body's bytes are not read any more, and the caller may give them up. False: some have not been taken.
  package func releaseBody(_ id: TransferID) -> Bool {
    guard let slot = live(id) else { return true }
    if slot.needsBody { return false }
    slot.segments.removeAll(keepingCapacity: true)
    slot.segment = 0
    return true
  }

  /// Leaves a transfer that is still connecting to itself: it sends nothing, its body is not read any more, and
  /// its end tells how the connection fared. False: it has sent, or is over.
  package func abandon(_ id: TransferID) -> Bool {
    guard let slot = live(id), slot.phase == .running, slot.connectedAt == nil else { return false }
    slot.isAbandoned = true
    slot.segments.removeAll(keepingCapacity: true)
    return true
  }

  package func isOpen(_ id: TransferID) -> Bool { live(id) != nil }

  // MARK: - Looking at a transfer

  /// The final response head, and its lines with the empty one; empty before `.head`.
  @discardableResult package func withHead<R>(_ id: TransferID, _ body: (ResponseHead, Span<UInt8>) -> R)
    -> R?
  {
    guard let slot = live(id) else { return nil }
    if !slot.isHeadSeen { return body(ResponseHead(), Span()) }
    return slot.head.withBytes { body(slot.answer, $0) }
  }

  /// Body bytes that are held back; empty after `commit`.
  package func withHeld<R>(_ id: TransferID, _ body: (Span<UInt8>) -> R) -> R? {
    guard let slot = live(id) else { return nil }
    return slot.held.withBytes(body)
  }

  /// What was seen in an event stream; nil for other answers.
  package func withObserver<R>(_ id: TransferID, _ body: (borrowing EventStreamObserver) -> R) -> R? {
    guard let slot = live(id), slot.isWatched else { return nil }
    return body(slot.observer)
  }

  package func progress(_ id: TransferID) -> TransferProgress? {
    guard let slot = live(id) else { return nil }
    return TransferProgress(
      openedAt: slot.openedAt, connectedAt: slot.connectedAt, firstByteAt: slot.firstByteAt,
      firstContentAt: slot.firstContentAt, lastContentAt: slot.lastContentAt, received: slot.received,
      forwarded: slot.forwarded, isPaused: slot.isPaused, isReused: slot.isReused,
      isEventStream: slot.isWatched)
  }

  /// What is said about the fault, for people; may be empty.
  package func message(_ id: TransferID) -> String { live(id)?.message.withBytes { $0.text } ?? "" }

  /// Bytes of the answer that are kept in memory.
  package func kept(_ id: TransferID) -> Int { live(id).map { $0.held.count + $0.pending.count } ?? 0 }

  // MARK: - The loop's side

  /// A watched descriptor is ready. `failed`: EPOLLERR or EPOLLHUP.
  ///
  /// A failure is passed on as readiness: reading what is left meets the true error.
  package func socketReady(
    _ descriptor: Int32, readable: Bool, writable: Bool, failed: Bool, now: Instant
  ) {
    guard let entry = sockets[descriptor], !entry.wanted.isEmpty else {
      if descriptor >= 0 { sockets.turnAway(descriptor) }
      return
    }
    if let connection = entry.connection {
      work(now) { heed(connection, readable: readable || failed, writable: writable) }
      return
    }
    var ready: Int32 = 0
    if readable || failed { ready |= CURL_CSELECT_IN }
    if writable || (failed && entry.wanted.contains(.write)) { ready |= CURL_CSELECT_OUT }
    call(now) {
      var running: Int32 = 0
      curl_multi_socket_action(multi, descriptor, ready, &running)
    }
  }

  /// The armed time has come.
  package func timerFired(now: Instant) {
    toldDue = .distantFuture
    if curlDue <= now {
      call(now) {
        curlDue = .distantFuture
        var running: Int32 = 0
        curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
      }
    }
    work(now) {
      endLateHandshakes()
      ping()
      if poolDue <= now { tidyPool() }
    }
  }

  /// The next fact to act on; nil when there is none. Facts of cancelled transfers are skipped.
  package func nextEvent() -> TransferEvent? {
    if events.isEmpty { return nil }
    while eventsRead < events.count {
      let event = events[eventsRead]
      eventsRead += 1
      if live(event.transfer) != nil { return event }
    }
    events.removeAll(keepingCapacity: true)
    eventsRead = 0
    return nil
  }

  package func nextWatchChange() -> WatchChange? { sockets.next() }

  package func takeTimerChange() -> TimerChange? {
    let due = min(min(curlDue, poolDue), min(handshakesDue, pingsDue))
    if due == toldDue { return nil }
    toldDue = due
    return due == .distantFuture ? .disarm : .arm(at: due)
  }

  // MARK: - Turns

  /// One turn: what has happened is taken in, then what was gathered is written.
  func work(_ now: Instant, _ body: () -> Void) {
    self.now = now
    turn &+= 1
    body()
    flushConnections()
    sendRelayed()
  }

  /// Gives back what only bursts need. Nothing is kept for a transfer: memory of many small pieces would hold as many
  /// pages of the heap.
  package func rest() {
    for index in free { slots[index] = nil }
    vacant += free
    free = []
    if vacant.count == slots.count {
      slots = []
      vacant = []
    }
    while let place = idleDials.popLast() {
      dials[place] = nil
      bareDials.append(place)
    }
    if bareDials.count == dials.count {
      dials = []
      bareDials = []
    }
    events.dropSpareRoom()
    unflushed.dropSpareRoom()
    feedingStreams.dropSpareRoom()
    wonRaces.dropSpareRoom()
    staging.recycle(keeping: 0)
    frame.recycle(keeping: 0)
    sockets.rest()
    pool.rest()
  }

  /// A turn in libcurl, then what its callbacks left to do.
  private func call(_ now: Instant, _ body: () -> Void) {
    work(now) {
      body()
      var code = CURLE_OK
      while let easy = ccurl_next_finished(multi, &code) {
        // Lifetime: CURLOPT_PRIVATE is the dial's context.
        let context = ccurl_private(easy).assumingMemoryBound(to: CallbackContext.self)
        if let dial = dials[Int(context.pointee.dial)] { dialEnded(dial, code) }
      }
    }
  }

  /// A connection that was handed over is ready.
  private func heed(_ connection: Connection, readable: Bool, writable: Bool) {
    switch connection.stage {
    case .securing: shakeHands(connection)
    case .http1:
      guard let rider = connection.rider, let slot = live(rider), slot.connection === connection else {
        stir(connection)
        return
      }
      if writable, slot.isSending {
        send(slot, connection)
        watch(slot, connection)
      }
      if readable, !slot.isPaused { receive(slot, connection) }
    case .http2(let session):
      if readable { hear(connection, session) } else { soil(connection) }
    case .dialling, .closed: return
    }
  }

  func unpause(_ slot: Slot) {
    // Bytes that wait may pause it again.
    slot.isPaused = false
    if slot.stream == 0, let connection = slot.connection { goOn(slot, connection) } else { goOnStream(slot) }
  }
}
