package import Base
package import Exchange
internal import Kernel
internal import Policy
internal import Wire

// What a head must pass before its body is read, and what happens to those who cannot come in at all.
extension Downstream {
  /// Nil where the body may come: 1. who calls, and from where; 2. whether there is room for a further exchange,
  /// or the body is small and may ask for what is stored or under way; 3. how often this client may.
  func examine(_ connection: Connection, now: Instant) -> LocalError? {
    connection.access = connection.inbound.withBytes { bytes in
      gate.examine(connection.parser.head, in: bytes, reach: connection.reach)
    }
    if let refusal = connection.access.refusal { return refusal }  // 1
    guard connection.access.isExchange else { return nil }
    if admission.isFull, !hasSmallBody(connection) { return .overloaded }  // 2
    guard let account = connection.access.account else { return nil }
    let wait = account.takeTurn(now: now)  // 3
    connection.access.quota = account.quota(now: now)
    return wait.map { .clientRateLimited($0) }
  }

  private func hasSmallBody(_ connection: Connection) -> Bool {
    switch connection.parser.head.framing {
    case .none: true
    case .length(let length): length <= Limits.readPerTurn
    case .chunked: false
    }
  }

  /// Refuses a request whose body may not have come. The connection lives on only where all of it is here: else
  /// the rest of the body would be taken for the next request.
  package func refuseUnread(_ connection: Connection, _ error: LocalError) {
    let head = connection.parser.head.headLength
    connection.requestLength = head
    switch connection.parser.head.framing {
    case .none: break
    case .length(let length):
      if connection.inbound.count - head >= length {
        connection.requestLength = head + length
      } else {
        connection.keepsAlive = false
      }
    case .chunked: connection.keepsAlive = false
    }
    refuse(connection, error)
  }

  // MARK: - Room for others

  /// Makes room for who waits: of the clients that were answered and ask nothing, the one that has been quiet
  /// longest goes. The new one is accepted in the next turn.
  func closeLongestIdle() {
    var longest: Connection?
    var soonest = Instant.distantFuture
    for place in connections.places {
      guard let connection = connections[place], connection.wasAnswered, isIdle(connection),
        let due = timers.deadline(of: place), due < soonest
      else { continue }
      longest = connection
      soonest = due
    }
    if let longest { close(longest) }
  }

  private func isIdle(_ connection: Connection) -> Bool {
    switch connection.state {
    case .idle: true
    case .carrying: connection.carriage?.streams.isEmpty == true
    case .securing, .readingHead, .readingBody, .answering, .flushing, .lingering, .closed: false
    }
  }

  // MARK: - Out of descriptors

  enum TurnedAway { case one, nobody, failed }

  /// Gives the reserve descriptor to one waiting connection, tells it why it cannot come in, and closes it. The
  /// listener is not left readable, so that nothing spins.
  ///
  /// accept(2) takes its descriptor before it looks whether anybody waits, so an empty backlog is no failure.
  func refuseByReserve(_ place: ListenerPlace) -> TurnedAway {
    guard reserve.release() else { return .failed }
    defer { reserve.restore() }
    switch place.listener.accept() {
    case .accepted(let descriptor, _):
      // Whoever wants TLS first cannot be told anything without a handshake.
      if place.identity != nil { return .one }
      // What has come is read first: a close with unread bytes would be a reset, which can overtake the answer.
      var sent = ByteBuffer()
      _ = Socket.receive(descriptor.raw, into: &sent, room: Limits.readPerTurn)
      let body: StaticString =
        #"{"error":{"message":"Out of file descriptors. Try again.","type":"server_error","param":null,"code":"overloaded"}}"#
      var answer = ByteBuffer()
      answer.appendStatusLine(503)
      answer.appendField("Content-Type", "application/json")
      answer.appendField("Content-Length", decimal: body.utf8CodeUnitCount)
      answer.appendField("Retry-After", "1")
      answer.appendField("Connection", "close")
      answer.appendHeadEnd()
      answer.append(body)
      _ = answer.withBytes { Socket.send(descriptor.raw, $0) }
      Socket.shutdownWrite(descriptor.raw)
      return .one
    case .aborted: return .one
    case .wouldBlock: return .nobody
    case .outOfDescriptors: return .failed
    }
  }

  /// Asks again, when a pause for want of descriptors is over.
  package func retryAccepting(now: Instant) {
    guard let due = retryAt, due <= now else { return }
    retryAt = nil
    resumeAccepting()
  }
}
