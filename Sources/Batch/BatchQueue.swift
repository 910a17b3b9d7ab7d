internal import Base

/// Lines that wait for their provider, and the models that said for how long. Both are bounded.
struct BatchQueue {
  private var waiting: [BatchAsk] = []
  private var models: [(model: Fingerprint, until: Instant)] = []

  var count: Int { waiting.count }
  var isFull: Bool { waiting.count >= Limits.batchWaiting }

  /// When the first line is due.
  var next: Instant? {
    var first: Instant?
    for ask in waiting { first = min(first ?? ask.due, ask.due) }
    return first
  }

  mutating func add(_ ask: BatchAsk) { waiting.append(ask) }

  /// The first line in the file's order that is due.
  mutating func takeDue(_ now: Instant) -> BatchAsk? {
    var found: Int?
    for at in waiting.indices where waiting[at].due <= now {
      if found.map({ waiting[at].place.offset < waiting[$0].place.offset }) ?? true { found = at }
    }
    return found.map { waiting.remove(at: $0) }
  }

  /// A model's provider is not to be asked before `until`: its lines are held back without asking each.
  mutating func holdBack(_ model: Fingerprint, until: Instant, now: Instant) {
    models.removeAll { $0.until <= now || $0.model == model }
    if models.count == Limits.batchModels { models.removeFirst() }
    models.append((model, until))
  }

  func heldBackUntil(_ model: Fingerprint, now: Instant) -> Instant? {
    for held in models where held.model == model && held.until > now { return held.until }
    return nil
  }
}
