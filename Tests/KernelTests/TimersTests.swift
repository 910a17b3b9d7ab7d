import Base
import Kernel
import TestSupport
import Testing

/// The same as `Timers`, without a heap: what is armed, looked through each time.
private struct Model {
  var armed: [Int: Int64] = [:]
  var next: Int64? { armed.values.min() }
  mutating func popDue(_ now: Int64) -> Int? {
    let due = armed.min { ($0.value, $0.key) < ($1.value, $1.key) }
    guard let due, due.value <= now else { return nil }
    armed[due.key] = nil
    return due.key
  }
}

@Suite struct TimersTests {
  @Test func restsOnlyWhereNoneIsSet() {
    var timers = Timers()
    timers.arm(40, at: Instant(nanoseconds: 5))
    timers.rest()
    #expect(timers.popDue(Instant(nanoseconds: 5)) == 40)
    timers.rest()
    #expect(timers.next == nil && timers.deadline(of: 40) == nil)
    timers.disarm(40)
    timers.arm(7, at: Instant(nanoseconds: 9))
    #expect(timers.popDue(Instant(nanoseconds: 9)) == 7)
  }

  @Test(arguments: [1, 2, 3, 7, 64, 500])
  func behavesAsTheModel(ids: Int) {
    var random = SeededRandom(UInt64(ids))
    var timers = Timers(count: ids / 2)
    var model = Model()
    var now: Int64 = 0
    for _ in 0..<5_000 {
      let id = Int.random(in: 0..<ids, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0, 1:
        let at = now + Int64.random(in: -5...40, using: &random)
        timers.arm(id, at: Instant(nanoseconds: at))
        model.armed[id] = at
      case 2:
        timers.disarm(id)
        model.armed[id] = nil
      default:
        now += Int64.random(in: 0...10, using: &random)
        while true {
          let popped = timers.popDue(Instant(nanoseconds: now))
          #expect(popped == model.popDue(now))
          if popped == nil { break }
        }
        #expect((0..<ids).allSatisfy { timers.deadline(of: $0)?.nanoseconds == model.armed[$0] })
      }
      // It may be asked too early, never too late.
      if let next = model.next { #expect(timers.next.map { $0.nanoseconds <= next } == true) }
      #expect(timers.deadline(of: id)?.nanoseconds == model.armed[id])
    }
  }

  @Test func equalDeadlinesComeInTheOrderOfTheirNumbers() {
    var timers = Timers()
    for id in [4, 1, 3, 0, 2] { timers.arm(id, at: Instant(nanoseconds: 9)) }
    var order: [Int] = []
    while let id = timers.popDue(Instant(nanoseconds: 9)) { order.append(id) }
    #expect(order == [0, 1, 2, 3, 4])
  }

  @Test func disarmingAnUnknownNumberIsNoError() {
    var timers = Timers()
    timers.disarm(7)
    timers.disarm(-1)
    #expect(timers.next == nil)
    #expect(timers.popDue(.distantFuture) == nil)
  }
}
