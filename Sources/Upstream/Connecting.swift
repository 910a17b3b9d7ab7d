internal import Base
internal import CCurl
internal import CLinux
internal import HTTP2
internal import Transport

// How a transfer comes to a connection: one that stands, or a new one, which libcurl dials (names, Happy Eyeballs,
// proxies, time-outs) and hands over. TLS is shaken hands for here.
extension Upstream {
  /// Gives a transfer a connection, or lets it wait for one.
  ///
  /// 1. One with HTTP/2 that has room. 2. One with HTTP/1.1 that idles. 3. One that is being made, where it may turn
  /// out to be HTTP/2: what a burst saves in handshakes, the first one pays once if it does not. 4. A new one.
  func connect(_ slot: Slot, _ target: Target) {
    if !slot.request.needsFreshConnection {
      if let connection = pool.shared(host: target.host) ?? pooled(to: target.host) {
        slot.isReused = true
        if !ride(slot, connection), case .http1 = connection.stage { keepIdle(connection) }
        return
      }
    }
    let mayShare = target.mayShare && hosts[Int(target.host)].speaksHTTP2 != false
    if mayShare, let connection = pool.awaited(host: target.host) {
      connection.waiting.append(slot.id)
      slot.connection = connection
      return
    }
    dial(slot, target)
  }

  /// A connection that idles and is not too old to be trusted; what is too old is closed.
  private func pooled(to host: Int32) -> Connection? {
    while let connection = pool.take(host: host) {
      if now - connection.idleSince < Limits.idleConnection { return connection }
      shut(connection)
    }
    return nil
  }

  /// A connection stands and takes the transfer up. False: it has no use for it any more, and is over.
  private func ride(_ slot: Slot, _ connection: Connection) -> Bool {
    slot.connection = nil
    guard mayCarry(slot) else {
      slot.connectTime = connection.connectTime
      end(slot, .lostRace)
      return false
    }
    slot.connection = connection
    if !slot.isReused {
      slot.connectTime = connection.connectTime
      slot.handshakeTime = connection.handshakeTime
    }
    switch connection.stage {
    case .http1:
      connection.rider = slot.id
      send(slot, connection)
      watch(slot, connection)
    case .http2(let session): beginStream(slot, connection, session)
    case .dialling, .securing, .closed: preconditionFailure("a connection that does not stand")
    }
    return true
  }

  // MARK: - Dialling

  private func dial(_ slot: Slot, _ target: Target) {
    guard let dial = takeDial() else {
      end(slot, .localFault)
      return
    }
    let connection = Connection(target, .dialling(dial), now: now)
    connection.waiting.append(slot.id)
    slot.connection = connection
    dial.begin(connection)
    pool.startAwaiting(connection)
    if curl_multi_add_handle(multi, dial.easy) != CURLM_OK { dialEnded(dial, CURLE_FAILED_INIT) }
  }

  private func takeDial() -> Dial? {
    if let place = idleDials.popLast() { return dials[place] }
    let place = bareDials.last ?? dials.count
    guard let dial = Dial(index: UInt32(place), upstream: self) else { return nil }
    if bareDials.popLast() == nil { dials.append(dial) } else { dials[place] = dial }
    return dial
  }

  /// Takes a dial back, whatever became of it. Some are kept.
  private func put(_ dial: Dial) {
    dial.end()
    let place = Int(dial.id.index)
    if idleDials.count < Limits.idleDials {
      idleDials.append(place)
    } else {
      dials[place] = nil
      bareDials.append(place)
    }
  }

  /// libcurl is done. It closes the connection when the handle leaves (CURLOPT_CONNECT_ONLY), which the close
  /// callback turns into handing over.
  func dialEnded(_ dial: Dial, _ code: CURLcode) {
    guard let connection = dial.connection else { return }
    handover = code == CURLE_OK ? ccurl_active_socket(dial.easy) : -1
    let descriptor = handover
    var connectTime: Int64 = 0
    _ = ccurl_info_size(dial.easy, CURLINFO_CONNECT_TIME_T, &connectTime)
    connection.connectTime = .microseconds(connectTime)
    var systemError = 0
    if code != CURLE_OK { _ = ccurl_info_long(dial.easy, CURLINFO_OS_ERRNO, &systemError) }
    curl_multi_remove_handle(multi, dial.easy)
    noteSilentCloses(of: dial)
    let message = dial.message
    let dialFault = TransferFault(ofDial: code, lacksDescriptors: dial.lacksDescriptors)
    put(dial)
    let isHandedOver = descriptor >= 0 && handover < 0
    handover = -1
    if !isHandedOver {
      let fault = code == CURLE_OK ? TransferFault.localFault : dialFault
      let error = Int32(truncatingIfNeeded: systemError)
      let words = connection.target.spec.words(for: fault, code: code, error: error, libcurl: message)
      failed(connection, fault, words: words, error: error, code: Int32(code.rawValue))
      return
    }
    do throws(TLSFault) {
      connection.transport = try Self.transport(over: descriptor, to: connection.target)
    } catch {
      sockets.closed(descriptor)
      _ = close(descriptor)
      failed(connection, .tlsFailed, words: error.words(for: connection.target.peer?.name ?? ""))
      return
    }
    sockets.take(connection, descriptor)
    connection.stage = .securing
    if connection.transport.isReady { stands(connection) } else { shakeHands(connection) }
  }

  private static func transport(over descriptor: Int32, to target: Target) throws(TLSFault) -> Transport {
    guard let peer = target.peer else { return Transport(plain: descriptor) }
    return try Transport(descriptor, to: peer)
  }

  /// Nobody waits for a connection any more.
  func giveUp(_ connection: Connection) {
    pool.stopAwaiting(connection)
    switch connection.stage {
    case .dialling(let dial):
      curl_multi_remove_handle(multi, dial.easy)
      noteSilentCloses(of: dial)
      put(dial)
    case .securing: shut(connection)
    case .http1, .http2, .closed: return
    }
    connection.stage = .closed
  }

  /// A connection was not to be had.
  private func failed(
    _ connection: Connection, _ fault: TransferFault, words: String, error: Int32 = 0, code: Int32 = 0
  ) {
    pool.stopAwaiting(connection)
    connection.stage = .closed
    let waiting = connection.waiting
    connection.waiting = []
    for id in waiting {
      guard let slot = live(id), slot.connection === connection else { continue }
      slot.connection = nil
      slot.connectTime = connection.connectTime
      slot.say(words)
      end(slot, slot.isAbandoned ? .lostRace : fault, error: error, code: code)
    }
  }

  // MARK: - The handshake

  /// Goes on with the TLS handshake.
  func shakeHands(_ connection: Connection) {
    switch connection.transport.shakeHands() {
    case .wantsRead: sockets.want(.read, on: connection.descriptor)
    case .wantsWrite: sockets.want([.read, .write], on: connection.descriptor)
    case .done:
      connection.handshakeTime = now - connection.openedAt
      stands(connection)
    case .failed(let fault):
      shut(connection)
      var error: Int32 = 0
      if case .system(let number) = fault { error = number }
      failed(connection, .tlsFailed, words: fault.words(for: connection.transport.peerName), error: error)
    }
  }

  /// When the first handshake will have taken too long.
  var handshakesDue: Instant {
    var due = Instant.distantFuture
    for connection in pool.allAwaited {
      if case .securing = connection.stage { due = min(due, connection.due) }
    }
    return due
  }

  /// Ends those that have taken too long.
  func endLateHandshakes() {
    var late: [Connection] = []
    for connection in pool.allAwaited where connection.due <= now {
      if case .securing = connection.stage { late.append(connection) }
    }
    for connection in late {
      shut(connection)
      failed(connection, .connectTimedOut, words: connection.target.spec.lateHandshake)
    }
  }

  /// A connection is ready: those who wait for it take it, the first one or (HTTP/2) as many as it lets.
  private func stands(_ connection: Connection) {
    pool.stopAwaiting(connection)
    let target = connection.target
    let speaksHTTP2 = connection.transport.speaksHTTP2 || target.peer == nil && target.spec.versions == .http2
    if target.spec.versions == .http2, !speaksHTTP2 {
      shut(connection)
      failed(
        connection, .tlsFailed, words: "\(connection.transport.peerName) does not offer HTTP/2 (http: 2)")
      return
    }
    hosts[Int(target.host)].speaksHTTP2 = speaksHTTP2
    if speaksHTTP2 {
      guard let session = HTTP2Session() else {
        shut(connection)
        failed(connection, .localFault, words: "out of memory")
        return
      }
      connection.stage = .http2(session)
      connection.heardAt = now
      connection.idleSince = now
      pool.share(connection)
      beginTidying()
      soil(connection)
    } else {
      connection.stage = .http1
    }
    let waiting = connection.waiting
    connection.waiting = []
    for id in waiting {
      guard let slot = live(id), slot.connection === connection else { continue }
      let hasRoom = speaksHTTP2 ? connection.hasRoom : connection.rider == nil
      if hasRoom { _ = ride(slot, connection) } else { connect(slot, slot.target.unsafelyUnwrapped) }
    }
    if !speaksHTTP2, connection.rider == nil { keepIdle(connection) }
  }

  // MARK: - Idle ones

  func keepIdle(_ connection: Connection) {
    connection.rider = nil
    connection.idleSince = now
    sockets.want(.read, on: connection.descriptor)
    pool.put(connection)
    if pool.idleCount > Limits.pooledConnections, let oldest = pool.takeOldest() { shut(oldest) }
    beginTidying()
  }

  /// A connection has begun to idle.
  func beginTidying() {
    poolDue = min(poolDue, now + Limits.unneededConnection)
  }

  /// Closes what idles and was not needed of late.
  func tidyPool() {
    let (useless, due) = pool.tidy(now: now)
    for connection in useless { shut(connection) }
    poolDue = max(due, now + Limits.poolTidy)
  }

  /// An idle connection is readable: its peer has closed it or speaks out of turn, or (TLS) has sent another ticket.
  func stir(_ connection: Connection) {
    let received = connection.transport.receive(into: inbox)
    if received.count == 0, received.end == nil { return }
    pool.remove(connection)
    shut(connection)
  }

  // MARK: - Closing

  /// Closes a connection that nobody uses and that is in no pool.
  func shut(_ connection: Connection) {
    if case .http2(let session) = connection.stage { sayGoodbye(connection, session) }
    connection.stage = .closed
    connection.transport.sayGoodbye()
    sockets.closed(connection.descriptor)
    _ = close(connection.descriptor)
  }

  /// Closes an idle connection; what the kernel has not delivered is thrown away with it.
  func drop(_ connection: Connection) {
    pool.remove(connection)
    closeAtOnce(connection.descriptor)
    shut(connection)
  }
}
