import Base
import Testing

/// Bytes that repeat with a prime period, so that a block in the wrong place is seen.
private let source: [UInt8] = {
  let period = (0..<65_521).map { UInt8(truncatingIfNeeded: (UInt64($0) &* 0x9e37_79b9_7f4a_7c15) >> 40) }
  return period + period + period
}()

/// What every test body says in a range of offsets, so that a reader knows what it must see.
private func piece(_ range: Range<Int>) -> [UInt8] {
  let start = range.lowerBound % 65_521
  return Array(source[start..<start + range.count])
}

extension Recording {
  fileprivate func feed(_ count: Int, at now: Instant = .distantPast) {
    append(piece(end..<end + count).span, at: now)
  }

  /// Everything from an offset on, read piece by piece.
  fileprivate func read(from offset: Int, atMost: Int = .max) -> [UInt8] {
    var bytes: [UInt8] = []
    while offset + bytes.count < end, bytes.count < atMost {
      let count = bytes.count
      withBytes(from: offset + count) { span in span.withUnsafeBufferPointer { bytes += $0 } }
      precondition(bytes.count > count)
    }
    return bytes
  }
}

@Suite struct RecordingTests {
  @Test(arguments: [0, 1, 4_079, 4_080, 4_081, 20_464, 20_465, 100_000])
  func keepsAWholeAnswer(_ size: Int) {
    let meter = MemoryMeter(limit: 1 << 20)
    let recording = Recording(cap: 100_000, window: 0, meter: meter)
    recording.feed(size)
    #expect(recording.extent == .whole && recording.isJoinable && recording.end == size)
    #expect(recording.read(from: 0) == piece(0..<size))
    let before = recording.footprint
    recording.seal()
    #expect(recording.footprint <= before && meter.used == recording.footprint)
    #expect(recording.footprint <= size + 4_096 + 1_024 + size / 16)
    #expect(recording.read(from: 0) == piece(0..<size))
  }

  @Test func overItsCapWithNobodyFollowingItHoldsNothing() {
    let meter = MemoryMeter(limit: .max)
    let recording = Recording(cap: 10_000, window: 1 << 20, meter: meter)
    let empty = recording.footprint
    recording.feed(9_999)
    recording.feed(2)
    #expect(recording.extent == .nothing && recording.isOverflown && !recording.isJoinable)
    #expect(recording.end == 10_001 && recording.start == 10_001)
    #expect(recording.footprint == empty && meter.used == empty)
    recording.feed(70_000)
    #expect(recording.end == 80_001 && recording.footprint == empty)
  }

  @Test func fiftyMegabytesWithAFollowerStayInTheWindow() {
    let window = 64 * 1024
    let meter = MemoryMeter(limit: .max)
    let recording = Recording(cap: 100_000, window: window, meter: meter)
    recording.isFollowed = true
    var most = 0
    let chunk = piece(0..<50_000)
    while recording.end < 50 << 20 {
      recording.append(chunk.span)
      most = max(most, meter.used)
      #expect(recording.start <= max(0, recording.end - window))
    }
    #expect(recording.extent == .live && !recording.isJoinable)
    // The whole recording before its cap, or the window and two blocks.
    #expect(most <= 100_000 + window + 3 * 16_384)
    #expect(recording.footprint <= window + 3 * 16_384)
    let tail = recording.read(from: recording.end - 50_000)
    #expect(tail == chunk)
    recording.isFollowed = false
    #expect(recording.extent == .nothing && recording.footprint < 1_000)
  }

  @Test func followersWhoKeepUpNeedTwoBlocksAtMost() {
    let meter = MemoryMeter(limit: .max)
    let recording = Recording(cap: 30_000, window: 1 << 20, meter: meter)
    recording.isFollowed = true
    for step in 0..<2_000 {
      recording.feed(777)
      #expect(recording.start <= recording.end - 777)
      recording.drop(before: recording.end)
      if step > 100 { #expect(recording.footprint <= 3 * 16_384) }
    }
    #expect(recording.extent == .live)
  }

  @Test func aFullMeterMakesItLiveAndItsWindowSmall() {
    let meter = MemoryMeter(limit: 40_000)
    let recording = Recording(cap: 1 << 20, window: 1 << 20, meter: meter)
    recording.isFollowed = true
    recording.feed(60_000)
    #expect(recording.extent == .live)
    for _ in 0..<300 {
      recording.feed(1_000)
      #expect(recording.read(from: recording.end - 1_000) == piece(recording.end - 1_000..<recording.end))
    }
    #expect(meter.used <= 40_000 + 16_384)
  }

  @Test func itIsCountedWhereItWentLast() {
    let flights = MemoryMeter(limit: .max)
    let cache = MemoryMeter(limit: .max)
    do {
      let recording = Recording(cap: 1 << 20, window: 0, meter: flights)
      recording.feed(30_000)
      recording.move(to: cache)
      #expect(flights.used == 0 && cache.used == recording.footprint)
      recording.seal()
      #expect(cache.used == recording.footprint)
    }
    #expect(cache.used == 0)
  }

  @Test func theMeterRefusesWhatDoesNotFit() {
    let meter = MemoryMeter(limit: 10)
    #expect(meter.take(7) && !meter.take(4) && meter.take(3) && meter.used == 10)
    meter.takeAnyway(5)
    #expect(!meter.take(0) && meter.used == 15)
    meter.give(15)
    #expect(meter.used == 0)
  }

  @Test func aChunkTakesNoMemoryWhileItsBlockHasRoom() {
    let recording = Recording(cap: 1 << 20, window: 0, meter: MemoryMeter(limit: .max), keepsPace: true)
    recording.feed(1, at: Instant(nanoseconds: 1))
    var changes = 0
    var footprint = recording.footprint
    while recording.end < 16_384 * 10 {
      recording.feed(100, at: Instant(nanoseconds: 1))
      if recording.footprint != footprint { changes += 1 }
      footprint = recording.footprint
    }
    #expect(changes == 10)
  }

  /// Sizes, caps, windows, meters, followers and drops from a seed against a plain array.
  @Test(arguments: UInt64(1)...40)
  func readsWhatWasWritten(_ seed: UInt64) {
    var state = seed &* 0x9e37_79b9_7f4a_7c15
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let meter = MemoryMeter(limit: 20_000 + next(400_000))
    do {
      let recording = Recording(
        cap: next(200_000), window: next(100_000), meter: meter, keepsPace: next(2) == 0)
      recording.isFollowed = next(2) == 0
      var now: Int64 = 0
      for _ in 0..<400 {
        let before = (recording.extent, recording.start, recording.end)
        switch next(12) {
        case 0: recording.isFollowed = next(3) > 0
        case 1: recording.drop(before: recording.start + next(recording.end - recording.start + 1))
        case 2 where next(40) == 0: recording.giveUpWhole()
        default:
          now += Int64(next(3_000_000))
          let size = next(10) == 0 ? next(60_000) : next(900)
          recording.feed(size, at: Instant(nanoseconds: now))
          #expect(recording.end == before.2 + size)
        }
        #expect(recording.start >= before.1 && recording.start <= recording.end)
        #expect(recording.footprint == meter.used)
        switch recording.extent {
        case .whole: #expect(recording.start == 0 && recording.end <= recording.cap)
        case .live: #expect(recording.isFollowed && before.0 != .nothing)
        case .nothing: #expect(recording.start == recording.end && !recording.isJoinable)
        }
        let from = recording.start + next(recording.end - recording.start + 1)
        let some = recording.read(from: from, atMost: 600)
        #expect(some == piece(from..<from + some.count))
      }
      recording.seal()
      #expect(recording.footprint == meter.used)
      #expect(recording.read(from: recording.start) == piece(recording.start..<recording.end))
    }
    #expect(meter.used == 0)
  }

  @Test func keepsThePaceOfItsChunks() {
    let recording = Recording(cap: 1 << 20, window: 0, meter: MemoryMeter(limit: .max), keepsPace: true)
    let begin = Instant(nanoseconds: 5_000_000_000)
    for (milliseconds, size) in [(0, 10), (0, 5), (40, 20), (40, 1), (1_000, 30), (900, 2)] {
      recording.feed(size, at: begin + .milliseconds(Int64(milliseconds)))
    }
    for (milliseconds, reach) in [(-5, 0), (0, 15), (39, 15), (40, 36), (999, 36), (1_000, 68), (9_999, 68)] {
      #expect(recording.reach(after: .milliseconds(Int64(milliseconds))) == reach)
    }
    for (offset, milliseconds) in [(0, 0), (14, 0), (15, 40), (35, 40), (36, 1_000), (67, 1_000)] {
      #expect(recording.arrival(of: offset) == .milliseconds(Int64(milliseconds)))
    }
    // Whoever sleeps until the next byte's arrival then finds it there.
    var offset = 0
    while offset < recording.end {
      let reach = recording.reach(after: recording.arrival(of: offset))
      #expect(reach > offset)
      offset = reach
    }
  }

  @Test func withoutAPaceEverythingIsThereAtOnce() {
    let recording = Recording(cap: 1 << 20, window: 0, meter: MemoryMeter(limit: .max))
    recording.feed(10, at: Instant(nanoseconds: 1))
    recording.feed(10, at: Instant(nanoseconds: 2_000_000_000))
    #expect(recording.reach(after: .zero) == 20 && recording.arrival(of: 15) == .zero)
  }

  @Test func thePaceIsBounded() {
    let meter = MemoryMeter(limit: .max)
    let recording = Recording(cap: 1 << 20, window: 0, meter: meter, keepsPace: true)
    for step in 0..<Limits.recordingMarks * 2 {
      recording.feed(1, at: Instant(nanoseconds: Int64(step) * 1_000_000))
    }
    #expect(recording.footprint <= recording.end + Limits.recordingMarks * 8 + 16_384 + 1_000)
    #expect(recording.arrival(of: recording.end - 1) == .milliseconds(Int64(Limits.recordingMarks - 1)))
  }
}
