package import Base
package import Exchange
package import Policy
package import Wire

/// The counters behind `/metrics`.
///
/// Label values are names of the configuration and words of the program, never what a client sent. An exchange's
/// end adds to arrays that exist; only the first exchange of its kind makes room for one more series.
package final class Metrics {
  package var version = ""
  package let startedAt: Instant
  package let startedOn: WallTime
  /// Counts the configurations: a place in the tables means another name in each.
  package private(set) var naming = 0

  package private(set) var providers = LabelNames([], other: "")
  package private(set) var models = LabelNames([], other: "other")
  package private(set) var clients = LabelNames([], other: "-")
  /// How exchanges end; the first for the series that have no room.
  package private(set) var ends = WordList(
    [
      "other", "complete", "relayed", "upstream_cut", "upstream_stalled", "client_left",
      "rate_limit_exceeded",
    ]
      + ["upstream_routing_failure", "no_provider_available", "deadline_exceeded"], capacity: 48)
  /// How attempts end.
  package private(set) var reasons = WordList(["other", "ok"], capacity: 32)
  package private(set) var refusalCodes = WordList(["other"], capacity: 48)

  /// By client and end, by provider and reason, by code.
  package private(set) var exchanges: [UInt64] = []
  package private(set) var attempts: [UInt64] = []
  package private(set) var refusals: [UInt64] = Array(repeating: 0, count: 48)
  /// Requests for a provider's own API, by provider and end.
  package private(set) var passed: [UInt64] = []
  /// Calls that were made for several requests, and those requests, by provider.
  package private(set) var batches: [UInt64] = []
  package private(set) var batched: [UInt64] = []
  /// Upstream calls that were not made: each hit, and each exchange that joined another.
  package var callsSaved: UInt64 {
    cacheStates[CacheState.hit.rawValue] &+ cacheStates[CacheState.coalesced.rawValue]
  }
  /// By `CacheState`.
  package private(set) var cacheStates: [UInt64] = Array(repeating: 0, count: CacheState.allCases.count)
  /// What answers would have cost that came from the cache, or from another's exchange.
  private(set) var savedByCache = Money.none
  private(set) var savedByCoalescing = Money.none
  package private(set) var bytesIn: UInt64 = 0
  package private(set) var bytesOut: UInt64 = 0

  /// In nanoseconds, but for the tokens.
  package private(set) var duration = HistogramTable(bounds: Metrics.durationBounds)
  package private(set) var firstChunk = HistogramTable(bounds: Metrics.firstChunkBounds)
  package private(set) var tokens = HistogramTable(bounds: Metrics.tokenBounds)
  package private(set) var overhead = HistogramTable(bounds: Metrics.overheadBounds, series: 1)

  package init(_ catalog: Catalog, clients: [Client], now: Moment) {
    startedAt = now.instant
    startedOn = now.wall
    adopt(catalog, clients: clients)
  }

  // MARK: - The configuration's names

  /// Takes the names of a new configuration. What was counted under a name that is still there stays.
  package func adopt(_ catalog: Catalog, clients list: [Client]) {
    naming += 1
    let old = (providers: providers, models: models, clients: clients)
    providers = LabelNames(catalog.providers.map { $0.name }, other: "")
    models = LabelNames(Self.names(of: catalog), other: "other")
    clients = LabelNames(list.map { $0.name }, other: "-")
    exchanges = Self.moved(exchanges, from: old.clients, to: clients, width: ends.capacity)
    attempts = Self.moved(attempts, from: old.providers, to: providers, width: reasons.capacity)
    passed = Self.moved(passed, from: old.providers, to: providers, width: ends.capacity)
    batches = Self.moved(batches, from: old.providers, to: providers, width: 1)
    batched = Self.moved(batched, from: old.providers, to: providers, width: 1)
    let rename = { (key: SeriesKey) -> SeriesKey? in
      var key = key
      guard let provider = Self.place(key.provider, from: old.providers, in: self.providers),
        let model = Self.place(key.model, from: old.models, in: self.models)
      else { return nil }
      key.provider = provider
      key.model = model
      return key
    }
    duration = duration.renamed(rename)
    firstChunk = firstChunk.renamed(rename)
    tokens = tokens.renamed(rename)
  }

  /// Models and aliases, each once.
  private static func names(of catalog: Catalog) -> [String] {
    var names: [String] = []
    var seen: Set<String> = []
    for model in catalog.modelList() where seen.insert(model.id).inserted { names.append(model.id) }
    for provider in catalog.providers {
      for model in provider.models where seen.insert(model.name).inserted { names.append(model.name) }
    }
    return names
  }

  private static func place(_ place: Int, from old: LabelNames, in new: LabelNames) -> Int? {
    if place == 0 { return 0 }
    let now = new.place(of: old.texts[place])
    return now == 0 ? nil : now
  }

  private static func moved(_ counts: [UInt64], from old: LabelNames, to new: LabelNames, width: Int)
    -> [UInt64]
  {
    var moved = Array(repeating: UInt64(0), count: new.texts.count * width)
    for row in 0..<counts.count / width {
      guard let place = place(row, from: old, in: new) else { continue }
      for column in 0..<width { moved[place * width + column] = counts[row * width + column] }
    }
    return moved
  }

  // MARK: - What happens

  /// A client's answer is over.
  package func record(_ request: borrowing RequestRecord) {
    let end = ends.place(of: request.end)
    let client = request.client.map { clients.place(of: $0) } ?? 0
    exchanges[client * ends.capacity + end] &+= 1
    cacheStates[request.cacheState.rawValue] &+= 1
    switch request.cacheState {
    case .hit: savedByCache += request.worth
    case .coalesced: savedByCoalescing += request.bill?.worth ?? .none
    case .miss, .bypass: break
    }
    var key = self.key(request.attempts, request.providers, request.model, request.endpoint)
    if request.wantsStream, let first = request.firstByte { firstChunk.record(first, key) }
    key.word = end
    duration.record(request.total, key)
    overhead.record(request.overhead, SeriesKey())
    bytesIn &+= UInt64(request.bytesIn)
    bytesOut &+= request.bytesOut
  }

  /// An exchange with providers has ended, however many clients shared it.
  package func record(_ record: ExchangeRecord) {
    let names = record.providers
    for index in record.attempts.indices {
      let provider = place(of: record.attempts[index].choice.provider, in: names)
      let reason = reasons.place(of: record.attempts[index].fault?.reason ?? "ok")
      attempts[provider * reasons.capacity + reason] &+= 1
    }
    guard record.usage.isKnown else { return }
    self.record(
      record.usage, key(record.attempts, names, record.model, record.endpoint))
  }

  /// A request was passed on to a provider as it was, and is over.
  package func record(passedTo provider: String, end: StaticString) {
    passed[providers.place(of: provider) * ends.capacity + ends.place(of: end)] &+= 1
  }

  /// Requests were sent as one.
  package func record(inputs: Int, at provider: String) {
    let place = providers.place(of: provider)
    batches[place] &+= 1
    batched[place] &+= UInt64(inputs)
  }

  package func record(_ usage: TokenUsage, _ key: SeriesKey) {
    var key = key
    if let input = usage.input { tokens.record(input, key) }
    key.word = 1
    if let output = usage.output { tokens.record(output, key) }
  }

  private func key(_ attempts: [Attempt], _ names: [Provider], _ model: [UInt8], _ endpoint: Endpoint)
    -> SeriesKey
  {
    var key = SeriesKey()
    if let provider = attempts.answeringProvider { key.provider = place(of: provider, in: names) }
    key.model = self.model(model.span)
    key.operation = endpoint.operation
    return key
  }

  /// The label of a provider: in the same place, unless its exchange began with another configuration.
  private func place(of provider: Int, in names: [Provider]) -> Int {
    if provider + 1 < providers.texts.count, providers.texts[provider + 1] == names[provider].name {
      return provider + 1
    }
    return providers.place(of: names[provider].name)
  }

  /// A request was answered with an error before it became an exchange.
  package func record(refusal code: StaticString) { refusals[refusalCodes.place(of: code)] &+= 1 }

  /// The label of a model: as it was asked for if that is a name of the configuration, `provider/name` by the
  /// name behind the slash.
  private func model(_ name: Span<UInt8>) -> Int {
    let place = models.place(of: name)
    guard place == 0, let slash = name.firstIndex(of: UInt8(ascii: "/")) else { return place }
    return models.place(of: name.extracting(slash + 1..<name.count))
  }

  // MARK: - Bounds of the buckets

  private static func milliseconds(_ list: [Int64]) -> [Int64] { list.map { $0 * 1_000_000 } }

  // As OpenTelemetry's gen_ai conventions advise, but for the shortest times to first token.
  static let durationBounds = milliseconds(
    [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 40960, 81920])
  static let firstChunkBounds = milliseconds(
    [5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000, 30_000])
  static let tokenBounds: [Int64] = [
    1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
  ]
  static let overheadBounds: [Int64] = [
    25_000, 50_000, 100_000, 200_000, 400_000, 800_000, 1_600_000, 3_200_000, 10_000_000, 100_000_000,
  ]
}

extension Endpoint.Operation {
  /// `gen_ai.operation.name`.
  package var name: StaticString {
    switch self {
    case .chat: "chat"
    case .textCompletion: "text_completion"
    case .embeddings: "embeddings"
    case .tokenCount: "token_count"
    case .moderation: "moderation"
    case .classification: "classification"
    case .rerank: "rerank"
    case .images: "image_generation"
    case .audio: "audio"
    case .videos: "video_generation"
    case .document: "document"
    }
  }
}
