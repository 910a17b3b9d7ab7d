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

  /// A path and the page that it leads to; or what stands before and behind a name in it, which is still percent-encoded,
  /// slashes included.
  private struct Route {
    let path: StaticString
    let end: StaticString?
    let page: Page

    init(_ path: StaticString, _ page: Page) {
      self.path = path
      end = nil
      self.page = page
    }

    init(_ start: StaticString, nameBefore end: StaticString, _ page: Page) {
      path = start
      self.end = end
      self.page = page
    }

    /// Where the name is, an empty range where there is to be none. Nil: that is another path.
    func name(in asked: Span<UInt8>) -> Range<Int>? {
      guard let end else { return asked.equals(path) ? asked.count..<asked.count : nil }
      let name = path.utf8CodeUnitCount..<max(path.utf8CodeUnitCount, asked.count - end.utf8CodeUnitCount)
      guard !name.isEmpty, asked.hasPrefix(path) else { return nil }
      return asked.extracting(name.upperBound..<asked.count).equals(end) ? name : nil
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
      Route("/admin/providers/", nameBefore: "/status", .provider),
      Route("/admin/providers/", nameBefore: "/reset", .reset),
      Route("/admin/activity", .activity),
      Route("/admin/events", .events),
      Route("/admin/cache/clear", .clearCache),
      Route("/admin/", nameBefore: "", .unknown),
    ]
  }

  /// The page at a path, the first that fits, and where in the path its name is.
  static func find(_ path: Span<UInt8>) -> (page: Page, name: Range<Int>)? {
    let routes = Self.routes
    for index in routes.indices {
      if let name = routes[index].name(in: path) { return (routes[index].page, name) }
    }
    return nil
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
