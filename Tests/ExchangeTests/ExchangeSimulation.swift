import Base
import Exchange
import Policy
import TestSupport
import Testing

/// Many exchanges over one health store, in random orders of events. Plays the Server and the providers, and looks
/// after each effect at what must always hold.
struct ExchangeSimulation {
  /// A transfer as the Server has it.
  enum Transfer: Equatable { case connecting, sent, answered(Int), over }

  final class Run {
    let number: Int
    var exchange: Exchange
    var transfers: [Transfer] = []
    var sentRounds: Set<Int> = []
    var committed: Int?
    var hasSentHead = false
    /// Its answer's end has gone out.
    var isAnswered = false
    var isConcluded = false
    var hasClientLeft = false
    var steps = 0
    /// No provider and no client moves any more: time alone must end it.
    var isFrozen = false
    var frozenAt = Instant.distantFuture

    init(number: Int, exchange: consuming Exchange) {
      self.number = number
      self.exchange = exchange
    }
  }

  var random: RandomSource
  let health: HealthStore
  let catalog: Catalog
  var now = Instant(nanoseconds: 1_000_000_000_000)
  var stragglers: [AttemptTicket] = []
  /// How often each kind of end came: the test looks whether all did.
  var ends: [String: Int] = [:]
  var opened = 0
  var askedAgain = 0

  init(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var configuration = Configuration()
    for n in 0..<1 + random.below(6) {
      configuration.providers.append(
        provider("p\(n)", tier: random.below(3)) {
          if random.below(2) == 0 { $0.keys.append(Secret("second")) }
          if random.below(4) == 0 { $0.budgets.concurrent = 2 }
          if random.below(4) == 0 { $0.budgets.requestsPerMinute = 20 }
          if random.below(3) == 0 { $0.context = 1_000 * (1 + random.below(4)) }
          if random.below(3) == 0 { $0.quotaIsShared = true }
          if random.below(3) == 0 { $0.isNear = true }
          $0.startWait = .seconds(Int64(random.below(90)))
          if random.below(4) == 0 {
            $0.isLocal = true
            $0.firstToken = .seconds(Int64(1 + random.below(90)))
            $0.streamIdle = .seconds(1)
          }
        })
    }
    catalog = Catalog(configuration)
    health = HealthStore(catalog, seed: seed)
    self.random = random
  }

  mutating func chance(_ n: Int) -> Bool { random.below(n) == 0 }
  mutating func pick<T>(_ list: [T]) -> T { list[random.below(list.count)] }

  mutating func newRun(_ number: Int) -> Run {
    var timeouts = TimeoutSettings()
    timeouts.failover = .milliseconds(Int64(20 + random.below(200)))
    timeouts.firstToken = .seconds(Int64(1 + random.below(60)))
    timeouts.request = .seconds(Int64(2 + random.below(120)))
    timeouts.streamIdle = .seconds(Int64(1 + random.below(60)))
    var shape = ExchangeShape(
      endpoint: .chatCompletions, wantsStream: chance(2), route: Scene.route(catalog), timeouts: timeouts)
    if chance(3) { shape.hedge = .milliseconds(Int64(50 + random.below(3_000))) }
    if chance(4) { shape.preference = random.below(catalog.providers.count) }
    return Run(number: number, exchange: Exchange(shape, now: now))
  }

  // MARK: - The Server's part

  mutating func tell(_ run: Run, _ event: ExchangeEvent) {
    var effects: [ExchangeEffect] = []
    run.exchange.handle(event, health: health, now: now, effects: &effects)
    var at = 0
    while at < effects.count {
      let effect = effects[at]
      at += 1
      #expect(!run.isConcluded, "\(effect) follows the end")
      if let answer = perform(effect, run) {
        run.exchange.handle(answer, health: health, now: now, effects: &effects)
      }
      #expect(effects.count < 200, "effects come to an end")
    }
    check(run)
  }

  private mutating func perform(_ effect: ExchangeEffect, _ run: Run) -> ExchangeEvent? {
    switch effect {
    case .open(let index):
      #expect(run.committed == nil, "nothing is opened after commit")
      #expect(now < run.exchange.startedAt + run.exchange.shape.timeouts.request || run.steps == 0)
      if index < run.transfers.count {
        #expect(run.transfers[index] == .over, "a server that starts is asked again when it has answered")
        run.transfers[index] = .connecting
        askedAgain += 1
      } else {
        #expect(index == run.transfers.count, "attempts are opened in order")
        run.transfers.append(.connecting)
      }
      opened += 1
      if chance(200) {
        run.transfers[index] = .over
        return .couldNotOpen(index, .memoryFull)
      }
    case .cancel(let index):
      #expect(run.transfers.indices.contains(index))
      #expect(index != run.committed || run.hasClientLeft)
      run.transfers[index] = .over
    case .letGo(let index):
      #expect(run.transfers[index] == .connecting)
      run.transfers[index] = .over
      stragglers.append(run.exchange.attempts[index].ticket)
    case .checkPath(let index):
      #expect(run.transfers[index] != .over)
      return .path(index, run.isFrozen ? frozenPath(run, index) : path(run, index))
    case .dropPath(let index): #expect(run.transfers[index] == .sent)
    case .checkProgress(let index):
      #expect(run.transfers[index] != .over)
      let isMoving = !run.isFrozen && chance(2)
      return .progress(
        index,
        AttemptProgress(
          lastContentAt: isMoving ? now - .milliseconds(Int64(random.below(900))) : nil,
          isPaused: !run.isFrozen && chance(5)))
    case .commit(let index):
      #expect(run.committed == nil, "one commit")
      #expect(run.transfers[index] != .over)
      run.committed = index
      run.hasSentHead = true
    case .relay:
      #expect(!run.hasSentHead && run.committed == nil, "a whole answer follows nothing")
      answer(run)
    case .finish(let index):
      #expect(run.committed == index)
      answer(run)
    case .sendComment(let isFirst):
      #expect(run.exchange.shape.wantsStream)
      #expect(run.committed == nil)
      #expect(isFirst == !run.hasSentHead)
      run.hasSentHead = true
    case .answerError:
      #expect(!run.hasSentHead)
      answer(run)
    case .breakOff:
      #expect(run.hasSentHead)
      answer(run)
    case .concluded:
      run.isConcluded = true
      #expect(run.isAnswered != run.hasClientLeft, "everyone who waits gets one end")
      ends[run.exchange.ending?.word.string ?? "none", default: 0] += 1
    }
    return nil
  }

  private func answer(_ run: Run) {
    #expect(!run.isAnswered, "one end")
    run.isAnswered = true
  }

  private func check(_ run: Run) {
    #expect(run.exchange.attempts.count <= Limits.attempts)
    #expect(run.isConcluded == (run.exchange.ending != nil))
    #expect(run.isConcluded == (run.exchange.state == .ended))
    if run.committed == nil { #expect(run.hasSentHead == run.exchange.hasSentHead) }
    let asked = run.exchange.attempts.filter { $0.isLive && $0.sentAt != nil }.count
    #expect(asked <= (run.exchange.shape.hedge == nil ? 1 : 2), "requests under way")
    if run.isConcluded {
      let hasLive = run.exchange.attempts.contains { $0.isLive }
      #expect(!hasLive)
      #expect(run.exchange.nextDue == .distantFuture)
    } else {
      #expect(run.exchange.nextDue < .distantFuture, "something is due")
    }
  }

  // MARK: - The providers' part

  private mutating func path(_ run: Run, _ index: Int) -> PathReport {
    if run.transfers[index] == .connecting {
      return pick([
        .connecting, .connecting, .handshaking(roundTrip: .milliseconds(Int64(random.below(100)))), .unknown,
      ])
    }
    return pick([
      .acknowledged, .acknowledged,
      .unacknowledged(for: .milliseconds(Int64(random.below(300))), roundTrip: .milliseconds(1)), .unknown,
      .heldUp, .undeliverable,
    ])
  }

  private func frozenPath(_ run: Run, _ index: Int) -> PathReport {
    run.transfers[index] == .connecting ? .connecting : .acknowledged
  }

  private mutating func fault() -> Fault {
    switch random.below(12) {
    case 0: .rate(until: now + .milliseconds(Int64(random.below(4_000))))
    case 1: .rate(until: nil)
    case 2: .quota(until: now + .milliseconds(Int64(random.below(10_000))))
    default:
      pick([
        .serverError, .serverError, .reset, .cut, .errorInside, .foreign, .emptyStream, .tooLong, .unsuited,
        .modelMissing, .keyRejected, .staleConnection, .overloaded, .timedOut, .starting, .requestRefused,
        .endpointMissing, .modelLacksEndpoint, .redirected,
      ])
    }
  }

  /// What a whole answer may be judged as: see `Judge.whole`.
  private mutating func verdict(_ run: Run) -> Verdict {
    if !run.hasSentHead, chance(3) { return pick([.good, .good, .relay]) }
    return .fault(fault())
  }

  /// Something happens to one of the transfers, or to the client.
  mutating func happen(_ run: Run) {
    if chance(150) {
      run.hasClientLeft = true
      tell(run, .clientLeft)
      return
    }
    let live = run.transfers.indices.filter { run.transfers[$0] != .over }
    if chance(40), !run.transfers.isEmpty {
      lateEvent(run)
      return
    }
    guard !live.isEmpty else { return }
    let index = pick(live)
    switch run.transfers[index] {
    case .over: return
    case .connecting: connectionHappens(run, index)
    case .sent:
      if chance(3) {
        end(run, index, .fault(pick([.reset, .staleConnection, .cut, .foreign])))
      } else {
        let status = pick([200, 200, 200, 400, 429, 503])
        run.transfers[index] = .answered(status)
        tell(run, .answered(index, status: status))
      }
    case .answered(let status): answerHappens(run, index, status)
    }
  }

  private mutating func connectionHappens(_ run: Run, _ index: Int) {
    let round = run.exchange.attempts[index].round
    if run.sentRounds.contains(round) {
      // libcurl's last look before it sends: another one of the race was here first.
      Issue.record("a connection is open in a round whose request was sent")
      end(run, index, .fault(.raceLost))
    } else if chance(4) {
      end(run, index, .fault(pick([.unreachable, .tls])))
    } else {
      run.transfers[index] = .sent
      #expect(run.sentRounds.insert(round).inserted, "two requests in one round")
      tell(run, .connected(index))
    }
  }

  private mutating func answerHappens(_ run: Run, _ index: Int, _ status: Int) {
    if run.committed == index {
      if chance(4) { tell(run, .heldFull(index, pick([.good, .fault(.foreign)]))) }
      if chance(8), !run.isConcluded { tell(run, .served) }
      if chance(3), !run.isConcluded {
        end(run, index, pick([.good, .good, .fault(.cut), .fault(.errorInside)]))
      }
      return
    }
    if status >= 300 || chance(3) {
      end(run, index, verdict(run))
    } else if run.exchange.shape.wantsStream {
      tell(run, .contentBegan(index, chance(5) ? .fault(fault()) : .good))
    } else {
      tell(run, .heldFull(index, chance(5) ? .fault(.foreign) : .good))
    }
  }

  private mutating func end(_ run: Run, _ index: Int, _ verdict: Verdict) {
    // An ended transfer keeps what it holds until it is cancelled; nothing more comes of it.
    run.transfers[index] = .over
    tell(run, .ended(index, verdict, tokens: chance(2) ? Quantity(random.below(5_000)) : nil))
  }

  /// An event of an attempt that is over changes nothing.
  private mutating func lateEvent(_ run: Run) {
    guard let index = run.exchange.attempts.firstIndex(where: { !$0.isLive }) else { return }
    let events: [ExchangeEvent] = [
      .connected(index), .answered(index, status: 200), .contentBegan(index, .good), .heldFull(index, .good),
      .ended(index, .good, tokens: 1),
      .path(index, .unacknowledged(for: .seconds(9), roundTrip: .milliseconds(1))),
      .couldNotOpen(index, .memoryFull),
      .progress(index, AttemptProgress(lastContentAt: nil, isPaused: false)),
    ]
    var effects: [ExchangeEffect] = []
    run.exchange.handle(pick(events), health: health, now: now, effects: &effects)
    #expect(effects.isEmpty, "an attempt that is over is over")
  }
}
