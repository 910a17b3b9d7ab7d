package import Base

/// One candidate of a route and why it stands where it does: for `synaxis check --route MODEL`.
package struct RouteRow: Equatable, Sendable {
  package var provider: String
  /// The provider's name of the model; `"*"` where the requested name is passed on.
  package var upstreamName: String
  package var tier: Int
  package var isPreferred: Bool
  package var isReady: Bool
  /// Why not; nil if it is.
  package var reason: String?
  /// When it is ready again; nil if it is.
  package var until: Instant?
  /// The moving average of the time to first token; nil without a sample.
  package var latency: Interval?
  package var inFlight: Int
  /// USD per million tokens, in and out; nil where not told, 0 where free.
  package var price: Double?
  package var context: Int?
}

extension HealthStore {
  /// A route's candidates in full order: health, wish, tier, latency, cost. Where `next` picks two at random,
  /// this compares all: of those within 10 % of the fastest that is left, the cheapest is next. For the same
  /// health store and instant the order is always the same, and every candidate is in it once.
  package func order(_ route: Route, preference: Int? = nil, tokens: Quantity = 0, now: Instant)
    -> [CandidateID]
  {
    var left = entries(route, preference: preference, tokens: tokens, now: now)
    var ordered: [CandidateID] = []
    while !left.isEmpty {
      let group = left.map { $0.key }.min()!
      let peers = left.filter { $0.key == group }
      let fastest = peers.map { $0.score }.min()!
      let close = peers.filter { $0.score <= fastest * 1.1 }
      let best = close.min { (price($0.id), $0.score, $0.id) < (price($1.id), $1.score, $1.id) }!
      ordered.append(best.id)
      left.removeAll { $0.id == best.id }
    }
    return ordered
  }

  package func explain(_ model: Span<UInt8>, preference: Int? = nil, now: Instant) -> [RouteRow]? {
    guard case .route(let route) = catalog.resolve(model) else { return nil }
    return order(route, preference: preference, now: now).map { id in
      row(id, route: route, preference: preference, now: now)
    }
  }

  /// Health before all: the ready ones, then the others by when they are due.
  private struct Key: Comparable {
    var due: Instant
    var rank: Rank
    static func < (a: Key, b: Key) -> Bool { (a.due, a.rank) < (b.due, b.rank) }
  }

  private func entries(_ route: Route, preference: Int?, tokens: Quantity, now: Instant)
    -> [(id: CandidateID, key: Key, score: Double)]
  {
    (0..<route.count).map { n in
      let id = catalog.candidate(n, of: route)
      let availability = availability(
        of: id, nameHash: route.nameHash, endpoint: 0, tokens: max(1, tokens), history: AttemptHistory(),
        now: now
      )
      let rank = rank(id, preference: preference, history: AttemptHistory())
      return (id, Key(due: max(availability.due, now), rank: rank), score(id, now: now))
    }
  }

  private func price(_ id: CandidateID) -> Double { catalog.candidates[id.index].price }

  private func row(_ id: CandidateID, route: Route, preference: Int?, now: Instant) -> RouteRow {
    let candidate = catalog.candidates[id.index]
    let availability = availability(
      of: id, nameHash: route.nameHash, endpoint: 0, tokens: 1, history: AttemptHistory(), now: now)
    let isReady = availability.due <= now
    return RouteRow(
      provider: catalog.providers[candidate.provider].name,
      upstreamName: candidate.isWildcard ? "*" : String(decoding: candidate.upstreamName, as: UTF8.self),
      tier: candidate.tier, isPreferred: candidate.provider == preference, isReady: isReady,
      reason: isReady
        ? nil : cause(availability, provider: candidate.provider, candidate: id)?.text ?? words(availability),
      until: isReady ? nil : availability.due, latency: candidates[id.index].latency.current,
      inFlight: providers[candidate.provider].inFlight,
      price: candidate.price.isFinite ? candidate.price : nil, context: candidate.context)
  }
}
