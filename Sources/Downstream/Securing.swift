package import Base
internal import CLinux
internal import Exchange
internal import Kernel
internal import Transport

// Clients that come over TLS: the handshake, and what lies between a connection's buffers and its socket.
extension Downstream {
  /// A connection begins with a handshake.
  func secure(_ connection: Connection, _ identity: TLSIdentity) {
    do throws(TLSFault) {
      connection.transport = try Transport(connection.raw, as: identity)
      connection.state = .securing
    } catch {
      close(connection)
    }
  }

  /// Goes on with a handshake. It has as long as a request's head, which has as long again behind it.
  func shakeHands(_ connection: Connection, now: Instant) {
    switch connection.transport.shakeHands() {
    case .wantsRead: watch(connection, [.read, .peerClosed])
    case .wantsWrite: watch(connection, .write)
    case .done where connection.transport.speaksHTTP2:
      watch(connection, [.read, .peerClosed])
      carry(connection, now: now)
      hear(connection, now: now)
    case .done:
      connection.state = .idle
      timers.arm(Int(connection.id.slot), at: now + Limits.headTime)
      watch(connection, [.read, .peerClosed])
      // The request may have come with the handshake's last bytes.
      read(connection, now: now)
    case .failed(let fault): turnAway(connection, fault)
    }
  }

  /// Who speaks HTTP in the clear is told so in the clear, as nginx does; all others know what went wrong by TLS' own
  /// alert.
  private func turnAway(_ connection: Connection, _ fault: TLSFault) {
    if fault == .plainRequest {
      connection.transport = Transport(plain: connection.raw)
      refuse(connection, .malformed("it came in the clear to a port that speaks TLS (https://)"))
    } else {
      events.append(.unsecured(fault))
      close(connection)
    }
  }

  /// Reads once. A request's first bytes come by way of a buffer that all connections share, so that its own is as
  /// small as they are; in the clear, later ones go straight to it. Records are always opened in the shared one, since
  /// they are as large as their sender likes.
  func receive(_ connection: Connection, room: Int) -> Received {
    let isSecure = connection.transport.isSecure
    guard isSecure || (connection.inbound.isEmpty && room <= Limits.firstRead) else {
      return Socket.receive(connection.raw, into: &connection.inbound, room: room)
    }
    var end: Transport.End?
    let count = inbox.fill(room: Limits.connectionRead) { free in
      let received = connection.transport.receive(
        into: isSecure ? free : UnsafeMutableRawBufferPointer(rebasing: free[..<room]))
      end = received.end
      return received.count
    }
    if count > 0 {
      // What comes later has room by a share of what there is, so that a body of unknown length is not moved each time.
      if connection.inbound.isEmpty { connection.inbound.reserve(count + Limits.behindRequest) }
      inbox.withBytes { connection.inbound.append($0) }
      inbox.removeAll()
      if case .closed? = end { connection.hasSaidAll = true }
      return .received(count)
    }
    switch end {
    case nil: return .wouldBlock
    case .closed: return .endOfStream
    case .cutOff, .failed, .broken: return .reset
    }
  }

  /// Passes on what the turn has gathered. True: somebody has to be told what came of it.
  package func passGathered(now: Instant) -> Bool {
    while let place = gathered.next() {
      guard let connection = connections[Int(place)], connection.output.isQueued else { continue }
      if let lane = connection.lane {
        wantsToSend(connection, lane)
        continue
      }
      if connection.carriage != nil {
        soil(connection)
        continue
      }
      let wasBlocked = connection.output.isBlocked
      connection.push()
      if wasBlocked, !connection.output.isBlocked, !connection.output.isBroken {
        unblocked(connection, now: now)
      } else {
        settle(connection, now: now)
      }
    }
    while let carrier = soiled.popLast() { send(carrier, now: now) }
    return !events.isEmpty
  }
}

extension Connection {
  /// Sends what waits, as far as the socket takes it.
  func push() {
    guard output.gathers else {
      output.flush()
      return
    }
    output.pass { bytes in
      var piece = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
      // Lifetime: the piece is read during the call.
      let sent = withUnsafePointer(to: &piece) { transport.send(UnsafeBufferPointer(start: $0, count: 1)) }
      switch sent {
      case .bytes(let count): return .taken(count)
      case .wouldBlock: return .full
      case .failed: return .broken
      }
    }
  }
}
