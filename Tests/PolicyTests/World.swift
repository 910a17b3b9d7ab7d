import Base
import Policy

/// A health store over a few providers, with a clock that the test moves.
struct World {
  let catalog: Catalog
  var health: HealthStore
  var now = Instant(nanoseconds: 1_000_000_000_000)

  init(_ providers: [Provider], aliases: [Alias] = [], seed: UInt64 = 7) {
    var configuration = Configuration()
    configuration.providers = providers
    configuration.aliases = aliases
    catalog = Catalog(configuration)
    health = HealthStore(catalog, seed: seed)
  }

  mutating func pass(_ interval: Interval) { now = now + interval }

  /// An outage's cooldown has passed, and no attempt is under way that finds out whether it is over.
  func isDueForProbe(_ provider: Int) -> Bool {
    let status = health.status(of: provider, now: now)
    return status.isBreakerOpen && status.state == .online
  }

  func route(_ model: String) -> Route? {
    let bytes = Array(model.utf8)
    guard case .route(let route) = catalog.resolve(bytes.span) else { return nil }
    return route
  }

  func request(_ model: String = "m", preference: Int? = nil, tokens: Quantity = 10, endpoint: UInt8 = 0)
    -> RouteRequest
  {
    RouteRequest(
      route: route(model)!, preference: preference, estimatedTokens: tokens, endpoint: endpoint,
      deadline: now + .seconds(120))
  }

  func next(_ model: String = "m", tokens: Quantity = 10, endpoint: UInt8 = 0) -> Decision {
    var history = AttemptHistory()
    return health.next(
      for: request(model, tokens: tokens, endpoint: endpoint), history: &history, now: now)
  }

  func choice(_ model: String = "m", tokens: Quantity = 10, endpoint: UInt8 = 0) -> Choice? {
    if case .attempt(let choice) = next(model, tokens: tokens, endpoint: endpoint) { return choice }
    return nil
  }

  /// One attempt at whatever comes first, over at once.
  @discardableResult
  func attempt(_ fault: Fault?, model: String = "m", endpoint: UInt8 = 0, after: Interval = .zero)
    -> Consequence?
  {
    guard let choice = choice(model, endpoint: endpoint) else { return nil }
    let ticket = health.begin(choice, now: now)
    return health.end(
      ticket, AttemptOutcome(fault: fault, timeToFirstToken: fault == nil ? after : nil), now: now + after)
  }

  /// An attempt at a provider by force of preference, over at once; nil if the router would not go there.
  @discardableResult
  func attempt(
    at provider: Int, _ fault: Fault?, model: String = "m", endpoint: UInt8 = 0, after: Interval = .zero
  ) -> Consequence? {
    var history = AttemptHistory()
    let request = request(model, preference: provider, endpoint: endpoint)
    guard case .attempt(let choice) = health.next(for: request, history: &history, now: now),
      choice.provider == provider
    else { return nil }
    let ticket = health.begin(choice, now: now)
    return health.end(
      ticket, AttemptOutcome(fault: fault, timeToFirstToken: fault == nil ? after : nil), now: now + after)
  }
}

/// Moves a clock by hand in a test that needs no health store.
let start = Instant(nanoseconds: 5_000_000_000_000)
