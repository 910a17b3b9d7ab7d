package import Base

/// The bodies that come in more than one piece, the oldest first, and which of them are read on where
/// `limits.memory` is short.
///
/// What has come is counted, not what was announced: who sends nothing holds nothing. Who finds no room is not read
/// (its TCP connection holds it back) until there is:
/// 1. A body of up to `Limits.smallBody` bytes, as announced or as come so far, is read while there is any room. 2. The
/// rest of a larger one must fit at once, with a part of the memory left to small ones, when more of it has come. It is
/// set aside then, so that who is read can finish and no two wait for each other. 3. No large body overtakes an older
/// one that waits.
///
/// While somebody waits, `look` finds who has to go: 4. who holds memory, or has it set aside, and sends hardly
/// anything; 5. of those that have waited for long, the younger half, for then there may be room for the older ones.
package struct Uploads {
  package enum Loss: Sendable { case tooSlow, noRoom }

  private enum Phase {
    case small, admitted
    case waiting(since: Instant)
  }

  private struct Upload {
    let number: UInt64
    let id: SlotID
    /// Bytes that there may be in all, and whether they are announced.
    let total: Int
    let isAnnounced: Bool
    /// Bytes that have come.
    var bytes = 0
    /// Bytes that are to be read next.
    var room = 0
    var phase = Phase.small
    /// `bytes` at the last look; nil where it was not read on all the time since.
    var seen: Int?

    var rest: Int { max(0, total - bytes) }
    var isSmall: Bool { (isAnnounced ? total : bytes + room) <= Limits.smallBody }
    var isAdmitted: Bool {
      if case .admitted = phase { return true }
      return false
    }
    var waitsSince: Instant? {
      if case .waiting(let since) = phase { return since }
      return nil
    }
  }

  private var uploads: [Upload] = []
  private var lastNumber: UInt64 = 0
  private var waiting = 0
  /// Bytes that have come, and those set aside for what is still to come.
  package private(set) var bytes = 0
  package private(set) var reserved = 0
  /// When `look` is due; while nobody waits, never.
  package private(set) var lookAt = Instant.distantFuture

  package init() {}

  package var count: Int { uploads.count }
  package var isSomebodyWaiting: Bool { waiting > 0 }

  /// A body of which more is to come, with its length if that is announced. The number is its name in what follows.
  package mutating func begin(_ id: SlotID, length: Int?, limit: Int) -> UInt64 {
    lastNumber += 1
    uploads.append(Upload(number: lastNumber, id: id, total: length ?? limit, isAnnounced: length != nil))
    return lastNumber
  }

  /// It is complete, refused or gone.
  package mutating func end(_ number: UInt64) {
    guard let place = place(of: number) else { return }
    bytes -= uploads[place].bytes
    change(place, to: .small)
    uploads.remove(at: place)
  }

  package mutating func came(_ number: UInt64, bytes now: Int) {
    guard let place = place(of: number) else { return }
    let before = uploads[place].rest
    bytes += now - uploads[place].bytes
    uploads[place].bytes = now
    if uploads[place].isAdmitted { reserved += uploads[place].rest - before }
  }

  package func waits(_ number: UInt64) -> Bool { place(of: number).flatMap { uploads[$0].waitsSince } != nil }

  /// Whether `room` further bytes may be read now. False: `next` will name it.
  ///
  /// - Parameters:
  ///   - free: bytes of `limits.memory` that nobody holds.
  ///   - spared: bytes that large bodies leave to small ones.
  package mutating func mayRead(_ number: UInt64, room: Int, free: Int, spared: Int, now: Instant) -> Bool {
    guard let place = place(of: number) else { return false }
    uploads[place].room = room
    if goesOn(place, free: free, spared: spared) { return true }
    if uploads[place].waitsSince == nil { change(place, to: .waiting(since: now)) }
    return false
  }

  /// One that waits and may be read on now: it waits no more.
  package mutating func next(free: Int, spared: Int) -> SlotID? {
    if waiting == 0 { return nil }
    for place in uploads.indices where uploads[place].waitsSince != nil {
      if goesOn(place, free: free, spared: spared) { return uploads[place].id }
    }
    return nil
  }

  private mutating func goesOn(_ place: Int, free: Int, spared: Int) -> Bool {
    let upload = uploads[place]
    if upload.isAdmitted { return true }
    if upload.isSmall {  // 1
      if upload.room > free - reserved { return false }
      change(place, to: .small)
      return true
    }
    if upload.rest > free - reserved - spared { return false }  // 2
    if uploads[..<place].contains(where: { $0.waitsSince != nil && !$0.isSmall }) { return false }  // 3
    change(place, to: .admitted)
    return true
  }

  /// Who has to go now that somebody waits.
  package mutating func look(now: Instant) -> [(id: SlotID, loss: Loss)] {
    lookAt = waiting > 0 ? now + Limits.uploadLook : .distantFuture
    if waiting == 0 { return [] }
    var lost: [(id: SlotID, loss: Loss)] = []
    var expired: [Int] = []
    for place in uploads.indices {
      let upload = uploads[place]
      if let since = upload.waitsSince {
        if now - since >= Limits.uploadWait { expired.append(place) }
        continue
      }
      uploads[place].seen = upload.bytes
      guard let seen = upload.seen, upload.isAdmitted || upload.bytes >= Limits.slowUploadHolds else {
        continue
      }
      if upload.bytes - seen < Limits.pressedUpload { lost.append((upload.id, .tooSlow)) }  // 4
    }
    for place in expired.suffix((expired.count + 1) / 2) { lost.append((uploads[place].id, .noRoom)) }  // 5
    return lost
  }

  private mutating func change(_ place: Int, to phase: Phase) {
    if uploads[place].isAdmitted { reserved -= uploads[place].rest }
    if uploads[place].waitsSince != nil {
      waiting -= 1
      if waiting == 0 { lookAt = .distantFuture }
    }
    uploads[place].phase = phase
    switch phase {
    case .small: break
    case .admitted: reserved += uploads[place].rest
    case .waiting(let since):
      uploads[place].seen = nil
      waiting += 1
      if waiting == 1 {
        lookAt = since + Limits.uploadLook
        for other in uploads.indices { uploads[other].seen = nil }
      }
    }
  }

  /// Numbers rise.
  private func place(of number: UInt64) -> Int? {
    var low = 0
    var high = uploads.count
    while low < high {
      let middle = (low + high) / 2
      if uploads[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low < uploads.count && uploads[low].number == number ? low : nil
  }
}

/// Whether a body comes fast enough: something in each `Limits.bodyStall`, and not next to nothing in each
/// `Limits.bodyWindow`. Bytes that came early do not count for later: else who sent much at once could hold it for
/// hours.
package struct UploadPace {
  private var lastAt: Instant
  private var windowAt: Instant
  private var windowBytes: Int

  package init(bytes: Int, now: Instant) {
    lastAt = now
    windowAt = now
    windowBytes = bytes
  }

  package mutating func came(now: Instant) { lastAt = now }

  /// When `isTooSlow` is to be asked next.
  package var due: Instant { min(lastAt + Limits.bodyStall, windowAt + Limits.bodyWindow) }

  /// - Parameter bytes: that have come so far.
  package mutating func isTooSlow(bytes: Int, now: Instant) -> Bool {
    if now - lastAt >= Limits.bodyStall { return true }
    if now - windowAt < Limits.bodyWindow { return false }
    if bytes - windowBytes < Limits.bodyWindowBytes { return true }
    windowAt = now
    windowBytes = bytes
    return false
  }
}
