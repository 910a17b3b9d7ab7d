internal import CLinux

/// The bytes of one answer's body as they were sent, for followers, and for the cache once complete.
///
/// An append-only log in few large blocks: a small first one, so that a short answer stays short, then blocks
/// of one size, so that freed ones fit the next recording. Readers hold plain offsets from the first byte of
/// the body. What is kept is said by `extent`:
/// 1. `.whole`: every byte since the first. So it begins.
/// 2. `.live`: more came than `cap` or the meter allow, and somebody follows: only a window of the latest
///    bytes is kept. Readers that fall out of the window find their offset below `start`.
/// 3. `.nothing`: more came than allowed and nobody follows: bytes are only counted.
///
/// `append` never fails: at a bound it moves down this list. It allocates only when a block is full.
package final class Recording {
  package enum Extent: Sendable { case whole, live, nothing }

  package private(set) var extent = Extent.whole
  /// Offset of the first byte that is held.
  package private(set) var start = 0
  /// Offset behind the last byte: the bytes of the body so far.
  package var end: Int { tail.end }
  /// Bytes of a whole recording.
  package let cap: Int
  /// Bytes behind the end that are surely held while `.live`.
  package private(set) var window: Int
  /// Memory held, in bytes: blocks, marks and bookkeeping. As counted in the meter.
  package private(set) var footprint = 0

  private var meter: MemoryMeter
  // Lifetime: the first block and a fitted one come from malloc, all others from the meter's pool; each goes
  // back in `giveBack`. Pointers into one are lent only for the length of a `with…` closure.
  private var blocks: [UnsafeMutableRawPointer] = []
  /// Blocks dropped in front: the number of the first one held.
  private var firstBlock = 0
  /// Bytes of the last block once `seal` has fitted it.
  private var fittedRoom: Int?
  private var isSealed = false
  private var tail: RecordingTail
  private var pace: RecordedPace

  /// Bytes of the first block: a power of two less malloc's own header.
  package static let firstRoom = 4 * 1024 - 16
  /// The object itself and its arrays.
  private static let fixedCost = 320
  /// The pointer to a block, and malloc's header.
  private static let blockCost = 32

  /// - Parameters:
  ///   - cap: bytes of a whole recording, below 4 GiB.
  ///   - window: bytes kept for followers once more came than `cap`.
  ///   - meter: what all recordings of its kind may hold together.
  ///   - keepsPace: remember when each chunk came (for `replay: paced`).
  package init(cap: Int, window: Int, meter: MemoryMeter, keepsPace: Bool = false) {
    precondition(cap >= 0 && UInt64(cap) <= UInt64(UInt32.max) && window >= 0)
    self.cap = cap
    self.window = window
    self.meter = meter
    tail = RecordingTail(isPlain: !keepsPace)
    pace = RecordedPace(isKept: keepsPace)
    charge(Self.fixedCost)
  }

  deinit {
    for index in blocks.indices { giveBack(index) }
    meter.give(footprint)
  }

  /// The recording was given up as a whole: it cannot be stored.
  package var isOverflown: Bool { extent != .whole }

  /// The first byte is still there: who joins now can have everything.
  package var isJoinable: Bool {
    switch extent {
    case .whole: true
    case .live: start == 0
    case .nothing: false
    }
  }

  /// Somebody reads from here while the answer runs. Nobody any more: what is held only for followers goes.
  package var isFollowed = false {
    didSet { if !isFollowed, extent == .live { forget() } }
  }

  // MARK: - Writing

  package func append(_ bytes: Span<UInt8>, at now: Instant = .distantPast) {
    bytes.withUnsafeBufferPointer { append(UnsafeRawBufferPointer($0), at: now) }
  }

  /// Takes a copy of bytes lent by C. `now` matters only where the pace is kept.
  package func append(_ bytes: UnsafeRawBufferPointer, at now: Instant = .distantPast) {
    if !tail.put(bytes) { appendBeyond(bytes, now) }
  }

  /// Bytes that need another block, or reach a bound, or whose time is noted.
  private func appendBeyond(_ bytes: UnsafeRawBufferPointer, _ now: Instant) {
    precondition(!isSealed)
    if extent == .whole {
      footprint += pace.note(offset: end, at: now, meter: meter)
      if bytes.count > cap - end { giveUpWhole() }
    }
    var left = bytes
    while left.count > 0, extent != .nothing {
      if tail.room > 0 {
        left = UnsafeRawBufferPointer(rebasing: left[tail.fill(left)...])
      } else if addBlock() {
        openTail()
      } else {
        giveUpWhole()
      }
    }
    if extent == .nothing {
      tail.end += left.count
      start = end
    }
  }

  /// The room that is left for bytes, after blocks, cap or extent have changed.
  private func openTail() {
    guard let block = blocks.last else { return tail.close() }
    let number = firstBlock + blocks.count - 1
    let room = Self.blockEnd(number) - end
    let used = (number == 0 ? Self.firstRoom : BlockPool.room) - room
    tail.next = block + used
    tail.room = extent == .whole ? min(room, cap - end) : room
  }

  /// The answer will not be stored: keep only what followers need. Who comes later cannot join once bytes
  /// have been dropped.
  package func giveUpWhole() {
    guard extent == .whole else { return }
    footprint -= pace.release(meter: meter)
    if isFollowed {
      extent = .live
      dropOutside()
      openTail()
    } else {
      forget()
    }
  }

  /// `count` bytes come at once that nobody has had a chance to read: followers keep them besides the window.
  package func widenWindow(by count: Int) { window += count }

  /// Followers need nothing before `offset` any more. Only a live recording drops anything.
  package func drop(before offset: Int) {
    guard extent == .live else { return }
    let limit = min(offset, end)
    while !blocks.isEmpty, Self.blockEnd(firstBlock) <= limit { dropBlock() }
    if blocks.isEmpty { tail.close() }
  }

  /// No more bytes will come: gives back the room that was not used.
  package func seal() {
    if isSealed { return }
    isSealed = true
    tail.close()
    guard extent == .whole, end > 0 else { return }
    let place = Self.place(of: end - 1)
    // Multiples of 512 bytes with malloc's header: few distinct sizes, so that holes are used again.
    let fitted = (place.inner + 1 + 16 + 511) / 512 * 512 - 16
    // The gain must be worth the copy.
    guard fitted <= place.room / 4 * 3, let smaller = malloc(fitted) else { return }
    memcpy(smaller, blocks[place.block], place.inner + 1)
    giveBack(place.block)
    blocks[place.block] = smaller
    fittedRoom = fitted
    charge(fitted + Self.blockCost)
  }

  /// Counts this recording in another meter from now on: it has changed hands.
  package func move(to other: MemoryMeter) {
    meter.give(footprint)
    other.takeAnyway(footprint)
    meter = other
  }

  // MARK: - Reading

  /// The contiguous bytes at `offset`, borrowed for the length of `body`; none at the end.
  /// `offset` lies in `start...end`.
  package func withBytes<R, E: Error>(from offset: Int, _ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    // Lifetime: the block is ours and is neither moved nor freed before `body` returns.
    let bytes: UnsafeBufferPointer<UInt8> = piece(at: offset).assumingMemoryBound(to: UInt8.self)
    return try body(bytes.span)
  }

  private func piece(at offset: Int) -> UnsafeRawBufferPointer {
    precondition(offset >= start && offset <= end)
    if offset == end { return .none }
    let place = Self.place(of: offset)
    return UnsafeRawBufferPointer(
      start: blocks[place.block - firstBlock] + place.inner,
      count: min(place.room - place.inner, end - offset))
  }

  // MARK: - Pace

  /// How many bytes had come by a time after the first; all of them where the pace was not kept.
  package func reach(after elapsed: Interval) -> Int { pace.reach(after: elapsed) ?? end }

  /// How long after the first byte the one at `offset` came; zero where the pace was not kept.
  package func arrival(of offset: Int) -> Interval { pace.arrival(of: offset) }

  // MARK: - Blocks

  private static func place(of offset: Int) -> (block: Int, inner: Int, room: Int) {
    if offset < firstRoom { return (0, offset, firstRoom) }
    let (block, inner) = (offset - firstRoom).quotientAndRemainder(dividingBy: BlockPool.room)
    return (block + 1, inner, BlockPool.room)
  }

  private static func blockEnd(_ number: Int) -> Int { firstRoom + number * BlockPool.room }

  /// Puts a block behind the last one. False only while `.whole`, where the meter is full.
  ///
  /// A live recording does not ask the meter for its first two blocks, so that followers who keep up are
  /// never lost; beyond that, a full meter makes the window smaller.
  private func addBlock() -> Bool {
    let isFirst = firstBlock + blocks.count == 0
    let cost = (isFirst ? Self.firstRoom : BlockPool.room) + Self.blockCost
    switch extent {
    case .whole:
      guard meter.take(cost) else { return false }
      footprint += cost
    case .live, .nothing:
      dropOutside()
      if blocks.count >= 2, meter.limit - meter.used < cost { dropBlock() }
      charge(cost)
    }
    if isFirst {
      guard let block = malloc(Self.firstRoom) else { abort() }
      blocks.append(block)
    } else {
      blocks.append(meter.pool.take())
    }
    return true
  }

  /// Drops blocks that lie wholly outside the window.
  private func dropOutside() {
    while !blocks.isEmpty, Self.blockEnd(firstBlock) <= end - window { dropBlock() }
  }

  private func dropBlock() {
    giveBack(0)
    blocks.removeFirst()
    start = min(Self.blockEnd(firstBlock), end)
    firstBlock += 1
  }

  /// Drops everything and keeps nothing from now on.
  private func forget() {
    extent = .nothing
    for index in blocks.indices { giveBack(index) }
    blocks = []
    tail.close()
    start = end
  }

  /// Returns a block's memory to where it came from; the caller takes it out of `blocks`.
  private func giveBack(_ index: Int) {
    if let fittedRoom, index == blocks.count - 1 {
      free(blocks[index])
      discharge(fittedRoom + Self.blockCost)
    } else if firstBlock + index == 0 {
      free(blocks[index])
      discharge(Self.firstRoom + Self.blockCost)
    } else {
      meter.pool.give(blocks[index])
      discharge(BlockPool.room + Self.blockCost)
    }
  }

  private func charge(_ bytes: Int) {
    meter.takeAnyway(bytes)
    footprint += bytes
  }

  private func discharge(_ bytes: Int) {
    meter.give(bytes)
    footprint -= bytes
  }
}
