import Base
import Downstream
import Policy
import TestSupport
import Testing

@Suite struct AdmissionTests {
  /// One that may hold a permit: arrays take nothing that cannot be copied.
  private final class Guest {
    var permit: AdmissionPermit?
  }

  private func admission(_ concurrent: Int, queue: Int, memory: Int = 1 << 20) -> Admission {
    var limits = LimitSettings()
    limits.concurrentRequests = concurrent
    limits.queue = queue
    limits.memory = memory
    return Admission(limits)
  }

  private func id(_ n: Int) -> SlotID { SlotID(slot: Int32(n), generation: 0) }

  @Test func theLineIsServedInOrder() {
    let admission = admission(1, queue: 3)
    let a = admission.enter(id(0))
    var b: AdmissionPermit? = admission.enter(id(1))
    let c = admission.enter(id(2))
    var d: AdmissionPermit? = admission.enter(id(3))
    #expect(admission.running == 1 && admission.waiting == 3)
    #expect(admission.isFull && admission.waiting == 3 && admission.next == nil)
    _ = consume c
    #expect(!admission.isFull && admission.waiting == 2)
    _ = consume a
    #expect(admission.next == id(1))
    b?.begin()
    #expect(admission.running == 1 && admission.next == nil)
    b = nil
    #expect(admission.next == id(3))
    d?.begin()
    #expect(admission.waiting == 0)
    d = nil
    #expect(admission.running == 0 && !admission.isFull)
  }

  /// Nobody overtakes: while one waits, a newcomer waits behind it even if there is room.
  @Test func aNewcomerWaitsBehindTheLine() {
    let admission = admission(1, queue: 2)
    let a = admission.enter(id(0))
    let b = admission.enter(id(1))
    _ = consume a
    let c = admission.enter(id(2))
    #expect(admission.waiting == 2 && admission.next == id(1))
    _ = consume b
    _ = consume c
  }

  /// Any order of coming, leaving and being called: counts never go astray, and the line's memory stays small.
  @Test(arguments: 0..<8) func nothingIsLost(seed: Int) {
    var random = SeededRandom(UInt64(seed))
    let admission = admission(3, queue: 16)
    let guests = (0..<64).map { _ in Guest() }
    var order: [Int] = []
    var running: Set<Int> = []
    for _ in 0..<5_000 {
      let n = random.below(64)
      if guests[n].permit != nil {
        guests[n].permit = nil
        order.removeAll { $0 == n }
        running.remove(n)
      } else if !admission.isFull {
        let permit = admission.enter(id(n))
        if permit.isWaiting { order.append(n) } else { running.insert(n) }
        guests[n].permit = consume permit
      }
      while random.below(2) == 0, let next = admission.next {
        #expect(next == id(order[0]))
        guests[Int(next.slot)].permit?.begin()
        running.insert(order.removeFirst())
      }
      #expect(admission.waiting == order.count && admission.running == running.count)
      #expect(admission.running <= 3 && admission.waiting <= 16)
    }
    for guest in guests { guest.permit = nil }
    #expect(admission.running == 0 && admission.waiting == 0)
  }

  @Test func memoryIsShared() {
    let admission = admission(1, queue: 1, memory: 100)
    var a: MemoryReservation? = admission.reserve()
    var b: MemoryReservation? = admission.reserve()
    let grown = [a!.grow(to: 60), b!.grow(to: 41), b!.grow(to: 40), a!.grow(to: 10)]
    #expect(grown == [true, false, true, true])
    #expect(admission.bytesHeld == 100)
    a = nil
    admission.measured(answers: 50, now: Instant(nanoseconds: 1))
    let more = [b!.grow(to: 51), b!.grow(to: 50)]
    #expect(more == [false, true])
    b = nil
    #expect(admission.bytesHeld == 50)
  }

  @Test func whatIsHeldAnywayCountsToo() {
    let admission = admission(1, queue: 1, memory: 100)
    var reservation = admission.reserve()
    reservation.hold(130)
    #expect(admission.bytesHeld == 130 && admission.bytesFree == -30)
    let isGranted = reservation.grow(to: 131)
    #expect(!isGranted)
    reservation.shrink(by: 60)
    #expect(admission.bytesHeld == 70)
    reservation.hold(10)
    #expect(admission.bytesHeld == 70)
    _ = consume reservation
    #expect(admission.bytesHeld == 0)
  }

  @Test(arguments: [
    (64 << 20, 32 << 20, 8 << 20), (64 << 20, 60 << 20, 4 << 20), (1 << 20, 1 << 20, 0),
    (2 << 20, 1024, 256 << 10),
  ])
  func whatIsSparedForSmallBodies(memory: Int, requestBody: Int, spared: Int) {
    var limits = LimitSettings()
    limits.memory = memory
    limits.requestBody = requestBody
    #expect(Admission(limits).bytesSpared == spared)
  }

  /// What is not counted as it comes is measured only where it could make a difference, and not all the time.
  @Test func measuring() {
    let admission = admission(1, queue: 1, memory: 64 << 20)
    let now = Instant(nanoseconds: 1_000_000_000)
    #expect(!admission.wantsMeasure(exchanges: 10, connections: 100, now: now))
    #expect(admission.wantsMeasure(exchanges: 100, connections: 100, now: now))
    #expect(admission.wantsMeasure(exchanges: 0, connections: 1000, now: now))
    admission.measured(answers: 5, now: now)
    #expect(!admission.wantsMeasure(exchanges: 100, connections: 100, now: now))
    #expect(admission.wantsMeasure(exchanges: 0, connections: 0, now: now + Limits.memoryMeasure))
  }
}
