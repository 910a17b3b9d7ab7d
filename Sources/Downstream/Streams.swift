internal import Base
internal import Exchange
internal import HTTP2
internal import Kernel
internal import Policy
internal import Transport
internal import Wire

// Clients that speak HTTP/2 (RFC 9113): how requests come off a connection's streams, as soon as their frames have been
// read. Answers get on them in `Carrying.swift`.
extension Downstream {
  /// A connection speaks HTTP/2 from now on. `sent`: what it has sent already.
  func carry(_ connection: Connection, now: Instant) {
    guard let session = HTTP2Session(answering: limits.header, at: desk) else {
      close(connection)
      return
    }
    connection.carriage = Carriage(session)
    connection.state = .carrying
    connection.output.gather(in: gathered, place: connection.id.slot)
    timers.arm(Int(connection.id.slot), at: now + Limits.headTime)
    if isDraining { session.announceEnd() }
    soil(connection)
    if connection.inbound.isEmpty { return }
    // Lifetime: nothing is appended to the buffer before all events have been taken.
    session.receive(connection.inbound.unsafeBytes)
    takeEvents(connection, session, now: now)
    connection.inbound.release()
  }

  /// What a plain connection's first bytes are if they begin HTTP/2 (RFC 9113 §3.4): all of the preface has come, or a
  /// part of it that nothing else begins with.
  enum Preface { case whole, begun, other }

  func preface(_ connection: Connection) -> Preface {
    if connection.wasAnswered || connection.transport.isSecure || connection.inbound.count < 2 {
      return .other
    }
    // POST and PUT part from it here.
    if connection.inbound[1] != UInt8(ascii: "R") { return .other }
    let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    let count = min(connection.inbound.count, preface.utf8CodeUnitCount)
    for at in 0..<count where connection.inbound[at] != preface.utf8Start[at] { return .other }
    return count == preface.utf8CodeUnitCount ? .whole : .begun
  }

  /// A connection that carries streams is readable.
  func hear(_ carrier: Connection, now: Instant) {
    guard let carriage = carrier.carriage else { return }
    var end: Transport.End?
    let count = inbox.fill(room: Limits.connectionRead) { free in
      let received = carrier.transport.receive(into: free)
      end = received.end
      return received.count
    }
    if count > 0 {
      // Lifetime: nothing is read into the inbox before all events have been taken.
      carriage.session.receive(inbox.unsafeBytes)
      takeEvents(carrier, carriage.session, now: now)
      inbox.removeAll()
      if carriage.isNoisy(now: now) {
        // Who does not read will not read that either.
        if carrier.output.isBlocked { return close(carrier) }
        carriage.session.callForCalm()
      }
      soil(carrier)
    }
    // Who has shut its side down can open no windows: it is gone.
    if end != nil { close(carrier) }
  }

  func takeEvents(_ carrier: Connection, _ session: HTTP2Session, now: Instant) {
    while let event = session.nextEvent() {
      switch event.fact {
      case .head, .openHead, .headTooLong: open(event, on: carrier, session, now: now)
      case .data:
        // What other streams may bring does not wait for this one.
        session.tookIn(event.bytes.count)
        if let stream = stream(event, of: carrier) {
          takeBody(event.bytes, stream, session, now: now)
        } else {
          session.passedOn(event.bytes.count, of: event.stream)
        }
      case .end: if let stream = stream(event, of: carrier) { endRequest(stream) }
      case .closed:
        if let stream = stream(event, of: carrier) {
          stream.lane?.isOver = true
          close(stream)
        }
      case .goAway: break
      }
    }
  }

  /// Whose event it is; nil: it has been closed.
  private func stream(_ event: HTTP2Event, of carrier: Connection) -> Connection? {
    carrier.carriage?[event.stream].flatMap { connections[$0] }
  }

  // MARK: - Requests

  private func open(_ event: HTTP2Event, on carrier: Connection, _ session: HTTP2Session, now: Instant) {
    guard let carriage = carrier.carriage else { return }
    let made = connections.insert { id in
      Connection(id: id, lane: Lane(carrier, event.stream), maximumHead: limits.header, gathering: gathered)
    }
    guard let stream = made else {
      // It has not been looked at, and may come again (RFC 9113 §8.7).
      session.reset(event.stream, .refusedStream)
      return
    }
    carriage.add(event.stream, stream.id)
    session.shareFairly(event.stream)
    if !carrier.output.isBlocked { timers.disarm(Int(carrier.id.slot)) }
    if event.fact == .headTooLong {
      refuse(stream, .headTooLarge)
      return
    }
    stream.inbound.append(event.bytes)
    do throws(WireFault) {
      try stream.inbound.withBytes { bytes throws(WireFault) in
        try stream.parser.parse(fieldSection: bytes, isWhole: event.fact == .head)
      }
    } catch {
      refuse(stream, LocalError(error))
      return
    }
    if let refusal = examine(stream, now: now) {
      refuseUnread(stream, refusal)
      return
    }
    beginBody(stream, now: now)
  }

  private func beginBody(_ stream: Connection, now: Instant) {
    if stream.access.isPassedOn {
      startFeed(stream)
      return
    }
    switch stream.parser.head.framing {
    case .none:
      stream.requestLength = stream.parser.head.headLength
      complete(stream)
      return
    case .length(let length):
      if length > limits.requestBody {
        refuse(stream, .requestTooLarge(limit: limits.requestBody))
        return
      }
      stream.requestLength = stream.parser.head.headLength + length
    case .chunked: break
    }
    stream.state = .readingBody
    stream.pace = UploadPace(bytes: 0, now: now)
    timers.arm(Int(stream.id.slot), at: stream.pace.due)
    if stream.parser.head.expectsContinue {
      stream.output.write("HTTP/1.1 100 Continue\r\n\r\n" as StaticString)
    }
  }

  private func takeBody(
    _ bytes: UnsafeRawBufferPointer, _ stream: Connection, _ session: HTTP2Session, now: Instant
  ) {
    guard let lane = stream.lane else { return }
    if stream.feed != nil {
      stream.inbound.append(bytes)
      lane.owed += bytes.count
      events.append(.fed(stream.id))
      return
    }
    guard stream.state == .readingBody else {
      session.passedOn(bytes.count, of: lane.stream)
      return
    }
    let count = stream.inbound.count - stream.parser.head.headLength + bytes.count
    if count > limits.requestBody {
      refuse(stream, .requestTooLarge(limit: limits.requestBody))
      return
    }
    stream.inbound.reserve(bytes.count, total: max(stream.requestLength, stream.inbound.count + bytes.count))
    stream.inbound.append(bytes)
    lane.owed += bytes.count
    noteUpload(stream, bytes: count, now: now)
    goOn(stream, now: now)
  }

  /// Lets more of a body come, as far as there is memory for it.
  func goOn(_ stream: Connection, now: Instant) {
    if mayRead(stream, room: Limits.clientStreamWindow, now: now) { giveBack(stream) }
  }

  /// What has come of a body has been taken up: as much again may come.
  func giveBack(_ stream: Connection) {
    guard let lane = stream.lane, lane.owed > 0, stream.feed == nil || stream.inbound.count < Limits.passing
    else { return }
    lane.carrier.carriage?.session.passedOn(lane.owed, of: lane.stream)
    lane.owed = 0
    soil(lane.carrier)
  }

  private func endRequest(_ stream: Connection) {
    stream.lane?.isWhole = true
    if stream.feed != nil {
      stream.feed?.end()
      events.append(.fed(stream.id))
      return
    }
    guard stream.state == .readingBody else { return }
    stream.requestLength = stream.inbound.count
    guard finishUpload(stream, bytes: stream.requestLength - stream.parser.head.headLength) else {
      refuseUnread(stream, .memoryFull)
      return
    }
    complete(stream)
  }
}
