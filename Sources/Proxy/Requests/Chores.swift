internal import Base
internal import Downstream
internal import Exchange
internal import Wire

/// Work that goes through a whole body. Where that is large it is done in slices of `Limits.bodySlice`, one in each turn
/// of the loop, so that others have their turns between; what came first is done first.
enum Chore {
  case reading(BodyReading)
  case editing(BodyEditing)
}

/// Finds out where a request goes, and then under which key its answer is shared.
final class BodyReading {
  let connection: SlotID
  let endpoint: Endpoint
  /// When its last byte had come.
  let arrivedAt: Instant
  var reader: RequestReader
  var facts: RequestFacts?
  var key: RequestKey?
  /// How far the body may be gone through by now; 0: not begun.
  var limit = 0

  init(_ connection: SlotID, _ endpoint: Endpoint, _ reader: RequestReader, now: Instant) {
    self.reader = reader
    self.connection = connection
    self.endpoint = endpoint
    arrivedAt = now
  }
}

/// Makes the body of an attempt as its provider's edits want it.
final class BodyEditing {
  let run: SlotID
  let attempt: Int
  /// A later attempt in the same place has another.
  let openedAt: Instant
  var walk: EditWalk

  init(_ run: SlotID, attempt: Int, openedAt: Instant, _ walk: consuming EditWalk) {
    self.run = run
    self.attempt = attempt
    self.openedAt = openedAt
    self.walk = walk
  }
}

extension Runner {
  /// Does the next slice of the first chore.
  func continueChore(_ now: Moment) {
    guard let chore = chores.first else { return }
    let isDone =
      switch chore {
      case .reading(let reading): goOn(reading, now)
      case .editing(let editing): goOn(editing, now)
      }
    if isDone { chores.removeFirst() }
    cancelAbandoned(now)
  }

  /// True: the request has what it needs, was refused, or its client has left.
  private func goOn(_ reading: BodyReading, _ now: Moment) -> Bool {
    guard let connection = downstream.connection(reading.connection), connection.isAnswering else {
      return true
    }
    reading.limit += Limits.bodySlice
    if reading.key == nil {
      do throws(LocalError) {
        reading.facts = try read(connection, reading)
      } catch {
        refuse(connection, error, now: now)
        return true
      }
    } else if !takeKey(connection, reading) {
      return false
    }
    guard let facts = reading.facts else { return false }
    guard var shape = shape(connection, facts, reading.endpoint, now) else { return true }
    if reading.key == nil, wantsKey(connection, facts, shape) {
      reading.key = requestKey(connection, facts, reading.endpoint)
      reading.limit = 0
      return false
    }
    note(in: &shape, connection, facts, reading.reader)
    let key = reading.key.take()?.finish()
    begin(connection, facts, shape, key: key, arrivedAt: reading.arrivedAt, now)
    return true
  }

  private func read(_ connection: Connection, _ reading: BodyReading) throws(LocalError) -> RequestFacts? {
    try connection.inbound.withBytes { bytes throws(LocalError) in
      if reading.limit == Limits.bodySlice {
        let type = connection.head.value(of: .contentType) ?? 0..<0
        try reading.reader.begin(contentType: bytes.extracting(type))
      }
      return try reading.reader.goOn(bytes.extracting(connection.body), upTo: reading.limit)
    }
  }

  private func takeKey(_ connection: Connection, _ reading: BodyReading) -> Bool {
    connection.inbound.withBytes(connection.body) { body in
      reading.key?.goOn(body, reading.reader.probe, upTo: reading.limit) ?? true
    }
  }

  /// True: the attempt is on its way, or nobody wants it any more.
  private func goOn(_ editing: BodyEditing, _ now: Moment) -> Bool {
    guard let run = runs[editing.run] else { return true }
    let attempt = run.exchange.attempts[editing.attempt]
    guard attempt.openedAt == editing.openedAt else { return true }
    guard attempt.phase == .connecting else {
      run.dropPatch(of: editing.attempt)
      return true
    }
    let isDone = run.request.withBytes(run.body) { editing.walk.goOn($0, budget: Limits.bodySlice) }
    let answer: ExchangeEvent?
    if isDone {
      answer = send(editing.attempt, run, &editing.walk, now)
    } else if run.charge(editing.walk.bytesHeld, for: editing.attempt) {
      return false
    } else {
      answer = .couldNotOpen(editing.attempt, .memoryFull)
    }
    if let answer {
      run.dropPatch(of: editing.attempt)
      tell(run, answer, now)
    }
    return true
  }
}
