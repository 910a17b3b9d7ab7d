internal import Base
internal import Downstream
internal import Exchange
internal import Policy
internal import Wire

/// What answers are shared by: the response cache, the flights, and the key under which requests are the same.
final class Sharing {
  var cache: ResponseCache
  var flights: FlightTable
  private(set) var settings: CacheSettings
  /// The exchanges of flights, by `FlightID.index`; kept for slow followers after their end.
  private var runs: [ExchangeRun?] = []
  /// The clients in flights, by `Subscription.index`.
  private var replies: [Reply?] = []
  /// Bytes of recordings that were handed out in this turn, and the flights whose clients could take more.
  var handedOut = 0
  private(set) var owing: [FlightID] = []
  private var key: KeyedHash.Key
  private var serial: UInt64 = 0

  init(_ settings: CacheSettings, limits: LimitSettings, seed: UInt64, secondSeed: UInt64) {
    self.settings = settings
    let pool = BlockPool()
    cache = ResponseCache(budget: Self.budget(settings), ttl: settings.ttl, pool: pool)
    flights = FlightTable(
      bounds: Self.bounds(settings, limits, largestAnswer: cache.largestAnswer), pool: pool)
    key = KeyedHash.Key(first: seed, second: secondSeed)
    varied = Self.varied(settings)
  }

  private static func budget(_ settings: CacheSettings) -> Int { settings.enabled ? settings.size : 0 }

  private static func bounds(_ settings: CacheSettings, _ limits: LimitSettings, largestAnswer: Int)
    -> FlightTable.Bounds
  {
    var bounds = FlightTable.Bounds(recording: largestAnswer, memory: limits.memory)
    bounds.flights = limits.connections
    bounds.keepsPace = settings.replay == .paced
    return bounds
  }

  /// Goes on with the settings of a reloaded file. Flights and replays under way end as they began.
  ///
  /// - Parameter forgets: a model's name may mean another model now. Nothing that was stored or is in flight
  ///   answers a later request: under another key none is found.
  func adopt(_ settings: CacheSettings, limits: LimitSettings, forgets: Bool) {
    self.settings = settings
    varied = Self.varied(settings)
    cache.adopt(budget: Self.budget(settings), ttl: settings.ttl)
    flights.adopt(Self.bounds(settings, limits, largestAnswer: cache.largestAnswer))
    if forgets {
      key.first &+= 1
      cache.clear()
    }
  }

  /// What a request wants of the cache, by its header and the configuration.
  struct Wish {
    var looksUp = true
    var stores = true
    var coalesces = true
    var maxAge: Interval?
    var isNone: Bool { !looksUp && !stores && !coalesces }
  }

  /// 1. The file switches it off for all, or for a model. 2. The client switches it off. 3. `Cache-Control`
  /// (RFC 9111 §5.2.1). 4. Who samples wants variety ("regenerate", several tries at once), or does so above the
  /// bound.
  func wish(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, endpoint: Endpoint, facts: RequestFacts, route: Route
  ) -> Wish {
    var wish = Wish()
    wish.coalesces = settings.enabled && settings.coalesce && route.coalesces != false
    if !settings.enabled || route.caches == false {  // 1
      wish.looksUp = false
      wish.stores = false
      wish.coalesces = wish.coalesces && route.coalesces == true
    }
    if let own = head.value(of: .cache), bytes.extracting(own).equalsIgnoringCase("off") {  // 2
      return Wish(looksUp: false, stores: false, coalesces: false)
    }
    if let control = head.value(of: .cacheControl) {  // 3
      let directives = CacheControl(bytes.extracting(control))
      if directives.noStore { return Wish(looksUp: false, stores: false, coalesces: false) }
      if directives.noCache {
        wish.looksUp = false
        wish.coalesces = false
      }
      wish.maxAge = directives.maxAge
    }
    let temperature = facts.temperature ?? 1
    let isSampled = !endpoint.isRepeatable && temperature != 0
    if isSampled, !settings.sampled || temperature > settings.maxTemperature ?? .infinity {  // 4
      return Wish(looksUp: false, stores: false, coalesces: false)
    }
    return wish
  }

  /// Request fields that change what is answered, whatever the file says of `vary`.
  private static let alwaysVary = [
    "x-synaxis-provider", "openai-beta", "anthropic-beta", "anthropic-version",
  ]
  /// These, and those of the file.
  private var varied: [String]

  /// Fields that a caller may show its key in, as `Gate` reads them: `authorization` stands for all.
  private static func varied(_ settings: CacheSettings) -> [String] {
    let others = settings.keepsClientsApart ? ["x-api-key", "api-key"] : []
    return settings.vary + others + alwaysVary
  }

  /// The key of a request, which its body is still to be taken into.
  func requestKey(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, endpoint: Endpoint, isStream: Bool, client: String?
  ) -> RequestKey {
    var key = RequestKey(
      key: key, endpoint: endpoint.name, query: bytes.extracting(head.query), isStream: isStream)
    for name in varied {
      key.beginField(name)
      for field in head.fields where bytes.extracting(field.name).equalsIgnoringCase(name) {
        key.addLine(bytes.extracting(field.value))
      }
    }
    if let client, settings.keepsClientsApart { key.addClient(client) }
    return key
  }

  /// The key of requests for embeddings that may be sent as one, which the body is still to be taken into: all that the
  /// provider is told is the same, but for the input and for what speaks of one request only. Nil: the client has
  /// named its one request, so that the provider does nothing twice.
  func batchKey(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, endpoint: Endpoint, _ form: EmbeddingInput.Form
  ) -> RequestKey? {
    var key = RequestKey(
      key: key, endpoint: endpoint.name, query: bytes.extracting(head.query), isStream: false)
    key.omit("input")
    key.beginField(form == .text ? "text" : "tokens")
    if let wish = head.value(of: .provider) { key.addLine(bytes.extracting(wish)) }
    for field in head.fields where head.crosses(field, in: bytes) {
      let name = bytes.extracting(field.name)
      if name.equalsIgnoringCase("idempotency-key") { return nil }
      if FieldRules.isOfOneRequest(name) { continue }
      key.addLine(name)
      key.addLine(bytes.extracting(field.value))
    }
    return key
  }

  /// A key that no request has: a flight of its own, whose answer may still be stored.
  func uniqueKey() -> Fingerprint {
    serial &+= 1
    // By the golden ratio, so that neighbours in time are none in the index, which looks along its rows.
    return Fingerprint(high: .max, low: serial &* 0x9E37_79B9_7F4A_7C15)
  }

  /// Gives back what only bursts need.
  func rest() {
    if flights.flightCount > 0 || flights.subscriptionCount > 0 { return }
    flights.rest()
    runs = []
    replies = []
  }

  // MARK: - Who takes part

  func subscription(_ reply: Reply, at subscription: Subscription) {
    while replies.count <= subscription.index { replies.append(nil) }
    replies[subscription.index] = reply
    reply.source = .subscription(subscription)
  }

  func reply(at subscription: Subscription) -> Reply? {
    subscription.index < replies.count ? replies[subscription.index] : nil
  }

  func clearSubscription(_ subscription: Subscription) { replies[subscription.index] = nil }

  func bind(_ run: ExchangeRun, to flight: FlightID) {
    while runs.count <= flight.index { runs.append(nil) }
    runs[flight.index] = run
    run.flight = flight
  }

  /// No more is handed out in this turn: many clients may share a large answer, and all others would wait.
  var isSpent: Bool { handedOut >= Limits.sharedPerTurn }

  func owe(_ flight: FlightID) {
    if !owing.contains(flight) { owing.append(flight) }
  }

  /// A further turn: those that are owed something.
  func takeOwing() -> [FlightID] {
    handedOut = 0
    if owing.isEmpty { return [] }
    defer { owing = [] }
    return owing.filter { flights.firstSubscription(of: $0) != nil }
  }

  func run(of flight: FlightID) -> ExchangeRun? { flight.index < runs.count ? runs[flight.index] : nil }

  func unbind(_ flight: FlightID) { runs[flight.index] = nil }

  /// Drops everything that is stored; how many entries that were.
  func clear() -> Int {
    let count = cache.count
    cache.clear()
    return count
  }
}

/// The directives of a request's Cache-Control that are heeded.
struct CacheControl {
  var noCache = false
  var noStore = false
  var maxAge: Interval?

  init(_ value: Span<UInt8>) {
    var start = 0
    while start < value.count {
      var end = start
      while end < value.count, value[end] != UInt8(ascii: ",") { end += 1 }
      read(value.extracting(value.trimmed(start..<end)))
      start = end + 1
    }
  }

  private mutating func read(_ directive: Span<UInt8>) {
    if directive.equalsIgnoringCase("no-cache") { noCache = true }
    if directive.equalsIgnoringCase("no-store") { noStore = true }
    if directive.count > 8, directive.extracting(0..<8).equalsIgnoringCase("max-age="),
      let seconds = directive.extracting(8..<directive.count).decimal
    {
      maxAge = .seconds(min(seconds, 1 << 31))
      if seconds == 0 { noCache = true }
    }
  }
}
