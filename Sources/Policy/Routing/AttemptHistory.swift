package import Base

/// The attempts that an exchange has made: kept by the exchange, read by the router. Bounded, and never copied.
package struct AttemptHistory: ~Copyable, Sendable {
  struct Entry: Sendable {
    var candidate: Int32 = -1
    var key: Int32 = -1
    var fault: Fault?
    /// Its connection had carried a request before.
    var wasPooled = false
  }
  /// A server that was found starting, apart from the entries: few exchanges meet one, and each carries its history.
  private struct Start: Sendable {
    /// Of the attempt.
    var place: Int
    /// When it may be asked again; nil: it is being asked.
    var askAgainAt: Instant?
    /// How often it was found so.
    var times: Int
  }
  private var starts: [Start] = []
  /// Most exchanges make one attempt, and each carries its history: only the others are kept apart.
  private var first = Entry()
  private var others: [Entry] = []
  /// When the exchange was first told to wait.
  package var waitingSince: Instant?
  /// When the first server was found starting.
  private(set) var startingSince: Instant?
  /// The context of the largest candidate for which the request was too long; 0 where not known.
  private(set) var tooLongFor: Int?

  package init() {}

  /// Room for one more attempt.
  package var isFull: Bool { count >= Limits.attempts }

  package var count: Int { first.candidate < 0 ? 0 : others.count + 1 }

  /// An attempt was begun: it is not chosen again, and whether it failed is not yet known. Returns its place: a new
  /// one, or, at a server that is asked again and again until it has started, its latest.
  @discardableResult
  package mutating func note(_ choice: Choice) -> Int {
    let last = choice.isAskedAgain ? latest(choice.candidate) : nil
    let start = last.flatMap { self.start(at: $0) }
    if let last, let start, starts[start].times >= Limits.startsListed {
      self[last].fault = nil
      starts[start].askAgainAt = nil
      self[last].key = Int32(choice.key)
      return last
    }
    precondition(!isFull)
    let place = count
    let entry = Entry(candidate: Int32(choice.candidate.index), key: Int32(choice.key))
    if place == 0 { first = entry } else { others.append(entry) }
    if let start { starts.append(Start(place: place, askAgainAt: nil, times: starts[start].times)) }
    return place
  }

  /// The latest attempt at that choice ended with a fault. `context` is the candidate's, if known; where the server
  /// was found starting, it may be asked again, `Limits.startAsk` later at first and then less and less often.
  package mutating func note(
    _ fault: Fault, of choice: Choice, onPooled: Bool = false, context: Int? = nil, startingAt: Instant? = nil
  ) {
    if fault == .tooLong { tooLongFor = max(tooLongFor ?? 0, context ?? 0) }
    for n in stride(from: count - 1, through: 0, by: -1)
    where self[n].candidate == choice.candidate.index && self[n].key == choice.key {
      self[n].fault = fault
      self[n].wasPooled = onPooled
      guard let startingAt else { return }
      if self.start(at: n) == nil { starts.append(Start(place: n, askAgainAt: nil, times: 0)) }
      let start = self.start(at: n) ?? 0
      let pause = Limits.startAsk * (1 << Int64(min(starts[start].times, 8)))
      starts[start].askAgainAt = startingAt + min(pause, Limits.longestStartAsk)
      starts[start].times += 1
      startingSince = startingSince ?? startingAt
      return
    }
  }

  /// Place of the latest attempt at a candidate.
  private func latest(_ candidate: CandidateID) -> Int? {
    for n in stride(from: count - 1, through: 0, by: -1) where self[n].candidate == candidate.index {
      return n
    }
    return nil
  }

  private func start(at place: Int) -> Int? {
    for n in starts.indices where starts[n].place == place { return n }
    return nil
  }

  /// When a server that was found starting may be asked again; nil: it is none, or is being asked.
  func asksAgain(at place: Int) -> Instant? { self.start(at: place).flatMap { starts[$0].askAgainAt } }

  package func asksAgain(_ candidate: CandidateID) -> Instant? {
    starts.isEmpty ? nil : latest(candidate).flatMap { asksAgain(at: $0) }
  }

  private(set) subscript(n: Int) -> Entry {
    get { n == 0 ? first : others[n - 1] }
    set { if n == 0 { first = newValue } else { others[n - 1] = newValue } }
  }
}
