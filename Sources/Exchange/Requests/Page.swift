internal import Base
package import Wire

/// One of our own pages: what the instance is asked about itself.
///
/// This is their table: where each is (`routes`), how it is asked for (`use`), who may see it (`audience`). What each says
/// stands in `Admin`, in a file of its own.
package enum Page: Equatable, Sendable {
  /// The page for people.
  case home
  case liveness, readiness
  /// `/v1/models` and `/v1/models/{id}`.
  case models, model
  case metrics
  case health, providers, provider
  /// What the page for people shows, and what changes of it.
  case activity, events
  case reset, clearCache
  /// Something else behind `/admin/`: whoever may not see the others is not told which there are.
  case unknown

  /// A path and the page that it leads to. `*` is a name, still percent-encoded, slashes included.
  private struct Route {
    let path: StaticString
    let page: Page
    init(_ path: StaticString, _ page: Page) {
      self.path = path
      self.page = page
    }
  }

  /// But for models, which stand where the endpoints do (`RequestTarget`).
  private static var routes: InlineArray<16, Route> {
    [
      Route("/", .home),
      Route("/livez", .liveness), Route("/healthz", .liveness), Route("/health", .liveness),
      Route("/health/liveness", .liveness),
      Route("/readyz", .readiness), Route("/health/readiness", .readiness),
      Route("/metrics", .metrics),
      Route("/admin/health", .health),
      Route("/admin/providers", .providers),
      Route("/admin/providers/*/status", .provider),
      Route("/admin/providers/*/reset", .reset),
      Route("/admin/activity", .activity),
      Route("/admin/events", .events),
      Route("/admin/cache/clear", .clearCache),
      Route("/admin/*", .unknown),
    ]
  }

  /// The page at a path, the first that fits, and where in the path its name is.
  static func find(_ path: Span<UInt8>) -> (page: Page, name: Range<Int>)? {
    let routes = Self.routes
    for index in routes.indices {
      if let name = name(in: path, by: routes[index].path) { return (routes[index].page, name) }
    }
    return nil
  }

  /// What `*` stands for, which is not empty; an empty range where there is none. Nil: that is another path.
  private static func name(in path: Span<UInt8>, by pattern: StaticString) -> Range<Int>? {
    var before = 0
    while before < pattern.utf8CodeUnitCount, pattern.utf8Start[before] != UInt8(ascii: "*") { before += 1 }
    let hasName = before < pattern.utf8CodeUnitCount
    let behind = hasName ? pattern.utf8CodeUnitCount - before - 1 : 0
    guard hasName ? path.count > before + behind : path.count == before else { return nil }
    for at in 0..<before where path[at] != pattern.utf8Start[at] { return nil }
    for at in 0..<behind where path[path.count - behind + at] != pattern.utf8Start[before + 1 + at] {
      return nil
    }
    return before..<path.count - behind
  }

  /// How a page may be asked for.
  package enum Use: Sendable {
    /// It is read.
    case reading
    /// It goes on for as long as it is wanted.
    case following
    /// It changes something.
    case command

    package func allows(_ method: Method) -> Bool {
      switch (self, method) {
      case (.reading, .get), (.reading, .head), (.following, .get), (.command, .post): true
      case (.reading, _), (.following, _), (.command, _): false
      }
    }

    /// The value of Allow (RFC 9110 §10.2.1).
    package var allow: StaticString {
      switch self {
      case .reading: "GET, HEAD"
      case .following: "GET"
      case .command: "POST"
      }
    }
  }

  package var use: Use {
    switch self {
    case .home, .liveness, .readiness, .models, .model, .metrics: .reading
    case .health, .providers, .provider, .activity, .unknown: .reading
    case .events: .following
    case .reset, .clearCache: .command
    }
  }

  /// Who may see a page.
  package enum Audience: Equatable, Sendable {
    /// Whoever reaches a listener.
    case anybody
    /// Whoever may ask for answers.
    case clients
    /// The operator, and whoever reaches a listener of this machine only.
    case scrapers
    /// The operator.
    case operators
  }

  package var audience: Audience {
    switch self {
    case .home, .liveness, .readiness: .anybody
    case .models, .model: .clients
    case .metrics: .scrapers
    case .health, .providers, .provider, .activity, .events, .reset, .clearCache, .unknown: .operators
    }
  }
}
