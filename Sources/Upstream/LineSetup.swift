internal import Base
internal import CCurl
internal import CLinux
internal import Transport
internal import Wire

// How a transfer comes to a line: one that idles, or a new one, which libcurl dials (names, Happy Eyeballs, proxies,
// time-outs) and hands over. TLS is shaken hands for here.
extension Upstream {
  /// Lets a new transfer use a pooled line, or begin to make one.
  func begin(onLine slot: Slot, _ target: Target) -> Bool {
    slot.host = target.host
    if !slot.request.needsFreshConnection, let line = pooledLine(to: target.host) {
      work(now) { ready(slot, line) }
      return true
    }
    guard let easy = handle(of: slot) else { return false }
    configure(toConnect: slot, easy, target)
    return start(slot, easy)
  }

  /// A line that idles and is not too old to be trusted; what is too old is closed.
  private func pooledLine(to host: Int32) -> Line? {
    while let line = lines.take(host: host) {
      if now - line.idleSince < Limits.idleLine { return line }
      hangUp(line)
    }
    return nil
  }

  /// libcurl has the connection: takes its socket, and sends the request or shakes hands first. libcurl closes the
  /// connection when the handle leaves (CURLOPT_CONNECT_ONLY), which the close callback turns into handing over.
  func takeLine(_ slot: Slot) {
    let easy = slot.easy!
    handover = ccurl_active_socket(easy)
    let descriptor = handover
    _ = ccurl_info_size(easy, CURLINFO_CONNECT_TIME_T, &slot.connectTime)
    let target = slot.target!
    curl_multi_remove_handle(multi, easy)
    noteSilentCloses(of: slot)
    thinHandles(slot)
    if descriptor < 0 || handover >= 0 {
      handover = -1
      endOnLine(slot, .localFault)
      return
    }
    let line: Line
    do throws(TLSFault) {
      line = Line(try Self.transport(over: descriptor, to: target), host: target.host)
    } catch {
      slot.say(error.words(for: target.peer?.name ?? ""))
      sockets.closed(descriptor)
      _ = close(descriptor)
      endOnLine(slot, .tlsFailed)
      return
    }
    sockets.take(line)
    lines.enter(host: line.host)
    if line.transport.isReady {
      ready(slot, line)
      return
    }
    slot.line = line
    line.rider = slot.id
    slot.handshakeDue = slot.openedAt + target.spec.connectTimeout
    handshakes.removeAll { live($0)?.isShakingHands != true }
    handshakes.append(slot.id)
    shakeHands(slot, line)
  }

  private static func transport(over descriptor: Int32, to target: Target) throws(TLSFault) -> Transport {
    guard let peer = target.peer else { return Transport(plain: descriptor) }
    return try Transport(descriptor, to: peer)
  }

  /// A line may carry the request, unless another transfer of the race was first: then it waits for the next.
  private func ready(_ slot: Slot, _ line: Line) {
    if connectionReady(slot, local: 0, remote: 0) {
      line.rider = slot.id
      slot.line = line
      send(slot, line)
      watch(slot, line)
    } else {
      slot.line = nil
      keepIdle(line)
      endOnLine(slot, .lostRace)
    }
  }

  // MARK: - The handshake

  /// Goes on with the TLS handshake of a transfer's line.
  func shakeHands(_ slot: Slot, _ line: Line) {
    switch line.transport.shakeHands() {
    case .wantsRead: sockets.want(.read, on: line.descriptor)
    case .wantsWrite: sockets.want([.read, .write], on: line.descriptor)
    case .done:
      handshakes.removeAll { $0 == slot.id }
      slot.handshakeTime = now - slot.openedAt
      ready(slot, line)
    case .failed(let fault):
      slot.say(fault.words(for: line.transport.peerName))
      var error: Int32 = 0
      if case .system(let number) = fault { error = number }
      endOnLine(slot, .tlsFailed, error: error)
    }
  }

  /// When the first handshake will have taken too long.
  var handshakesDue: Instant {
    var due = Instant.distantFuture
    for id in handshakes { if let slot = live(id), slot.isShakingHands { due = min(due, slot.handshakeDue) } }
    return due
  }

  /// Ends those that have taken too long.
  func endLateHandshakes() {
    for id in handshakes {
      guard let slot = live(id), slot.isShakingHands, slot.handshakeDue <= now else { continue }
      if let spec = slot.target?.spec { slot.say(spec.lateHandshake) }
      endOnLine(slot, .connectTimedOut)
    }
  }

  // MARK: - The pool

  func keepIdle(_ line: Line) {
    line.rider = nil
    line.idleSince = now
    sockets.want(.read, on: line.descriptor)
    lines.put(line)
    if lines.count > Limits.pooledConnections, let oldest = lines.takeOldest() { closeLine(oldest) }
    if poolDue == .distantFuture { poolDue = now + Limits.poolTidy }
  }

  /// Closes what idles beyond what the last minute needed.
  func tidyPool() {
    let now = now
    lines.tidy(before: now - Limits.idleLine) {
      closeLine($0)
      hasFreed = true
    }
    poolDue = lines.count > 0 ? now + Limits.poolTidy : .distantFuture
  }

  /// Closes a line that is not in the pool any more.
  func closeLine(_ line: Line) {
    line.transport.sayGoodbye()
    sockets.closed(line.descriptor)
    _ = close(line.descriptor)
  }

  /// Closes a line that a transfer had.
  func hangUp(_ line: Line) {
    lines.leave(host: line.host)
    closeLine(line)
  }

  /// Closes an idle line; what the kernel has not delivered is thrown away with it.
  func dropLine(_ line: Line) {
    lines.remove(line)
    closeAtOnce(line.descriptor)
    closeLine(line)
  }

  /// An idle line is readable: its peer has closed it or speaks out of turn, or (TLS) has sent another ticket.
  func stir(_ line: Line) {
    let received = line.transport.receive(into: inbox)
    if received.count == 0, received.end == nil { return }
    lines.remove(line)
    closeLine(line)
  }
}
