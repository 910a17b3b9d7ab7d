import Base
import Exchange
import Policy

/// One exchange over a real health store, with a clock that the test moves. Plays the Server's part only as far as
/// tickets go: connections that are let go give theirs back when `endStragglers` is called.
final class Scene {
  let catalog: Catalog
  let health: HealthStore
  /// It cannot be copied, as `#expect` would whose bare property it is given: compare with `true`.
  var exchange: Exchange
  var now = Instant(nanoseconds: 1_000_000_000_000)
  private(set) var stragglers: [AttemptTicket] = []

  init(
    _ providers: [Provider], stream: Bool = true, endpoint: Endpoint = .chatCompletions,
    hedge: Interval? = nil,
    timeouts: TimeoutSettings = TimeoutSettings(), seed: UInt64 = 7,
    before: (HealthStore, Catalog, Instant) -> Void = { _, _, _ in }
  ) {
    var configuration = Configuration()
    configuration.providers = providers
    catalog = Catalog(configuration)
    health = HealthStore(catalog, seed: seed)
    before(health, catalog, now)
    var shape = ExchangeShape(
      endpoint: endpoint, wantsStream: stream, route: Scene.route(catalog), timeouts: timeouts)
    shape.hedge = hedge
    exchange = Exchange(shape, now: now)
  }

  static func route(_ catalog: Catalog, _ model: String = "m") -> Route {
    let name = Array(model.utf8)
    guard case .route(let route) = catalog.resolve(name.span) else {
      preconditionFailure("no route to \(model)")
    }
    return route
  }

  /// Tells an event and returns the effects.
  @discardableResult
  func tell(_ event: ExchangeEvent) -> [ExchangeEffect] {
    var effects: [ExchangeEffect] = []
    exchange.handle(event, health: health, now: now, effects: &effects)
    for case .letGo(let index) in effects { stragglers.append(exchange.attempts[index].ticket) }
    return effects
  }

  /// The clock goes on, and nothing else happens.
  func pass(_ interval: Interval) { now = now + interval }

  /// The clock goes on to what is due next, and the exchange is told.
  @discardableResult
  func passToDue() -> [ExchangeEffect] {
    now = max(now, exchange.nextDue)
    return tell(.timePassed)
  }

  /// The same, past the looks at the path of an answer that has begun.
  func passToProgress() -> [ExchangeEffect] {
    var effects = passToDue()
    while effects == [.checkPath(0)] { effects = passToDue() }
    return effects
  }

  func endStragglers() {
    for ticket in stragglers { health.end(ticket, AttemptOutcome(fault: .raceLost), now: now) }
    stragglers = []
  }

  /// The provider of an attempt, by name.
  func name(_ attempt: Int) -> String { catalog.providers[exchange.attempts[attempt].choice.provider].name }

  /// A provider fails an exchange before this one.
  static func blame(_ health: HealthStore, _ catalog: Catalog, _ name: String, _ fault: Fault, now: Instant) {
    let model = Array("\(name)/m".utf8)
    guard case .route(let route) = catalog.resolve(model.span) else { preconditionFailure("no \(name)") }
    var history = AttemptHistory()
    let request = RouteRequest(route: route, deadline: now + .seconds(1))
    guard case .attempt(let choice) = health.next(for: request, history: &history, now: now) else {
      preconditionFailure("\(name) is not ready")
    }
    health.end(health.begin(choice, now: now), AttemptOutcome(fault: fault), now: now)
  }
}

extension StaticString {
  var string: String { description }
}
