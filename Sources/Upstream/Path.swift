package import Base
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
  /// Before the connection is ready, the best of the sockets that were opened for it tells; after it, the
  /// connection's own.
  package func pathState(_ id: TransferID, now: Instant) -> PathState {
    guard let slot = live(id), slot.phase == .running, let connection = slot.connection else {
      return .unknown
    }
    var request: Int?
    switch connection.stage {
    case .dialling(let dial): return dialState(dial)
    case .securing:
      return Delivery.roundTrip(connection.descriptor).map { .handshaking(roundTrip: $0) } ?? .connecting
    // Who answers has heard.
    case .http1: request = slot.firstByteAt == nil ? slot.bodyTaken + 1 : nil
    // All that was sent since then: others' bytes cannot be told from this one's.
    case .http2:
      let sent = Int(clamping: connection.sentBytes &- slot.sentBefore)
      request = slot.firstByteAt == nil && sent > 0 ? sent : nil
    case .closed: return .unknown
    }
    guard let connectedAt = slot.connectedAt else { return .unknown }
    let delivery = Delivery.of(connection.descriptor, since: connectedAt, request: request, now: now)
    // What the socket has taken is there, and more is to come.
    if case .acknowledged(let roundTrip) = delivery, slot.needsBody {
      return .sent(.heldUp(roundTrip: roundTrip))
    }
    return delivery == .unknown ? .unknown : .sent(delivery)
  }

  private func dialState(_ dial: Dial) -> PathState {
    for (descriptor, entry) in sockets.entries.enumerated() where entry.isOpen && entry.opener == dial.id {
      if !isOurs(Int32(descriptor)) { continue }
      if let roundTrip = Delivery.roundTrip(Int32(descriptor)) { return .handshaking(roundTrip: roundTrip) }
    }
    return .connecting
  }
}

// A path that is dead: what leads the same way is of no use either.
extension Upstream {
  /// Gives up connections that lead where a path has just been found dead: those to the target's host and,
  /// where the network has changed (`afterMove`), whatever else leaves from an address that is not this machine's
  /// any more. Else each provider in turn would be waited for. One that is in use takes no further requests.
  package func dropConnections(of id: TargetID, afterMove: Bool = false) {
    guard let target = targets[Int(id.index)] else { return }
    var doomed: [Connection] = []
    for (at, entry) in sockets.entries.enumerated() {
      guard let connection = entry.connection, isOurs(Int32(at)) else { continue }
      guard connection.host == target.host || afterMove && linux_has_moved(Int32(at)) else { continue }
      doomed.append(connection)
    }
    for connection in doomed {
      switch connection.stage {
      case .http1: if connection.rider == nil { drop(connection) }
      case .http2: if connection.idles { drop(connection) } else { connection.isClosing = true }
      case .dialling, .securing, .closed: continue
      }
    }
  }

  /// Makes a connection useless. What the kernel has not delivered is thrown away: it would go on trying, and when the
  /// path comes back within a minute or two the provider would get a request that another one has answered.
  func shutOff(_ descriptor: Int32) { linux_disconnect(descriptor) }

  /// Lets a later close(2) be a reset, and drop what is on its way.
  func closeAtOnce(_ descriptor: Int32) {
    var atOnce = linger(l_onoff: 1, l_linger: 0)
    _ = setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &atOnce, socklen_t(MemoryLayout<linger>.size))
  }
}
