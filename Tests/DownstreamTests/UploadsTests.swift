import Base
import Downstream
import Testing

/// Bodies in a memory of 1,000 KiB, of which large ones leave 100 KiB to small ones.
@Suite struct UploadsTests {
  private final class Scene {
    var uploads = Uploads()
    let spared = 100 << 10
    var now = Instant(nanoseconds: 0)
    /// Bytes that others hold.
    var others = 0
    private var sizes: [UInt64: Int] = [:]

    func id(_ number: UInt64) -> SlotID { SlotID(slot: Int32(number), generation: 0) }
    var free: Int { (1000 << 10) - others - uploads.bytes }

    /// A body of which so many KiB have come, of so many; nil: in chunks.
    func begin(_ kilobytes: Int, of total: Int?) -> UInt64 {
      let number = uploads.begin(
        id(UInt64(sizes.count) + 100), length: total.map { $0 << 10 }, limit: 300 << 10)
      came(number, kilobytes)
      return number
    }

    func came(_ number: UInt64, _ kilobytes: Int) {
      sizes[number, default: 0] += kilobytes << 10
      uploads.came(number, bytes: sizes[number]!)
    }

    func mayRead(_ number: UInt64, _ kilobytes: Int = 64) -> Bool {
      uploads.mayRead(number, room: kilobytes << 10, free: free, spared: spared, now: now)
    }

    func next() -> SlotID? { uploads.next(free: free, spared: spared) }

    func look(after seconds: Int64) -> [(id: SlotID, loss: Uploads.Loss)] {
      now = now + .seconds(seconds)
      return uploads.look(now: now)
    }
  }

  @Test func whatHasComeIsCounted() {
    let scene = Scene()
    let idle = (0..<50).map { _ in scene.begin(0, of: 900) }
    let a = scene.begin(10, of: 20)
    #expect(scene.uploads.bytes == 10 << 10 && scene.uploads.reserved == 0)
    let b = scene.begin(64, of: 700)
    #expect(
      scene.mayRead(b) && scene.uploads.reserved == 636 << 10,
      "who announces and sends nothing is in no one's way")
    scene.came(b, 600)
    #expect(scene.uploads.bytes == 674 << 10 && scene.uploads.reserved == 36 << 10)
    for number in idle + [a, b, b] { scene.uploads.end(number) }
    #expect(scene.uploads.bytes == 0 && scene.uploads.reserved == 0 && scene.uploads.count == 0)
  }

  @Test func largeOnesLeaveRoomForSmallOnes() {
    let scene = Scene()
    let large = scene.begin(64, of: 900)
    #expect(scene.mayRead(large) && scene.uploads.reserved == 836 << 10)
    let other = scene.begin(4, of: 200)
    #expect(!scene.mayRead(other) && scene.uploads.waits(other))
    let chunked = scene.begin(40, of: nil)
    #expect(scene.mayRead(chunked, 24))
    scene.came(chunked, 20)
    #expect(!scene.mayRead(chunked, 24) && scene.uploads.waits(chunked))
    let small = scene.begin(0, of: 50)
    #expect(scene.mayRead(small, 36))
    #expect(!scene.mayRead(small, 37), "all is held or set aside")
    scene.uploads.end(large)
    for slot in 101...103 { #expect(scene.next() == scene.id(UInt64(slot))) }
    #expect(scene.next() == nil && scene.uploads.reserved == 436 << 10)
    #expect(scene.uploads.lookAt == .distantFuture)
  }

  @Test func noLargeOneOvertakesAnOlderOne() {
    let scene = Scene()
    let first = scene.begin(64, of: 800)
    let second = scene.begin(64, of: 100)
    scene.others = 200 << 10
    #expect(!scene.mayRead(first))
    #expect(!scene.mayRead(second), "though it would fit")
    #expect(scene.next() == nil)
    scene.others = 0
    #expect(scene.next() == scene.id(100) && scene.next() == scene.id(101))
    #expect(scene.mayRead(second) && scene.mayRead(first))
  }

  @Test func whoHoldsMemoryAndSendsNothingGoes() {
    let scene = Scene()
    let idle = scene.begin(64, of: 400)
    let busy = scene.begin(64, of: 400)
    let little = scene.begin(15, of: 20)
    #expect(scene.mayRead(idle) && scene.mayRead(busy) && scene.uploads.lookAt == .distantFuture)
    #expect(scene.look(after: 100).isEmpty)
    let waits = scene.begin(64, of: 300)
    #expect(!scene.mayRead(waits) && scene.uploads.lookAt == scene.now + Limits.uploadLook)
    #expect(scene.look(after: 1).isEmpty, "nobody has been watched for so long yet")
    scene.came(busy, 64)
    let lost = scene.look(after: 1)
    #expect(lost.map { $0.id } == [scene.id(100)] && lost.first?.loss == .tooSlow)
    scene.uploads.end(idle)
    #expect(scene.next() == scene.id(103) && scene.uploads.lookAt == .distantFuture)
    scene.uploads.end(little)
  }

  @Test func theYoungerOfThoseThatWaitForLongAreRefused() {
    let scene = Scene()
    let numbers = (0..<5).map { _ in scene.begin(64, of: 300) }
    scene.others = 600 << 10
    for number in numbers { #expect(!scene.mayRead(number)) }
    for _ in 0..<9 { #expect(scene.look(after: 1).isEmpty) }
    var lost = scene.look(after: 1)
    #expect(lost.map { $0.id.slot } == [102, 103, 104] && lost.allSatisfy { $0.loss == .noRoom })
    for number in numbers[2...] { scene.uploads.end(number) }
    lost = scene.look(after: 1)
    #expect(lost.map { $0.id.slot } == [101])
    scene.others = 0
    #expect(scene.next() == scene.id(100))
  }

  /// Any order of coming, waiting and going: nothing is counted twice or lost, and all who send are served.
  @Test(arguments: 0..<8, [true, false])
  func nobodyWaitsForEver(seed: UInt64, isAnnounced: Bool) {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    func random(_ bound: Int) -> Int {
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      return Int((state &* 0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
    let scene = Scene()
    var left: [UInt64: Int] = [:]
    var begun: UInt64 = 0
    var finished = 0
    var lost = 0
    for _ in 0..<20_000 {
      if left.count < 8, random(24) == 0 {
        let size = 1 + random(isAnnounced ? 900 : 300)
        begun = scene.begin(0, of: isAnnounced ? size : nil)
        left[begun] = size
      }
      for number in left.keys.sorted() where !scene.uploads.waits(number) {
        let room = min(64, left[number]!)
        guard scene.mayRead(number, room) else { continue }
        scene.came(number, room)
        left[number]! -= room
        if left[number] == 0 {
          scene.uploads.end(number)
          left[number] = nil
          finished += 1
        }
      }
      if scene.free < scene.uploads.reserved { Issue.record("more is promised than there is") }
      while scene.next() != nil {}
      scene.now = scene.now + .milliseconds(200)
      guard scene.uploads.lookAt <= scene.now else { continue }
      for (id, _) in scene.uploads.look(now: scene.now) {
        let number = UInt64(id.slot) - 99
        scene.uploads.end(number)
        left[number] = nil
        lost += 1
      }
    }
    #expect(finished > 700 && lost == 0, "\(finished), \(lost) lost")
    for number in left.keys { scene.uploads.end(number) }
    #expect(scene.uploads.bytes == 0 && scene.uploads.reserved == 0 && scene.uploads.lookAt == .distantFuture)
  }
}

@Suite struct UploadPaceTests {
  private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

  private func isTooSlow(_ pace: inout UploadPace, _ bytes: Int, after seconds: Int64) -> Bool {
    pace.isTooSlow(bytes: bytes, now: at(seconds))
  }

  @Test func silenceIsTooSlow() {
    var pace = UploadPace(bytes: 5, now: at(0))
    let isSilent = isTooSlow(&pace, 5, after: 30)
    pace.came(now: at(20))
    let due = pace.due
    let isSilentAgain = isTooSlow(&pace, 1 << 20, after: 50)
    #expect(isSilent && due == at(30) && isSilentAgain)
  }

  @Test func aByteNowAndThenIsTooSlow() {
    var pace = UploadPace(bytes: 0, now: at(0))
    for second in 0..<30 where second % 5 == 0 { pace.came(now: at(Int64(second))) }
    let verdicts = [isTooSlow(&pace, 6, after: 29), isTooSlow(&pace, 6, after: 30)]
    #expect(verdicts == [false, true])
  }

  @Test func whatCameEarlyDoesNotCountForLater() {
    var pace = UploadPace(bytes: 0, now: at(0))
    pace.came(now: at(25))
    let first = isTooSlow(&pace, 30 << 20, after: 30)
    pace.came(now: at(59))
    let due = pace.due
    let second = isTooSlow(&pace, 30 << 20 + 100, after: 60)
    #expect(!first && due == at(60) && second)
  }

  @Test func aSlowLinkMayTakeItsTime() {
    var pace = UploadPace(bytes: 0, now: at(0))
    for window in 1...100 {
      pace.came(now: at(Int64(window) * 30 - 1))
      let verdict = isTooSlow(&pace, window * Limits.bodyWindowBytes, after: Int64(window) * 30)
      #expect(!verdict)
    }
  }
}
