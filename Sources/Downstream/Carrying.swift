internal import Base
internal import HTTP2
internal import Kernel
internal import Wire

// How answers get on the streams of an HTTP/2 connection: what a turn has gathered for them is lent to the session, which
// makes frames of it, as many as windows and socket take.
extension Downstream {
  /// Something may be to be sent on a connection when the turn is over.
  func soil(_ carrier: Connection) {
    guard let carriage = carrier.carriage, !carriage.isSoiled else { return }
    carriage.isSoiled = true
    soiled.append(carrier)
  }

  /// An output has something to say at the end of the turn.
  func wantsToSend(_ stream: Connection, _ lane: Lane) {
    if !lane.isSending {
      lane.isSending = true
      lane.carrier.carriage?.sending.append(stream.id)
    }
    soil(lane.carrier)
  }

  /// Sends what there is, as far as windows and socket take it, and sees what has become of each stream.
  func send(_ carrier: Connection, now: Instant) {
    guard let carriage = carrier.carriage else { return }
    carriage.isSoiled = false
    let session = carriage.session
    for id in carriage.sending {
      if let stream = connections[id] { lend(stream, to: session) }
    }
    var hasMore = true
    while hasMore, !carrier.output.isBlocked {
      hasMore = false
      while !carrier.output.isBlocked, let bytes = session.output() {
        carrier.output.write(bytes)
        hasMore = true
      }
      carrier.push()
    }
    let sending = carriage.sending
    carriage.sending.removeAll(keepingCapacity: true)
    for id in sending {
      if let stream = connections[id] { takeBack(stream, session, carriage, now: now) }
    }
    takeEvents(carrier, session, now: now)
    if session.isBroken {
      end(carrier, now: now)
    } else if carriage.isEnding, carriage.streams.isEmpty, !carrier.output.isBlocked {
      end(carrier, now: now)
    } else {
      settle(carrier, now: now)
      let place = Int(carrier.id.slot)
      if carriage.streams.isEmpty, timers.deadline(of: place) == nil {
        timers.arm(place, at: now + Limits.keepAlive)
      }
    }
  }

  /// 1. Heads, as they stand in the output. 2. What may follow them; until `takeBack`.
  private func lend(_ stream: Connection, to session: HTTP2Session) {
    guard let lane = stream.lane, stream.state != .closed else { return }
    let ends = lane.isFinished && !stream.sink.isCut
    var isInterim = true
    while isInterim, !lane.hasHead {  // 1
      isInterim = false
      stream.output.take { bytes in
        // Lifetime: the span and the head are of the output's bytes, during the call.
        let waiting = Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(bytes))
        guard let end = waiting.firstRange(of: "\r\n\r\n") else { return 0 }
        isInterim = waiting.hasPrefix("HTTP/1.1 1")
        lane.hasHead = !isInterim
        session.answer(
          lane.stream, head: UnsafeMutableRawBufferPointer(rebasing: bytes[..<(end + 4)]),
          bare: ends && !isInterim && end + 4 == bytes.count)
        return end + 4
      }
    }
    if lane.hasHead { session.lend(stream.output.waiting, to: lane.stream, ends: ends) }  // 2
  }

  /// 1. The answer's end is out. 2. All is out that there is of one that was cut. 3. All is out that there is. 4. Its
  /// window or the socket is full: the rest waits, be it the end alone.
  private func takeBack(
    _ stream: Connection, _ session: HTTP2Session, _ carriage: Carriage, now: Instant
  ) {
    guard let lane = stream.lane, stream.state != .closed else { return }
    let wasBlocked = stream.output.isBlocked
    let (count, hasEnded) = session.takeBack(of: lane.stream)
    stream.output.passed(count)
    lane.isSending = false
    if hasEnded {  // 1
      lane.isOver = lane.isWhole
      close(stream)
    } else if stream.output.waiting.isEmpty, !lane.isFinished || stream.sink.isCut {
      if lane.isFinished {  // 2
        close(stream)
      } else if wasBlocked {  // 3
        unblocked(stream, now: now)
      }
    } else {  // 4
      lane.isSending = true
      carriage.sending.append(stream.id)
      if count > 0, wasBlocked { noteWriteProgress(stream, now: now) }
      settle(stream, now: now)
    }
  }

  /// The whole answer is with a stream's output.
  func finishStream(_ stream: Connection, _ lane: Lane) {
    lane.isFinished = true
    stream.state = .flushing
    wantsToSend(stream, lane)
  }

  /// A stream is closed: whatever is not said yet of it is said by a reset (RFC 9113 §5.4.2, §8.1).
  func leave(_ stream: Connection, _ lane: Lane) {
    guard let carriage = lane.carrier.carriage else { return }
    carriage.remove(lane.stream)
    if !lane.isOver {
      let isAnswered = lane.isFinished && !stream.sink.isCut && stream.output.waiting.isEmpty
      carriage.session.reset(
        lane.stream, isAnswered ? .noError : stream.sink.isCut ? .internalError : .cancel)
    }
    lane.carrier.wasAnswered = true
    soil(lane.carrier)
  }

  // MARK: - The connection's end

  /// Takes no further streams; the connection ends with the last one.
  func retire(_ carrier: Connection) {
    guard let carriage = carrier.carriage, !carriage.isEnding else { return }
    carriage.isEnding = true
    carriage.session.takeNoFurther()
    soil(carrier)
  }

  /// All has been said on a connection.
  private func end(_ carrier: Connection, now: Instant) {
    if carrier.output.isBroken {
      close(carrier)
      return
    }
    closeStreams(of: carrier)
    carrier.carriage = nil
    linger(carrier, now: now)
  }

  func closeStreams(of carrier: Connection) {
    guard let carriage = carrier.carriage else { return }
    for place in carriage.streams {
      guard let stream = connections[place.id] else { continue }
      stream.lane?.isOver = true
      close(stream)
    }
  }
}
