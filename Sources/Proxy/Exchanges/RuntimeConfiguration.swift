internal import Admin
internal import Base
internal import Downstream
internal import Exchange
internal import Policy
internal import Transport
internal import Upstream
internal import Wire

/// The running configuration and what is made of it. A reload makes a new one; exchanges in flight keep theirs.
final class RuntimeConfiguration {
  let configuration: Configuration
  let catalog: Catalog
  let health: HealthStore
  let gate: Gate
  /// Per provider.
  let edits: [BodyEdits]
  /// `GET /v1/models`, ready to be sent.
  let modelList: [UInt8]
  /// Whether conversations are to be known: they are kept together, and some could go to several places.
  let hearsOpenings: Bool
  private let upstream: Upstream
  /// Made when they are first needed: a place for each key, and in it for each path.
  private var targets: [TargetID?]
  /// Per provider, the place of its first key.
  private let firstKeys: [Int]

  /// What is asked of a provider.
  enum Path {
    case endpoint(Endpoint), models
    /// Its API as it is: what is asked for is put behind the slash.
    case raw

    static let count = Endpoint.allCases.count + 2

    fileprivate var place: Int {
      switch self {
      case .models: 0
      case .raw: 1
      case .endpoint(let endpoint): Int(endpoint.rawValue) + 2
      }
    }

    /// Of Anthropic's own API.
    fileprivate var isAnthropic: Bool {
      switch self {
      case .endpoint(.messages), .raw: true
      case .endpoint, .models: false
      }
    }

    /// An upgrade is one of HTTP/1.1's (RFC 9113 §8.6).
    fileprivate var isPipe: Bool {
      if case .endpoint(let endpoint) = self { return endpoint.isPipe }
      return false
    }

    /// The URL that the name is put behind. A name with a version of its own takes the place of the base URL's.
    fileprivate func base(of endpoint: String) -> String {
      guard case .endpoint(let asked) = self, asked.hasOwnVersion else { return endpoint }
      // Cohere's base URL for OpenAI's API ends so; its own API stands beside it.
      for end in ["/compatibility/v1", "/v1"] where endpoint.hasSuffix(end) {
        return String(endpoint.dropLast(end.utf8.count))
      }
      return endpoint
    }

    fileprivate var name: StaticString {
      switch self {
      case .models: "models"
      case .raw: ""
      case .endpoint(let endpoint): endpoint.path
      }
    }
  }

  init(
    _ configuration: Configuration, upstream: Upstream, seed: UInt64, gate: Gate,
    keeping old: RuntimeConfiguration?
  ) {
    self.configuration = configuration
    self.upstream = upstream
    catalog = Catalog(configuration, seed: seed)
    if let old {
      health = HealthStore(catalog, keeping: old.health, affinity: configuration.affinity)
    } else {
      health = HealthStore(catalog, seed: seed, affinity: configuration.affinity)
    }
    hearsOpenings = configuration.affinity.enabled && !health.eachHasOnePlace
    self.gate = gate
    edits = configuration.providers.map { BodyEdits($0.edits) }
    modelList = ModelPage.list(catalog)
    var keys = 0
    firstKeys = catalog.providers.map { provider in
      defer { keys += max(1, provider.keys.count) }
      return keys
    }
    targets = Array(repeating: nil, count: keys * Path.count)
  }

  deinit {
    for case let target? in targets { upstream.forget(target) }
  }

  /// The prepared target for a provider, a key and a path.
  func target(provider index: Int, key: Int, path: Path) -> TargetID {
    let place = (firstKeys[index] + key) * Path.count + path.place
    if let known = targets[place] { return known }
    var url = ByteBuffer()
    url.append(path.base(of: catalog.providers[index].endpoint))
    url.append("/")
    url.append(path.name)
    let id = upstream.prepare(target(index, key: key, path, url: url.withBytes { $0.text }))
    targets[place] = id
    return id
  }

  /// A target for one request of a response that the provider keeps; the caller forgets it.
  func newTarget(provider index: Int, key: Int, storedResponse path: String) -> TargetID {
    let endpoint = Path.endpoint(.storedResponse)
    let url = "\(endpoint.base(of: catalog.providers[index].endpoint))/responses/\(path)"
    return upstream.prepare(target(index, key: key, endpoint, url: url))
  }

  private func target(_ index: Int, key: Int, _ path: Path, url: String) -> TransferTarget {
    let provider = catalog.providers[index]
    var target = TransferTarget(url: url)
    target.headerLines = Self.headerLines(provider, key: key, path: path)
    target.proxy = provider.proxy
    target.tls.authorityFile = provider.tls.authorityFile
    target.tls.certificate = provider.tls.certificate
    target.tls.key = provider.tls.key
    target.tls.verifies = provider.tls.verifies
    target.serverName = provider.tls.serverName
    target.versions = path.isPipe ? .http1 : HTTPVersions(provider.http)
    target.connectTimeout = configuration.timeouts.connect
    return target
  }

  /// Host, length and encoding are the transfer's own; what the client may add is appended per request.
  private static func headerLines(_ provider: Provider, key: Int, path: Path) -> [String] {
    var lines: [String] = []
    if key < provider.keys.count {
      let secret = provider.keys[key].exposed
      switch provider.keyScheme {
      // Anthropic takes its own scheme for its own form, and Bearer for OpenAI's.
      case .header where provider.type == "anthropic" && !path.isAnthropic, .bearer:
        lines.append("Authorization: Bearer \(secret)")
      case .header(let name): lines.append("\(name): \(secret)")
      case .none: break
      }
    }
    for (name, value) in provider.headers { lines.append("\(name): \(value)") }
    return lines
  }
}

extension HTTPVersions {
  init(_ http: ProviderHTTP) {
    switch http {
    case .auto: self = .offered
    case .http1: self = .http1
    case .http2: self = .http2
    }
  }
}
