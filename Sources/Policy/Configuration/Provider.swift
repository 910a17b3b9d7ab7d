package import Base

/// How a provider's `https` is secured, where it is not as usual.
package struct ProviderTLS: Hashable, Sendable {
  /// Authorities to trust in place of the system's: a file in PEM.
  package var authorityFile: String?
  /// The name to ask for and that the certificate must have; nil: the endpoint's host.
  package var serverName: String?
  /// A certificate of our own and its key, in PEM; without a key file the certificate's holds it.
  package var certificate: String?
  package var key: String?
  package var verifies = true
  package init() {}
}

/// Which HTTP a provider is spoken to in.
package enum ProviderHTTP: Sendable {
  /// HTTP/2 where the provider offers it.
  case auto
  case http1
  case http2
}

/// A configured upstream account.
package struct Provider: Equatable, Sendable {
  package var name: String
  /// The preset's name (`groq`, `openai`, …).
  package var type: String
  /// Absolute URL without a trailing slash and without `/chat/completions`, account id filled in.
  package var endpoint: String
  package var keyScheme: KeyScheme
  /// Empty where `keyScheme` is `.none` or the key is optional and not given.
  package var keys: [Secret]
  /// Headers sent with each request, the preset's and the operator's: name and value.
  package var headers: [(name: String, value: String)]
  package var tier: Int
  package var free: Bool
  package var cost: Cost?
  /// What its answers may cost in a day of UTC.
  package var spendPerDay: Money?
  package var context: Int?
  package var budgets: Budgets
  package var models: [Model]
  /// `"*"` was listed: a name that nobody lists is passed on to it.
  package var passesAnyModel: Bool
  package var edits: [RequestEdit]
  package var quotaHeaders: QuotaHeaders
  /// A quota that is the whole account's, not a key's: one key's 429 is every key's.
  package var quotaIsShared: Bool
  /// East of UTC: what a date in its error messages means that names no zone.
  package var zone: Interval
  /// A server that its user fills with models, and which loads them when they are asked for.
  package var isLocal: Bool
  /// On this machine or in a private network, where a server may start at the same time as we do.
  package var isNear: Bool
  /// How long a request that has nowhere else to go waits for it to start.
  package var startWait: Interval
  /// Instead of those of `timeouts`; nil: theirs, or what a local server is given.
  package var firstToken: Interval?
  package var streamIdle: Interval?
  /// Ask for the provider's own model list, at most hourly.
  package var discovers: Bool
  /// Ask `GET /models` at start-up and after a cooldown.
  package var probes: Bool
  /// Its own API may be used as it is.
  package var isRaw = false
  /// Requests for embeddings are sent together; nil: each alone.
  package var batch: BatchSettings?
  /// The proxy to reach it through, if any.
  package var proxy: String?
  package var tls = ProviderTLS()
  package var http = ProviderHTTP.auto

  /// It is reached over TLS.
  package var isSecure: Bool { endpoint.hasPrefix("https://") }

  package init(name: String, type: String, endpoint: String) {
    self.name = name
    self.type = type
    self.endpoint = endpoint
    keyScheme = .bearer
    keys = []
    headers = []
    tier = 0
    free = false
    budgets = Budgets()
    models = []
    passesAnyModel = false
    edits = []
    quotaHeaders = QuotaHeaders([])
    quotaIsShared = false
    zone = .zero
    isLocal = false
    isNear = false
    startWait = .seconds(60)
    discovers = false
    probes = false
  }

  package static func == (a: Provider, b: Provider) -> Bool {
    a.name == b.name && a.type == b.type && a.endpoint == b.endpoint && a.keyScheme == b.keyScheme
      && a.keys == b.keys && a.tier == b.tier && a.free == b.free && a.cost == b.cost
      && a.spendPerDay == b.spendPerDay && a.context == b.context && a.budgets == b.budgets
      && a.models == b.models
      && a.passesAnyModel == b.passesAnyModel && a.edits == b.edits && a.quotaHeaders == b.quotaHeaders
      && a.quotaIsShared == b.quotaIsShared && a.zone == b.zone && a.isLocal == b.isLocal
      && a.isNear == b.isNear && a.startWait == b.startWait && a.firstToken == b.firstToken
      && a.streamIdle == b.streamIdle
      && a.discovers == b.discovers && a.probes == b.probes && a.isRaw == b.isRaw && a.batch == b.batch
      && a.proxy == b.proxy
      && a.tls == b.tls
      && a.http == b.http && a.headers.count == b.headers.count
      && zip(a.headers, b.headers).allSatisfy { $0.name == $1.name && $0.value == $1.value }
  }
}
