package import Base
internal import CCurl
internal import CLinux
package import Wire

package struct UpstreamSettings: Sendable {
  /// Transfers open at the same time.
  package var transfers = Limits.transfers
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

/// The only user of libcurl: transfers in, events and bytes out.
///
/// It polls nothing. After every call, and before it makes or closes any descriptor of its own, the owner
/// drains `nextWatchChange`; in the same turn also `takeTimerChange` and `nextEvent`. It calls `socketReady` and
/// `timerFired` when what was asked for has come. All on one thread, and never from inside one of its calls.
package final class Upstream {
  // Lifetime: both are made in init and ended in deinit, after every easy handle.
  let multi: UnsafeMutableRawPointer
  let share: UnsafeMutableRawPointer

  let trust: Trust
  private let transferLimit: Int
  /// HTTP/2 streams share a connection. Until 8.1, libcurl stops a whole connection when one of its streams
  /// is paused, so a client that does not read would hold up the others: each stream gets its own there.
  let sharesConnections: Bool

  private(set) var slots: [Slot] = []
  /// Free slots with a handle, the latest used last, and free slots without one.
  private var idle: [Int] = []
  private var bare: [Int] = []
  private var handles = 0
  var targets: [Target?] = []
  /// Races of which one transfer sends its request, or has sent it.
  var wonRaces: Set<RaceID> = []
  var hosts: [Host] = []

  var sockets = WatchTable()
  var lines = LinePool()
  /// Transfers that shake hands on their line.
  var handshakes: [TransferID] = []
  /// The socket that libcurl is about to hand over; −1: none.
  var handover: Int32 = -1
  /// What was last read from a line. Lifetime: allocated with the object, freed in deinit.
  let inbox = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.lineRead, alignment: 16)
  var events: [TransferEvent] = []
  private var eventsRead = 0
  /// When libcurl wants to be called, when the owner has been told to, and when the lines are to be looked at.
  var curlDue = Instant.distantFuture
  private var toldDue = Instant.distantFuture
  var poolDue = Instant.distantFuture
  /// Idle lines were closed since the owner last asked.
  var hasFreed = false
  /// The owner's clock as of the current call.
  var now = Instant.distantPast
  /// Counts calls into libcurl.
  var turn: UInt64 = 0

  /// Gathered body bytes of one transfer, written when the turn is over; −1: of none.
  var staging = ByteBuffer()
  var stagingOwner = -1
  /// Scratch for what is written before body bytes: head and chunk size.
  var frame = ByteBuffer()

  package init(_ settings: UpstreamSettings) throws(UpstreamError) {
    let code = curl_global_init(Int(CURL_GLOBAL_DEFAULT))
    guard code == CURLE_OK else { throw .startFailed(code: Int32(code.rawValue)) }
    guard let multi = curl_multi_init(), let share = curl_share_init() else {
      curl_global_cleanup()
      throw .startFailed(code: Int32(CURLE_OUT_OF_MEMORY.rawValue))
    }
    self.multi = multi
    self.share = UnsafeMutableRawPointer(share)
    trust = Trust(settings)
    transferLimit = settings.transfers
    sharesConnections = ccurl_version() >= 0x080100
    // One thread: the share needs no locks. The multi shares names and connections by itself, but until 8.12
    // not TLS sessions.
    _ = ccurl_share_sessions(share)
    _ = ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Limits.pooledConnections)
    if !sharesConnections { _ = ccurl_multi_set_long(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1) }
    connectCallbacks(multi: multi)
  }

  deinit {
    for slot in slots {
      if let easy = slot.easy {
        curl_multi_remove_handle(multi, easy)
        curl_easy_cleanup(easy)
      }
    }
    curl_multi_cleanup(multi)
    for (descriptor, entry) in sockets.entries.enumerated() where entry.line != nil {
      close(Int32(descriptor))
    }
    curl_share_cleanup(share)
    curl_global_cleanup()
    inbox.deallocate()
  }

  // MARK: - Transfers

  func live(_ id: TransferID) -> Slot? {
    guard Int(id.slot) < slots.count else { return nil }
    let slot = slots[Int(id.slot)]
    return slot.generation == id.generation && slot.phase != .free ? slot : nil
  }

  /// Starts a transfer; nil: too many are open, or memory is out.
  ///
  /// `query`: what follows the `?` of the URL besides what the target has there, visible ASCII. `headerLines`: complete
  /// field lines, each ended by CRLF; of a field that the target has itself, its own is sent. Both are copied before
  /// the call returns. `body`: the
  /// segments are read later. Lifetime: the caller keeps their bytes in place until `.ended` or `cancel`.
  package func open(
    _ request: TransferRequest, query: Span<UInt8> = Span(), headerLines: Span<UInt8>,
    body: Span<UnsafeRawBufferPointer>, now: Instant
  ) -> TransferID? {
    guard let target = targets[Int(request.target.index)], let slot = takeSlot(for: target) else {
      return nil
    }
    slot.begin(request, body: body, now: now)
    self.now = now
    let isBegun: Bool
    if let line = target.lineRequest {
      line.compose(
        request.method, query: query, lines: headerLines, but: target.names, bodySize: slot.bodySize,
        into: &slot.lent)
      isBegun = begin(onLine: slot, target)
    } else if let easy = handle(of: slot) {
      slot.list.fill(headerLines, but: target.names)
      configure(slot, easy, target, query: query)
      isBegun = start(slot, easy)
    } else {
      isBegun = false
    }
    if !isBegun {
      end(slot)
      return nil
    }
    return slot.id
  }

  /// Gives a transfer to libcurl.
  func start(_ slot: Slot, _ easy: UnsafeMutableRawPointer) -> Bool {
    var isAdded = false
    call(now) {
      isAdded = curl_multi_add_handle(multi, easy) == CURLM_OK
      if !isAdded { return }
      // Without waiting for the next turn: on a pooled connection the request goes out in this call. What
      // was armed until now is thereby done; libcurl arms again what remains, and only that.
      curlDue = .distantFuture
      var running: Int32 = 0
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
    }
    return isAdded
  }

  /// Ends a transfer at any time, or gives the slot of an ended one back. No event of it follows. Unknown and
  /// old names are ignored.
  ///
  /// `pathIsDead`: its connection must not be used again, even where HTTP/2 would keep it, and neither must the
  /// idle ones that lead the same way.
  package func cancel(_ id: TransferID, pathIsDead: Bool = false) {
    guard let slot = live(id) else { return }
    let target = slot.request.target
    var hasMoved = false
    if pathIsDead, let descriptor = descriptor(of: slot) {
      hasMoved = linux_has_moved(descriptor)
      shutOff(descriptor)
    }
    if let line = slot.line {
      hangUp(line)
    } else if slot.phase == .running {
      curl_multi_remove_handle(multi, slot.easy)
      noteSilentCloses(of: slot)
    }
    end(slot)
    if pathIsDead { dropConnections(of: target, afterMove: hasMoved) }
  }

  /// The body's bytes are not read any more, and the caller may give them up. False: some have not been taken.
  package func releaseBody(_ id: TransferID) -> Bool {
    guard let slot = live(id) else { return true }
    if slot.needsBody { return false }
    slot.segments.removeAll(keepingCapacity: true)
    slot.segment = 0
    return true
  }

  private func end(_ slot: Slot) {
    if slot.hasWonRace, let race = slot.request.race { wonRaces.remove(race) }
    slot.end()
    recycle(slot)
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

  /// A free slot. Where a connection must be made or libcurl does all, one with a handle if there is one: 1. that
  /// was last used for this target, 2. the latest used. 3. Else one without.
  private func takeSlot(for target: Target) -> Slot? {
    if target.lineRequest == nil || !lines.has(host: target.host) {
      // 1
      if let at = idle.lastIndex(where: { slots[$0].target === target }) { return slots[idle.remove(at: at)] }
      // 2
      if let index = idle.popLast() { return slots[index] }
    }
    // 3
    if let index = bare.popLast() { return slots[index] }
    if slots.count >= transferLimit { return idle.popLast().map { slots[$0] } }
    let slot = Slot(index: UInt32(slots.count), upstream: opaque)
    slots.append(slot)
    return slot
  }

  /// The slot's handle, made where it has none; nil: memory is out.
  func handle(of slot: Slot) -> UnsafeMutableRawPointer? {
    if slot.easy == nil, let easy = makeHandle(for: slot) {
      slot.easy = easy
      handles += 1
    }
    return slot.easy
  }

  /// Ends a slot's handle if there are more than are worth keeping.
  func thinHandles(_ slot: Slot) {
    guard let easy = slot.easy, handles > Limits.idleHandles else { return }
    curl_easy_cleanup(easy)
    slot.easy = nil
    slot.target = nil
    handles -= 1
  }

  /// Keeps a bounded number of handles, and of buffers, for the next transfers.
  private func recycle(_ slot: Slot) {
    thinHandles(slot)
    if slot.easy != nil {
      idle.append(Int(slot.index))
    } else {
      if bare.count >= Limits.idleHandles { slot.shrink() }
      bare.append(Int(slot.index))
    }
  }

  // MARK: - Looking at a transfer

  /// The raw lines of the final response head, with the empty line; empty before `.head`.
  package func withHead<R>(_ id: TransferID, _ body: (Span<UInt8>) -> R) -> R? {
    guard let slot = live(id) else { return nil }
    return slot.head.withBytes(0..<(slot.isHeadSeen ? slot.head.count : 0), body)
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
  package func message(_ id: TransferID) -> String {
    guard let slot = live(id) else { return "" }
    // Lifetime: the buffer is the slot's and always ends in a NUL.
    return String(cString: slot.message)
  }

  // MARK: - The loop's side

  /// A watched descriptor is ready. `failed`: EPOLLERR or EPOLLHUP.
  ///
  /// A failure is passed on as readiness: libcurl then reads what is left and meets the true error itself.
  package func socketReady(
    _ descriptor: Int32, readable: Bool, writable: Bool, failed: Bool, now: Instant
  ) {
    guard let entry = sockets[descriptor], !entry.wanted.isEmpty else {
      if descriptor >= 0 { sockets.turnAway(descriptor) }
      return
    }
    if let line = entry.line {
      lineReady(line, readable: readable || failed, writable: writable, now: now)
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
    work(now) { endLateHandshakes() }
    if poolDue <= now { tidyPool() }
  }

  /// The next fact to act on; nil when there is none. Facts of cancelled transfers are skipped.
  package func nextEvent() -> TransferEvent? {
    while eventsRead < events.count {
      let event = events[eventsRead]
      eventsRead += 1
      if live(event.transfer) != nil { return event }
    }
    events.removeAll(keepingCapacity: true)
    eventsRead = 0
    return nil
  }

  /// Memory was freed by nobody's doing: idle connections were closed.
  package func takeHasFreed() -> Bool {
    defer { hasFreed = false }
    return hasFreed
  }

  package func nextWatchChange() -> WatchChange? { sockets.next() }

  package func takeTimerChange() -> TimerChange? {
    let due = min(curlDue, min(handshakesDue, poolDue))
    if due == toldDue { return nil }
    toldDue = due
    return due == .distantFuture ? .disarm : .arm(at: due)
  }

  // MARK: - Around libcurl

  /// One turn: bytes of one transfer, or a call into libcurl; then what was gathered is written.
  func work(_ now: Instant, _ body: () -> Void) {
    self.now = now
    turn &+= 1
    body()
    flushStaging()
  }

  /// A turn in libcurl, then what its callbacks left to do.
  func call(_ now: Instant, _ body: () -> Void) {
    work(now, body)
    var code = CURLE_OK
    while let easy = ccurl_next_finished(multi, &code) {
      // Lifetime: CURLOPT_PRIVATE is the slot's context.
      let context = ccurl_private(easy).assumingMemoryBound(to: CallbackContext.self)
      finish(slots[Int(context.pointee.slot)], code)
    }
  }

  func unpause(_ slot: Slot) {
    // The write callback may run, and pause again, before this returns.
    slot.isPaused = false
    if slot.line != nil { goOn(slot) } else { curl_easy_pause(slot.easy, CURLPAUSE_CONT) }
  }

  /// The stream has ended: what its last lines were counts too.
  func finishObserving(_ slot: Slot) {
    guard slot.isWatched else { return }
    let before = slot.observer.contentEvents
    slot.observer.finish()
    if slot.observer.contentEvents > before, slot.firstContentAt == nil {
      slot.firstContentAt = now
      slot.lastContentAt = now
      note(.content, slot)
    }
  }

  private func finish(_ slot: Slot, _ code: CURLcode) {
    if slot.connectsOnly, code == CURLE_OK, slot.abort == .none {
      takeLine(slot)
      return
    }
    finishObserving(slot)
    let outcome = outcome(of: slot, code: code)
    sayWhy(outcome, slot, code: code)
    if slot.isHeadSeen { slot.target?.speaksHTTP2 = slot.speaksHTTP2 }
    curl_multi_remove_handle(multi, slot.easy)
    noteSilentCloses(of: slot)
    slot.phase = .ended
    slot.segments.removeAll(keepingCapacity: true)
    note(.ended(outcome), slot)
  }
}
