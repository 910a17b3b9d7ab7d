package import Base
internal import Exchange
internal import Kernel
internal import Policy
internal import Wire

// Bodies and the memory that they take: who is read on, who waits, and who has to go.
extension Downstream {
  /// Counts what has come of a body that is not complete, as one of those that are under way.
  func noteUpload(_ connection: Connection, bytes: Int, now: Instant) {
    hold(connection, bytes: bytes)
    guard let number = connection.upload else {
      let number = uploads.begin(connection.id, length: announced(connection), limit: limits.requestBody)
      connection.upload = number
      uploads.came(number, bytes: bytes)
      connection.pace = UploadPace(bytes: bytes, now: now)
      timers.arm(Int(connection.id.slot), at: connection.pace.due)
      return
    }
    uploads.came(number, bytes: bytes)
    connection.pace.came(now: now)
  }

  /// The body is complete; false where there is no room for what it has not been counted for yet.
  func finishUpload(_ connection: Connection, bytes: Int) -> Bool {
    let isUnderWay = connection.upload != nil
    endUpload(connection)
    if isUnderWay {
      // Its last piece was asked for before it was read.
      hold(connection, bytes: bytes)
      return true
    }
    if bytes == 0 { return true }
    if bytes > admission.bytesFree - uploads.reserved { return false }
    hold(connection, bytes: bytes)
    return true
  }

  private func hold(_ connection: Connection, bytes: Int) {
    if connection.reservation == nil { connection.reservation = admission.reserve() }
    connection.reservation?.hold(bytes)
  }

  func endUpload(_ connection: Connection) {
    guard let number = connection.upload else { return }
    connection.upload = nil
    uploads.end(number)
  }

  /// Whether a connection's next bytes may be read now. False: its body waits for memory, and is not read.
  func mayRead(_ connection: Connection, room: Int, now: Instant) -> Bool {
    guard let number = connection.upload else { return true }
    let isFree = uploads.mayRead(
      number, room: room, free: admission.bytesFree, spared: admission.bytesSpared, now: now)
    // Also not for its end: what stands in front of that is to be read later.
    if !isFree { watch(connection, connection.interest.subtracting([.read, .peerClosed])) }
    return isFree
  }

  /// Reads on what has waited, as far as there is memory again.
  package func resumeUploads(now: Instant) {
    for _ in 0..<Limits.uploadsPerTurn {
      guard let id = uploads.next(free: admission.bytesFree, spared: admission.bytesSpared) else { return }
      guard let connection = connections[id], case .readingBody = connection.state else { continue }
      connection.pace = UploadPace(bytes: bodyBytes(of: connection), now: now)
      timers.arm(Int(connection.id.slot), at: connection.pace.due)
      watch(connection, connection.interest.union([.read, .peerClosed]))
      read(connection, now: now)
    }
  }

  /// Lets go of those who stand in the way of who waits for memory.
  package func relieveMemory(now: Instant) {
    guard uploads.lookAt <= now else { return }
    for (id, loss) in uploads.look(now: now) {
      guard let connection = connections[id], case .readingBody = connection.state else { continue }
      switch loss {
      case .tooSlow: refuse(connection, .requestTimeout)
      case .noRoom: refuseUnread(connection, .memoryFull)
      }
    }
  }

  /// A body's time has passed: it was too slow, or goes on.
  func uploadTimeDue(_ connection: Connection, now: Instant) {
    if let number = connection.upload, uploads.waits(number) {
      // It is us who do not read.
      connection.pace = UploadPace(bytes: bodyBytes(of: connection), now: now)
    }
    if connection.pace.isTooSlow(bytes: bodyBytes(of: connection), now: now) {
      refuse(connection, .requestTimeout)
    } else {
      timers.arm(Int(connection.id.slot), at: connection.pace.due)
    }
  }

  private func announced(_ connection: Connection) -> Int? {
    if case .length(let length) = connection.parser.head.framing { return length }
    return nil
  }

  private func bodyBytes(of connection: Connection) -> Int {
    connection.inbound.count - connection.parser.head.headLength
  }
}
