package import Base
package import Wire

// The data plane: body bytes from the buffer that was read into to the client's socket, on the shortest way.
//
// An answer in chunks or frames comes as many small pieces in one turn. They leave together when the turn is over: the
// first from where it lies, further ones from a staging buffer that all transfers share.
extension Upstream {
  /// Takes a piece of the body whole, or (false) nothing of it: the transfer is then paused.
  ///
  /// 1. Held back for a decision, as far as the request says. 2. The client's socket is full. 3. It waits for the turn's
  /// end. 4. Recorded for followers, unless even the fastest of them is far behind. 5. They get their turn first: one turn
  /// may read much.
  func relay(_ piece: UnsafeRawBufferPointer, of slot: Slot) -> Bool {
    switch slot.flow {
    case .holding:
      // 1
      if slot.held.count + piece.count > slot.request.holds {
        slot.isPaused = true
        if !slot.isHeldFull { note(.heldFull, slot) }
        slot.isHeldFull = true
        return false
      }
      slot.held.append(piece)
    case .forwarding(let sink):
      guard forward(piece, of: slot, to: sink) else { return false }
    case .recording(let recording, let sink):
      if let sink, !recording.isFollowed {
        guard forward(piece, of: slot, to: sink) else { return false }
        recording.append(piece, at: now)
      } else {
        // 4
        if slot.isHeldBack {
          slot.isPaused = true
          return false
        }
        if slot.recordedTurn == turn, slot.recordedBytes >= Limits.followerLag / 4 {  // 5
          slot.isPaused = true
          return false
        }
        recording.append(piece, at: now)
        slot.forwarded &+= UInt64(piece.count)
        if slot.recordedTurn != turn {
          slot.recordedTurn = turn
          slot.recordedBytes = 0
          note(.recorded, slot)
        }
        slot.recordedBytes += piece.count
      }
    }
    look(at: piece, slot)
    return true
  }

  /// The short way: to the client's socket, unless it is full (false).
  private func forward(_ piece: UnsafeRawBufferPointer, of slot: Slot, to sink: ResponseSink) -> Bool {
    // 2
    if sink.isBlocked {
      slot.isPaused = true
      return false
    }
    // 3
    if relayed == Int(slot.index) {
      // In one step, to what a read can bring: that much is kept.
      if staging.isEmpty { staging.reserve(Limits.connectionRead) }
      staging.append(piece)
    } else {
      sendRelayed()
      relayed = Int(slot.index)
      firstPiece = piece
    }
    slot.forwarded &+= UInt64(piece.count)
    return true
  }

  /// Keeps the times, and has the observer look at event streams.
  private func look(at piece: UnsafeRawBufferPointer, _ slot: Slot) {
    slot.received &+= UInt64(piece.count)
    if slot.status == 101 {
      // Lifetime: the span is over the caller's bytes and is not kept.
      slot.frames.observe(Span<UInt8>(_unsafeBytes: piece))
    }
    var isFirst = false
    if !slot.isKindKnown {
      isFirst = true
      if !learnKind(slot) {
        if !slot.isWatched { slot.lastContentAt = now }
        return
      }
    }
    if slot.isWatched {
      let before = slot.observer.contentEvents
      if isFirst {
        slot.held.withBytes { slot.observer.observe($0) }
      } else {
        // Lifetime: the span is over the caller's bytes and is not kept.
        slot.observer.observe(Span<UInt8>(_unsafeBytes: piece))
      }
      if slot.observer.sawErrorFrame, slot.firstContentAt == nil, !slot.isErrorNoted {
        slot.isErrorNoted = true
        note(.content, slot)
      }
      if slot.observer.contentEvents == before { return }
      if slot.firstContentAt == nil { note(.content, slot) }
    }
    if slot.firstContentAt == nil { slot.firstContentAt = now }
    slot.lastContentAt = now
  }

  /// Whether the body is an event stream, by its first bytes: gateways name streams `application/json`, and JSON
  /// `text/event-stream`. False: nothing can be told yet, and nothing was committed.
  private func learnKind(_ slot: Slot) -> Bool {
    guard case .holding = slot.flow, !slot.isHeldFull else {
      slot.isKindKnown = true
      return true
    }
    switch slot.held.withBytes({ BodyKind($0, blanks: &slot.blanks) }) {
    case .unknown: return false
    case .json:
      slot.isEventStream = false
      slot.hasContentType = true
    case .events: if slot.request.expectsEventStream { slot.isEventStream = true }
    case .other: break
    }
    slot.isKindKnown = true
    return true
  }

  private func noteBlocked(_ sink: ResponseSink, _ slot: Slot) {
    guard sink.isBlocked || sink.isBroken, !slot.isBlockNoted else { return }
    slot.isBlockNoted = true
    note(.blocked, slot)
  }

  /// Sends what the turn has brought for one client. To be called before the first piece's bytes are given up.
  ///
  /// `ended`: a transfer whose answer is complete. Its own last bytes wait in the kernel for the end that follows in this
  /// turn; of another one's, which may share its connection, nothing may wait.
  func sendRelayed(atEndOf ended: Slot? = nil) {
    if relayed < 0 { return }
    if let slot = slots[relayed], let sink = slot.flow.sink {
      sink.send(&frame, firstPiece, staging.unsafeBytes, isLast: slot === ended)
      noteBlocked(sink, slot)
    }
    relayed = -1
    if !staging.isEmpty { staging.recycle(keeping: Limits.connectionRead) }
  }

  /// Sends `head` and all held bytes at once, then forwards what comes.
  ///
  /// Also after `.ended`. Returns how many body bytes were held. Lifetime: the sink is kept until `cancel`.
  @discardableResult
  package func commit(
    _ id: TransferID, head: inout ByteBuffer, to sink: ResponseSink, now: Instant
  ) -> Int {
    guard let slot = live(id), case .holding = slot.flow else { return 0 }
    let count = slot.held.count
    slot.flow = .forwarding(sink)
    sink.send(&head, slot.held.unsafeBytes, isLast: slot.phase == .ended)
    slot.forwarded &+= UInt64(count)
    slot.held.recycle(keeping: Limits.keptSlotBuffer)
    resume(id, now: now)
    return count
  }

  /// The output has drained: lets a paused transfer go on. Harmless at any other time.
  package func resume(_ id: TransferID, now: Instant) {
    guard let slot = live(id), slot.phase == .running else { return }
    switch slot.flow {
    case .holding: return
    case .forwarding(let sink): if sink.isBlocked { return }
    case .recording(let recording, let sink):
      if !recording.isFollowed, sink?.isBlocked == true { return }
    }
    slot.isHeldBack = false
    slot.isBlockNoted = false
    guard slot.isPaused else { return }
    work(now) { unpause(slot) }
  }

  /// Records what comes from now on, what was held first, for those who follow the recording.
  package func record(_ id: TransferID, into recording: Recording, now: Instant) {
    guard let slot = live(id), case .holding = slot.flow else { return }
    slot.forwarded &+= UInt64(slot.held.count)
    recording.widenWindow(by: slot.held.count)
    slot.held.withBytes { recording.append($0, at: now) }
    slot.held.recycle(keeping: Limits.keptSlotBuffer)
    slot.flow = .recording(recording, nil)
    resume(id, now: now)
  }

  /// The only client has had all that is recorded: it gets what comes straight away, as long as the recording
  /// is not followed. Lifetime: the sink is kept until `cancel`.
  package func goDirect(_ id: TransferID, to sink: ResponseSink) {
    guard let slot = live(id), case .recording(let recording, _) = slot.flow else { return }
    slot.flow = .recording(recording, sink)
  }

  /// Takes nothing more from the provider until `resume`.
  package func holdBack(_ id: TransferID) { live(id)?.isHeldBack = true }
}

extension Slot.Flow {
  /// Where bytes go straight away.
  fileprivate var sink: ResponseSink? {
    switch self {
    case .holding: nil
    case .forwarding(let sink): sink
    case .recording(_, let sink): sink
    }
  }
}
