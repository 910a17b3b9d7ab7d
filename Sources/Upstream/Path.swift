package import Base
internal import CCurl
internal import CLinux

/// What the kernel knows about a transfer's way to its provider.
///
/// Behind an HTTP proxy it is the way to the proxy.
package enum PathState: Equatable, Sendable {
  /// No address has answered: the name is being looked up, a SYN is out, or the transfer waits for another
  /// one's connection.
  case connecting
  /// TCP stands, the TLS handshake is not done.
  case handshaking(roundTrip: Interval)
  /// The connection carries the request.
  case sent(Delivery)
  /// Not open, ended, or the connection could not be found.
  case unknown
}

extension Upstream {
  /// Before the connection is ready, the best of the sockets that the transfer has opened tells; after it, the
  /// connection's own.
  package func pathState(_ id: TransferID, now: Instant) -> PathState {
    guard let slot = live(id), slot.phase == .running else { return .unknown }
    guard let connectedAt = slot.connectedAt else { return connectingState(id) }
    guard let descriptor = descriptor(of: slot) else { return .unknown }
    // Where streams share a connection, others' bytes cannot be told from this one's; and who answers has heard.
    let isShared = sharesConnections && slot.line == nil && slot.target?.speaksHTTP2 ?? false
    let body = slot.isBodyLent ? slot.bodySize : slot.bodyTaken
    let request = isShared || slot.firstByteAt != nil ? nil : body + 1
    let delivery = Delivery.of(descriptor, since: connectedAt, request: request, now: now)
    // What the socket has taken is there, and more is to come.
    if case .acknowledged(let roundTrip) = delivery, slot.needsBody {
      return .sent(.heldUp(roundTrip: roundTrip))
    }
    return delivery == .unknown ? .unknown : .sent(delivery)
  }

  private func connectingState(_ id: TransferID) -> PathState {
    for (descriptor, entry) in sockets.entries.enumerated() where entry.isOpen && entry.opener == id {
      if !isOurs(Int32(descriptor)) { continue }
      if let roundTrip = Delivery.roundTrip(Int32(descriptor)) { return .handshaking(roundTrip: roundTrip) }
    }
    return .connecting
  }

  /// The socket that carries a transfer, found by the ports which libcurl told when the connection was
  /// ready: 7.88 names no descriptor during a transfer, and its socket callback is silent about a second
  /// transfer on an HTTP/2 connection.
  func descriptor(of slot: Slot) -> Int32? {
    if slot.connectedAt == nil { return nil }
    if let line = slot.line { return line.descriptor }
    if let entry = sockets[slot.descriptor], entry.isOpen, entry.localPort == slot.localPort,
      entry.remotePort == slot.remotePort
    {
      return slot.descriptor
    }
    for at in 0..<sockets.entries.count {
      let entry = sockets.entries[at]
      guard entry.isOpen, entry.remotePort == slot.remotePort else { continue }
      let descriptor = Int32(at)
      let port = entry.localPort != 0 ? entry.localPort : ccurl_local_port(descriptor)
      sockets.setLocalPort(port, of: descriptor)
      if port == slot.localPort, entry.host == slot.host {
        slot.descriptor = descriptor
        return descriptor
      }
    }
    return nil
  }
}

// A path that is dead: what leads the same way is of no use either.
extension Upstream {
  /// Closes idle connections that lead where a path has just been found dead: those to the target's host and,
  /// where the network has changed (`afterMove`), whatever else leaves from an address that is not this machine's
  /// any more. Else each provider in turn would be waited for.
  ///
  /// libcurl has no call for it. A socket that is disconnected is found dead before it is used again.
  package func dropConnections(of id: TargetID, afterMove: Bool = false) {
    guard let target = targets[Int(id.index)] else { return }
    target.speaksHTTP2 = false
    var busy: [Int32] = []
    for slot in slots where slot.phase == .running {
      if let descriptor = descriptor(of: slot) { busy.append(descriptor) }
    }
    for (at, entry) in sockets.entries.enumerated() where entry.isOpen {
      let descriptor = Int32(at)
      let isConnecting = live(entry.opener).map { $0.phase == .running && $0.connectedAt == nil } ?? false
      let isBusy = busy.contains(descriptor) || entry.line?.rider != nil
      if isBusy || isConnecting && entry.line == nil || !isOurs(descriptor) { continue }
      guard entry.host == target.host || afterMove && linux_has_moved(descriptor) else { continue }
      if let line = entry.line { dropLine(line) } else { shutOff(descriptor) }
    }
  }

  /// Makes a connection useless, while libcurl may keep its descriptor. What the kernel has not delivered is
  /// thrown away: it would go on trying, and when the path comes back within a minute or two the provider would get
  /// a request that another one has answered.
  func shutOff(_ descriptor: Int32) {
    linux_disconnect(descriptor)
    if sockets[descriptor]?.wanted.isEmpty == true { sockets.turnAway(descriptor) }
  }

  /// Lets a later close(2) be a reset, and drop what is on its way.
  func closeAtOnce(_ descriptor: Int32) {
    var atOnce = linger(l_onoff: 1, l_linger: 0)
    _ = setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &atOnce, socklen_t(MemoryLayout<linger>.size))
  }
}
