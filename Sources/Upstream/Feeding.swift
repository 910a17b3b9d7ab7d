package import Base
internal import HTTP2
package import Wire

/// Whether a transfer's body comes piece by piece.
enum Feeding {
  /// It was all there at the start.
  case none
  /// More may come. `isChunked`: over HTTP/1.1 in chunks, since its length is not known.
  case open(isChunked: Bool)
  case over

  var isOpen: Bool {
    if case .open = self { return true }
    return false
  }
}

/// What is known of a body before it comes.
package enum FedBody: Equatable, Sendable {
  case none
  case length(Int)
  /// Its end is told when it has come.
  case chunked
  /// No body, but a change of protocol to WebSocket (RFC 6455 §4.1): what is fed after a 101 is its bytes.
  case upgrade
}

// Requests whose bodies go through as they come, with back-pressure: never more than `Limits.outgoing` of one waits.
extension Upstream {
  /// Starts a transfer whose body is handed over by `feed`. As for the other `open`.
  ///
  /// `method`: its name. `rest`: what is put behind the target's own path, visible ASCII.
  package func open(
    _ request: TransferRequest, method: Span<UInt8>, behind rest: Span<UInt8>, query: Span<UInt8>,
    headerLines: Span<UInt8>, body: FedBody, now: Instant
  ) -> TransferID {
    guard let target = targets[Int(request.target.index)] else {
      preconditionFailure("a target that was given back")
    }
    let slot = takeSlot()
    slot.begin(request, target, body: Span(), now: now)
    work(now) {
      guard let destination = target.destination else {
        slot.say("The URL cannot be used")
        end(slot, .localFault)
        return
      }
      slot.lent.append(method)
      destination.begin(behind: rest, query: query, lines: headerLines, but: target.names, into: &slot.lent)
      frame(body, slot)
      if method.equals("HEAD") { slot.framing.request = .head }
      connect(slot, target)
    }
    return slot.id
  }

  /// The fields that say how the body is framed, and the head's end.
  private func frame(_ body: FedBody, _ slot: Slot) {
    switch body {
    case .none: break
    case .length(let length):
      slot.lent.append("Content-Length: ")
      slot.lent.append(decimal: length)
      slot.lent.append("\r\n")
      slot.feeding = length > 0 ? .open(isChunked: false) : .over
    case .chunked:
      // Over HTTP/2 the field is left out again (RFC 9113 §8.2.2).
      slot.lent.append("Transfer-Encoding: chunked\r\n")
      slot.feeding = .open(isChunked: true)
    case .upgrade:
      slot.lent.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
      slot.feeding = .open(isChunked: false)
      slot.framing.request = .upgrade
    }
    slot.lent.append("\r\n")
  }

  /// How many bytes `feed` takes now; while the connection does not stand, none. Where it is zero `.roomy` tells of
  /// room, or `.connected`.
  package func room(_ id: TransferID) -> Int {
    guard let slot = live(id), slot.phase == .running, slot.connectedAt != nil, slot.feeding.isOpen else {
      return 0
    }
    if slot.outgoing.count >= Limits.outgoing { slot.isOutgoingFull = true }
    return max(0, Limits.outgoing - slot.outgoing.count)
  }

  /// Hands over the next bytes of a body, no more than there is room for, and sends what the connection takes.
  /// `isLast`: the body ends with them.
  package func feed(_ id: TransferID, _ bytes: Span<UInt8>, isLast: Bool, now: Instant) {
    guard let slot = live(id), slot.phase == .running, case .open(let isChunked) = slot.feeding,
      let connection = slot.connection
    else { return }
    work(now) {
      if isLast { slot.feeding = .over }
      switch connection.stage {
      case .http1:
        let before = slot.outgoing.count
        frame(bytes, isChunked: isChunked, isLast: isLast, into: &slot.outgoing)
        slot.bodySize += slot.outgoing.count - before
        send(slot, connection)
        watch(slot, connection)
      case .http2(let session):
        takeBack(slot, session)
        slot.outgoing.append(bytes)
        slot.bodySize += bytes.count
        session.feed(slot.outgoing.unsafeBytes, isLast: isLast, to: slot.stream)
        soil(connection)
      case .dialling, .securing, .closed: break
      }
    }
  }

  /// RFC 9112 §7.1, one chunk for each piece, and the last chunk.
  private func frame(_ bytes: Span<UInt8>, isChunked: Bool, isLast: Bool, into out: inout ByteBuffer) {
    if isChunked, bytes.count > 0 {
      out.append(hex: bytes.count)
      out.append("\r\n")
    }
    out.append(bytes)
    if isChunked, bytes.count > 0 { out.append("\r\n") }
    if isChunked, isLast { out.append("0\r\n\r\n") }
  }

  /// The connection has taken bytes: the owner hears of it once half of what may wait is gone.
  func noteRoom(_ slot: Slot) {
    guard slot.isOutgoingFull, slot.outgoing.count <= Limits.outgoing / 2, slot.feeding.isOpen else { return }
    slot.isOutgoingFull = false
    note(.roomy, slot)
  }

  /// After an upgrade: where the provider's frames are.
  package func frames(_ id: TransferID) -> FrameWalk? { live(id)?.frames }

  // MARK: - HTTP/2

  /// Lets go of the bytes that a stream has taken.
  private func takeBack(_ slot: Slot, _ session: HTTP2Session) {
    let sent = session.sent(of: slot.stream)
    guard sent > slot.bodyTaken else { return }
    slot.outgoing.consume(sent - slot.bodyTaken)
    slot.bodyTaken = sent
  }

  /// A connection's turn was sent: what its streams have taken of the bodies that they were fed goes.
  func settleFeeding(of connection: Connection, _ session: HTTP2Session) {
    if feedingStreams.isEmpty { return }
    feedingStreams.removeAll { id in
      guard let slot = live(id), slot.phase == .running, slot.connection != nil else { return true }
      if slot.connection !== connection { return false }
      let before = slot.bodyTaken
      takeBack(slot, session)
      if slot.bodyTaken > before {
        session.feed(slot.outgoing.unsafeBytes, isLast: !slot.feeding.isOpen, to: slot.stream)
        noteRoom(slot)
      }
      return !slot.feeding.isOpen && slot.outgoing.isEmpty
    }
  }
}
