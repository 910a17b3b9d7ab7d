package import Base
package import Policy

/// How many exchanges run at a time, how many wait for their turn, and how many bytes are held for all of them.
///
/// Permits and reservations give themselves back when their owner goes, so that no path can leak one.
@usableFromInline package final class Admission {
  private var limits: LimitSettings
  package fileprivate(set) var running = 0
  /// Request bodies, as far as they have come, and what is made of them.
  private let bodies: MemoryMeter
  /// Bytes of answers and pages that are held or wait for slow clients, and of requests that have only begun, as last
  /// measured.
  private var answerBytes = 0
  private var measuredAt = Instant.distantPast
  /// Who waits, the first one first, from `first` on; numbers ascend.
  private var line: [(id: SlotID, number: Int64)] = []
  private var first = 0
  private var lastNumber: Int64 = 0

  package init(_ limits: LimitSettings) {
    self.limits = limits
    bodies = MemoryMeter(limit: limits.memory)
  }

  /// A reload: what is taken stays taken.
  package func apply(_ limits: LimitSettings) {
    self.limits = limits
    bodies.limit = limits.memory
  }

  // MARK: - Exchanges

  package var waiting: Int { line.count - first }

  /// A further exchange would find neither room nor a place in the line.
  package var isFull: Bool { !hasRoom && waiting >= limits.queue }

  private var hasRoom: Bool { running < limits.concurrentRequests && waiting == 0 }

  /// A permit for an exchange; one that has to wait is called by `next`. The caller has looked at `isFull`.
  package func enter(_ id: SlotID) -> AdmissionPermit {
    if hasRoom {
      running += 1
      return AdmissionPermit(self, number: nil)
    }
    if first > line.count / 2 {
      line.removeSubrange(0..<first)
      first = 0
    }
    lastNumber += 1
    line.append((id, lastNumber))
    return AdmissionPermit(self, number: lastNumber)
  }

  /// A permit for what goes through as it comes and so cannot wait; nil: there is no room, or others wait.
  package func enterAtOnce() -> AdmissionPermit? {
    guard hasRoom else { return nil }
    running += 1
    return AdmissionPermit(self, number: nil)
  }

  /// The next in line, where there is room for it. Its permit has to `begin`, or it stays the next.
  package var next: SlotID? {
    waiting > 0 && running < limits.concurrentRequests ? line[first].id : nil
  }

  /// Takes one out of the line: its turn has come, or it has left.
  fileprivate func leaveLine(_ number: Int64) {
    if waiting > 0, line[first].number == number {
      first += 1
      return
    }
    var low = first
    var high = line.count
    while low < high {
      let middle = (low + high) / 2
      if line[middle].number < number { low = middle + 1 } else { high = middle }
    }
    if low < line.count, line[low].number == number { line.remove(at: low) }
  }

  // MARK: - Memory

  package func reserve() -> MemoryReservation { MemoryReservation(self) }

  /// Bytes that are held for requests and answers.
  package var bytesHeld: Int { bodies.used + answerBytes }

  /// Bytes that nobody holds; less than none where more is held than there should be.
  package var bytesFree: Int { limits.memory - bytesHeld }

  /// What large bodies leave to small ones: nothing where the largest would not fit beside it.
  package var bytesSpared: Int {
    min(limits.memory / Limits.smallBodiesShare, limits.memory - limits.requestBody)
  }

  /// What is not counted as it comes has to be measured: it could make a difference, and was not looked at for a
  /// while.
  package func wantsMeasure(exchanges: Int, connections: Int, now: Instant) -> Bool {
    let bound =
      exchanges * (Limits.held + Limits.connectionRead) + connections
      * (Limits.readPerTurn + Limits.pagePiece)
    if answerBytes == 0, bodies.used + bound <= limits.memory { return false }
    return now - measuredAt >= Limits.memoryMeasure
  }

  /// Bytes of answers and pages that are held or wait for slow clients, and of requests that have only begun.
  package func measured(answers bytes: Int, now: Instant) {
    answerBytes = bytes
    measuredAt = now
  }

  fileprivate func take(_ bytes: Int) -> Bool {
    if bytes > bytesFree { return false }
    return bodies.take(bytes)
  }

  fileprivate func takeAnyway(_ bytes: Int) { bodies.takeAnyway(bytes) }

  fileprivate func give(_ bytes: Int) { bodies.give(bytes) }
}

/// The right of one exchange to run, or its place in the line.
@frozen @usableFromInline package struct AdmissionPermit: ~Copyable {
  private let admission: Admission
  /// The place in the line, while it waits.
  private var number: Int64?

  fileprivate init(_ admission: Admission, number: Int64?) {
    self.admission = admission
    self.number = number
  }

  package var isWaiting: Bool { number != nil }

  /// The turn has come.
  package mutating func begin() {
    guard let waited = number else { return }
    admission.leaveLine(waited)
    admission.running += 1
    number = nil
  }

  deinit {
    if let number { admission.leaveLine(number) } else { admission.running -= 1 }
  }
}

/// Bytes of `limits.memory` that one request holds: its body, and what is made of it.
@frozen @usableFromInline package struct MemoryReservation: ~Copyable {
  private let admission: Admission
  package private(set) var bytes = 0

  fileprivate init(_ admission: Admission) { self.admission = admission }

  /// False, and nothing taken, where that is more than there is.
  package mutating func grow(to count: Int) -> Bool {
    if count <= bytes { return true }
    guard admission.take(count - bytes) else { return false }
    bytes = count
    return true
  }

  /// Counts what is held already.
  package mutating func hold(_ count: Int) {
    if count <= bytes { return }
    admission.takeAnyway(count - bytes)
    bytes = count
  }

  package mutating func shrink(by count: Int) {
    admission.give(count)
    bytes -= count
  }

  deinit { admission.give(bytes) }
}
