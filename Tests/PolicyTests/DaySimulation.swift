import Base
import Policy

/// A day of requests at six free tiers in virtual time: either as the router decides, or in plain order of the
/// tiers without learning anything; by one sidecar, or by a fleet of them that share the accounts and nothing else.
struct DaySimulation {
  struct Report {
    var requests = 0
    var succeeded = 0
    var upstream = 0
    var refused = 0
    /// Of the hours after the first, when limits are learned.
    var refusedLater = 0
    var share: [(name: String, share: Double)] = []
    var p50 = 0
    var p95 = 0
    /// First tokens that came more than a second after the request, and requests that nobody answered.
    var late = 0
    /// Requests that were made before, within the cache's time, and those of them that it answered.
    var repeats = 0
    var hits = 0
    var spent = Money.none
    /// What the answers would have cost at the dearest provider.
    var savedByTiers = Money.none
    var attempts: Double { Double(upstream) / Double(requests) }
    var successRate: Double { Double(succeeded) / Double(requests) }
    var refusedShare: Double { Double(refused) / Double(requests) }
    var refusedShareLater: Double { Double(refusedLater) / Double(requests) }
    var lateShare: Double { Double(late) / Double(requests) }
    var hitShare: Double { Double(hits) / Double(repeats) }
  }

  private final class Exchange {
    let began: Instant
    let sidecar: Int
    /// Equal requests have equal ones.
    let key: Int
    var history = AttemptHistory()
    /// Of the plain order: which one is next.
    var place = 0

    init(began: Instant, sidecar: Int, key: Int) {
      self.began = began
      self.sidecar = sidecar
      self.key = key
    }
  }

  private struct Attempt {
    var exchange: Int
    var provider: Int
    var choice: Choice?
    var ticket: AttemptTicket?
    var answer = SimulatedProvider.Answer()
  }

  private enum Event {
    case retry(exchange: Int)
    case arrived(attempt: Int)
    case head(attempt: Int)
    case ended(attempt: Int)
  }

  private let isLearning: Bool
  private var fleet: Fleet
  private let stores: [HealthStore]
  private let route: Route
  private var providers: [SimulatedProvider]
  private var random: RandomSource
  /// In order; apart from the queue, which so stays short.
  private var arrivals: [Int64] = []
  private var queue = Timeline<Event>()
  private var exchanges: [Exchange] = []
  private var attempts: [Attempt] = []
  private var waits: [Int] = []
  private var report = Report()

  init(_ tiers: [FreeTier], learning: Bool, fleet: Fleet = .single, seed: UInt64) {
    isLearning = learning
    self.fleet = fleet
    var configuration = Configuration()
    configuration.providers = tiers.map(\.settings)
    let catalog = Catalog(configuration)
    stores = (0..<UInt64(fleet.sidecars)).map { HealthStore(catalog, seed: seed + $0) }
    guard case .route(let route) = catalog.resolve(Array("m".utf8).span) else { preconditionFailure() }
    self.route = route
    providers = tiers.map { SimulatedProvider($0) }
    random = RandomSource(seed: seed)
  }

  /// Arrivals: a quiet night, a busy day, and bursts of 20 to 60 within 20 s.
  private mutating func plan(_ count: Int) {
    let weights: [Int] = [2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 7, 6, 7, 8, 8, 7, 6, 5, 5, 4, 4, 3, 2]
    let sum = weights.reduce(0, +)
    var planned = 0
    for (hour, weight) in weights.enumerated() {
      let start = Int64(hour) * 3_600_000
      var left = count * weight / sum
      while left > 0 {
        let at = start + Int64(random.below(3_580_000))
        let burst = random.below(300) == 0 ? min(left, 20 + random.below(40)) : 1
        for _ in 0..<burst {
          let time = at + (burst > 1 ? Int64(random.below(20_000)) : 0)
          arrivals.append(time * 1_000_000)
        }
        left -= burst
        planned += burst
      }
    }
    arrivals.sort()
    exchanges.reserveCapacity(planned)
    attempts.reserveCapacity(3 * planned)
    report.requests = planned
  }

  mutating func run(_ count: Int) -> Report {
    plan(count)
    for time in arrivals {
      let now = Instant(nanoseconds: time)
      while let (then, event) = queue.next(before: now) { handle(event, now: then) }
      let request = fleet.request(at: now)
      exchanges.append(Exchange(began: now, sidecar: request.sidecar, key: request.key))
      report.repeats += request.isRepeated ? 1 : 0
      if fleet.isStored(request, at: now) {
        report.hits += 1
        report.succeeded += 1
        waits.append(0)
      } else {
        proceed(exchanges.count - 1, now: now)
      }
    }
    while let (then, event) = queue.next(before: .distantFuture) { handle(event, now: then) }
    precondition(stores.allSatisfy { $0.inFlight == 0 })
    report.late = waits.count { $0 > 1_000 } + report.requests - report.succeeded
    waits.sort()
    report.p50 = waits[waits.count / 2]
    report.p95 = waits[waits.count * 95 / 100]
    report.upstream = providers.reduce(0) { $0 + $1.requests }
    report.refused = providers.reduce(0) { $0 + $1.refused }
    report.share = providers.map { ($0.tier.name, Double($0.answered) / Double(report.succeeded)) }
    return report
  }

  private mutating func handle(_ event: Event, now: Instant) {
    switch event {
    case .retry(let exchange): proceed(exchange, now: now)
    case .arrived(let attempt): receive(attempt, now: now)
    case .head(let attempt):
      guard let ticket = attempts[attempt].ticket else { return }
      let answer = attempts[attempt].answer
      let health = health(of: attempts[attempt])
      for (pair, quota) in answer.quota.enumerated() {
        health.learn(ticket, pair: pair, remaining: Quantity(quota.left), resetAt: quota.resetAt, now: now)
      }
      health.commit(ticket, timeToFirstToken: answer.timeToFirstToken, now: now)
    case .ended(let attempt): finish(attempts[attempt], now: now)
    }
  }

  private func health(of attempt: Attempt) -> HealthStore { stores[exchanges[attempt.exchange].sidecar] }

  private mutating func proceed(_ n: Int, now: Instant) {
    if !isLearning {
      let place = exchanges[n].place
      if place < providers.count {
        exchanges[n].place += 1
        send(n, to: place, nil, now: now)
      }
      return
    }
    let request = RouteRequest(
      route: route, estimatedTokens: 100, deadline: exchanges[n].began + .seconds(120))
    switch stores[exchanges[n].sidecar].next(for: request, history: &exchanges[n].history, now: now) {
    case .attempt(let choice):
      exchanges[n].history.note(choice)
      send(n, to: choice.provider, choice, now: now)
    case .wait(let until): queue.add(.retry(exchange: n), at: until)
    case .exhausted: break
    }
  }

  private mutating func send(_ n: Int, to provider: Int, _ choice: Choice?, now: Instant) {
    let ticket = choice.map { stores[exchanges[n].sidecar].begin($0, now: now) }
    attempts.append(Attempt(exchange: n, provider: provider, choice: choice, ticket: ticket))
    // The way there is not always equally long: requests overtake one another.
    queue.add(
      .arrived(attempt: attempts.count - 1), at: now + .milliseconds(10 + Int64(random.below(60))))
  }

  private mutating func receive(_ n: Int, now: Instant) {
    let answer = providers[attempts[n].provider].receive(at: now, random: &random)
    attempts[n].answer = answer
    if answer.fault == nil {
      let first = now + answer.timeToFirstToken
      waits.append(Int((first - exchanges[attempts[n].exchange].began).milliseconds))
      report.succeeded += 1
      queue.add(.head(attempt: n), at: first)
    } else if answer.fault?.blame == .account, now.nanoseconds > 3_600_000_000_000 {
      report.refusedLater += 1
    }
    queue.add(.ended(attempt: n), at: now + answer.total)
  }

  private mutating func finish(_ attempt: Attempt, now: Instant) {
    let answer = attempt.answer
    if let ticket = attempt.ticket {
      if answer.fault == nil {
        let bill = health(of: attempt).charge(ticket, TokenCounts(input: 1_500, output: 90), of: route)
        report.spent += bill.spent
        report.savedByTiers += bill.savedByTier
      }
      health(of: attempt).end(ticket, AttemptOutcome(fault: answer.fault, tokens: 90), now: now)
    }
    guard let fault = answer.fault else {
      let exchange = exchanges[attempt.exchange]
      fleet.store(exchange.key, in: exchange.sidecar, at: now)
      return
    }
    if let choice = attempt.choice { exchanges[attempt.exchange].history.note(fault, of: choice) }
    proceed(attempt.exchange, now: now)
  }
}

/// Events by time, those of the same time in the order they were added: a binary heap.
struct Timeline<Event> {
  private var heap: [(at: Instant, number: Int, event: Event)] = []
  private var number = 0

  mutating func add(_ event: Event, at: Instant) {
    heap.append((at, number, event))
    number += 1
    var child = heap.count - 1
    while child > 0, isBefore(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func next(before limit: Instant) -> (Instant, Event)? {
    guard let first = heap.first, first.at < limit else { return nil }
    heap.swapAt(0, heap.count - 1)
    let last = heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(child, least) {
        least = child
      }
      if least == parent { break }
      heap.swapAt(least, parent)
      parent = least
    }
    return (last.at, last.event)
  }

  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    (heap[a].at, heap[a].number) < (heap[b].at, heap[b].number)
  }
}
