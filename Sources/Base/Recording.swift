internal import CLinux

/// The bytes of one answer's body as they were sent, for followers, and for the cache once complete.
///
/// An append-only log in few large blocks: a small first one, so that a short answer stays short, then blocks
/// of one size, so that freed ones fit the next recording. Readers hold plain offsets from the first byte of
/// the body. What is kept is said by `extent`:
/// 1. `.whole`: every byte since the first. So it begins.
/// 2. `.live`: more came than `cap` or the ledger allow, and somebody follows: only a window of the latest
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
  package private(set) var end = 0
  /// Bytes of a whole recording.
  package let cap: Int
  /// Bytes behind the end that are surely held while `.live`.
  package let window: Int
  /// Memory held, in bytes: blocks, marks and bookkeeping. As counted in the ledger.
  package private(set) var footprint = 0

  private var ledger: ByteLedger
  // Lifetime: each block comes from malloc in `addBlock` and is freed by `freeBlock` or `deinit`; pointers into
  // one are lent only for the length of a `with…` closure.
  private var blocks: [UnsafeMutableRawPointer] = []
  /// Blocks dropped in front: the number of the first one held.
  private var firstBlock = 0
  /// A dropped block kept for the next one that is needed.
  private var spare: UnsafeMutableRawPointer?
  private var isSealed = false
  private var pace: RecordedPace

  /// Room of the first block and of all others. Sixteen bytes less than a power of two, for malloc's own
  /// header, so that freed blocks join into places for others without splinters.
  package static let firstRoom = 4 * 1024 - 16
  package static let blockRoom = 16 * 1024 - 16
  /// The object itself and its arrays.
  private static let fixedCost = 320
  /// malloc's header and the pointer to the block.
  private static let blockCost = 32

  /// - Parameters:
  ///   - cap: bytes of a whole recording, below 4 GiB.
  ///   - window: bytes kept for followers once more came than `cap`.
  ///   - ledger: what all recordings of its kind may hold together.
  ///   - keepsPace: remember when each chunk came (for `replay: paced`).
  package init(cap: Int, window: Int, ledger: ByteLedger, keepsPace: Bool = false) {
    precondition(cap >= 0 && cap <= Int(UInt32.max) && window >= 0)
    self.cap = cap
    self.window = window
    self.ledger = ledger
    pace = RecordedPace(isKept: keepsPace)
    charge(Self.fixedCost)
  }

  deinit {
    for block in blocks { free(block) }
    free(spare)
    ledger.give(footprint)
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
    precondition(!isSealed)
    if bytes.count == 0 { return }
    if extent == .whole {
      let cost = pace.note(offset: end, at: now, ledger: ledger)
      footprint += cost
      if end + bytes.count > cap { giveUpWhole() }
    }
    var taken = 0
    while taken < bytes.count, extent != .nothing {
      let place = Self.place(of: end)
      if place.block - firstBlock == blocks.count, !addBlock() {
        giveUpWhole()
        continue
      }
      let piece = min(place.room - place.inner, bytes.count - taken)
      memcpy(blocks[blocks.count - 1] + place.inner, bytes.baseAddress! + taken, piece)
      taken += piece
      end += piece
    }
    if extent == .nothing {
      end += bytes.count - taken
      start = end
    }
  }

  /// The answer will not be stored: keep only what followers need. Who comes later cannot join once bytes
  /// have been dropped.
  package func giveUpWhole() {
    guard extent == .whole else { return }
    footprint -= pace.release(ledger: ledger)
    if isFollowed {
      extent = .live
      dropOutside()
    } else {
      forget()
    }
  }

  /// Followers need nothing before `offset` any more. Only a live recording drops anything.
  package func drop(before offset: Int) {
    guard extent == .live else { return }
    let limit = min(offset, end)
    while !blocks.isEmpty, Self.blockEnd(firstBlock) <= limit { dropBlock() }
  }

  /// No more bytes will come: gives back the room that was not used.
  package func seal() {
    if isSealed { return }
    isSealed = true
    if let block = spare {
      spare = nil
      freeBlock(block, room: Self.blockRoom)
    }
    guard extent == .whole, end > 0 else { return }
    let place = Self.place(of: end - 1)
    // Multiples of 512 bytes, less malloc's header: few distinct sizes, so that holes are used again.
    let fitted = min((place.inner + 1 + 16 + 511) / 512 * 512 - 16, place.room)
    guard fitted < place.room, let smaller = realloc(blocks[blocks.count - 1], fitted) else { return }
    blocks[blocks.count - 1] = smaller
    discharge(place.room - fitted)
  }

  /// Counts this recording in another ledger from now on: it has changed hands.
  package func move(to other: ByteLedger) {
    ledger.give(footprint)
    other.takeAnyway(footprint)
    ledger = other
  }

  // MARK: - Reading

  /// The contiguous bytes at `offset`, borrowed for the length of `body`; none at the end.
  /// `offset` lies in `start...end`.
  package func withBytes<R, E: Error>(from offset: Int, _ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    // Lifetime: the block is ours and is neither moved nor freed before `body` returns.
    let bytes: UnsafeBufferPointer<UInt8> = piece(at: offset).assumingMemoryBound(to: UInt8.self)
    return try body(bytes.span)
  }

  /// The next two contiguous pieces at `offset`, for one sendmsg(2); either may be empty.
  package func withPieces<R>(
    from offset: Int, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> R
  ) -> R {
    // Lifetime: as in `withBytes`.
    let first = piece(at: offset)
    return body(first, piece(at: offset + first.count))
  }

  private func piece(at offset: Int) -> UnsafeRawBufferPointer {
    precondition(offset >= start && offset <= end)
    if offset == end { return UnsafeRawBufferPointer(start: nil, count: 0) }
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
    let (block, inner) = (offset - firstRoom).quotientAndRemainder(dividingBy: blockRoom)
    return (block + 1, inner, blockRoom)
  }

  private static func blockEnd(_ number: Int) -> Int { firstRoom + number * blockRoom }
  private static func room(_ number: Int) -> Int { number == 0 ? firstRoom : blockRoom }

  /// Puts a block behind the last one. False only while `.whole`, where the ledger is full.
  ///
  /// A live recording does not ask the ledger for its first two blocks, so that followers who keep up are
  /// never lost; beyond that, a full ledger makes the window smaller.
  private func addBlock() -> Bool {
    let room = Self.room(firstBlock + blocks.count)
    if extent == .live {
      dropOutside()
      if spare == nil, blocks.count >= 2, ledger.limit - ledger.used < room + Self.blockCost { dropBlock() }
      if let block = spare, room == Self.blockRoom {
        spare = nil
        blocks.append(block)
        return true
      }
      charge(room + Self.blockCost)
    } else {
      guard ledger.take(room + Self.blockCost) else { return false }
      footprint += room + Self.blockCost
    }
    guard let block = malloc(room) else { abort() }
    blocks.append(block)
    return true
  }

  /// Drops blocks that lie wholly outside the window.
  private func dropOutside() {
    while !blocks.isEmpty, Self.blockEnd(firstBlock) <= end - window { dropBlock() }
  }

  private func dropBlock() {
    let block = blocks.removeFirst()
    let room = Self.room(firstBlock)
    start = min(Self.blockEnd(firstBlock), end)
    firstBlock += 1
    if spare == nil, room == Self.blockRoom { spare = block } else { freeBlock(block, room: room) }
  }

  private func freeBlock(_ block: UnsafeMutableRawPointer, room: Int) {
    free(block)
    discharge(room + Self.blockCost)
  }

  /// Drops everything and keeps nothing from now on.
  private func forget() {
    extent = .nothing
    for index in blocks.indices { freeBlock(blocks[index], room: Self.room(firstBlock + index)) }
    blocks = []
    if let block = spare {
      spare = nil
      freeBlock(block, room: Self.blockRoom)
    }
    start = end
  }

  private func charge(_ bytes: Int) {
    ledger.takeAnyway(bytes)
    footprint += bytes
  }

  private func discharge(_ bytes: Int) {
    ledger.give(bytes)
    footprint -= bytes
  }
}
