package import Base

/// A text that is never printed: it has no description but a mask.
package struct Secret: Equatable, Sendable, CustomStringConvertible {
  /// The text itself, for the Authorization header and for comparing; never for a message.
  package let exposed: String
  package init(_ text: String) { exposed = text }
  package var description: String { "****" }
}

/// How a key is shown to a provider.
package enum KeyScheme: Equatable, Sendable {
  case bearer
  /// A header of its own (`api-key`, `x-api-key`) with the bare key.
  case header(String)
  case none
}

/// USD per million tokens.
package struct Cost: Equatable, Sendable {
  package var input: Double
  package var output: Double
  /// Of the prompt, what the provider had cached; nil: as `input`.
  package var cachedInput: Double?
  package init(input: Double, output: Double, cachedInput: Double? = nil) {
    self.input = input
    self.output = output
    self.cachedInput = cachedInput
  }
  /// What candidates are compared by.
  package var blended: Double { input + output }
}

/// What synaxis itself allows one provider (each key of it): nil is unlimited.
package struct Budgets: Equatable, Sendable {
  package var requestsPerMinute: Quantity?
  package var requestsPerDay: Quantity?
  package var tokensPerMinute: Quantity?
  package var tokensPerDay: Quantity?
  /// Exchanges at the provider at once.
  package var concurrent: Int?
  package init() {}
}

/// One change of a request's JSON before it goes to a provider. A path names an object's members; `[]` steps
/// into each element of an array: `messages[].name`.
package struct RequestEdit: Equatable, Sendable {
  package enum Action: Equatable, Sendable {
    case drop
    /// Drop the member unless its value is this JSON text (`n` unless 1).
    case dropUnless(String)
    /// Drop the member where its value is this JSON text (`content` where null).
    case dropWhere(String)
    /// Give the member another name, unless one of that name is there already.
    case rename(String)
    /// Lower a number to at most this.
    case clamp(Int)
    /// Add the member with this JSON text where it is missing. Top level only.
    case fallback(String)
    /// Replace a value that is this JSON text by another (`null` by `""`).
    case replace(String, with: String)
  }
  package var path: String
  package var action: Action
  package init(path: String, action: Action) {
    self.path = path
    self.action = action
  }
}

/// Which response headers tell what is left of a quota, in lower case, `x-ratelimit-remaining-…` first.
package struct QuotaHeaders: Equatable, Sendable {
  package enum Unit: Sendable { case requests, tokens }
  package struct Pair: Equatable, Sendable {
    package var remaining: String
    package var reset: String
    package var unit: Unit
    package init(remaining: String, reset: String, unit: Unit) {
      self.remaining = remaining
      self.reset = reset
      self.unit = unit
    }
  }
  package var pairs: [Pair]
  package init(_ pairs: [Pair]) { self.pairs = pairs }
}

/// A model that a provider serves: our name and the provider's.
package struct Model: Equatable, Sendable {
  package var name: String
  package var upstreamName: String
  package var cost: Cost?
  /// Context window in tokens.
  package var context: Int?
  /// nil: as the `cache` section says. False keeps this model's answers out.
  package var caches: Bool?
  package var coalesces: Bool?
  package init(name: String, upstreamName: String) {
    self.name = name
    self.upstreamName = upstreamName
  }
}

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

/// A name of the operator's own for a list of candidates.
package struct Alias: Equatable, Sendable {
  package struct Target: Equatable, Sendable {
    package var provider: String
    /// Our name of the model at that provider, or the provider's own.
    package var model: String
    package init(provider: String, model: String) {
      self.provider = provider
      self.model = model
    }
  }
  package var name: String
  package var targets: [Target]
  package var caches: Bool?
  package var coalesces: Bool?
  package init(name: String, targets: [Target]) {
    self.name = name
    self.targets = targets
  }
}

/// A caller that has a key of its own.
package struct Client: Equatable, Sendable {
  package enum Key: Equatable, Sendable {
    case plain(Secret)
    /// SHA-256 of the key, 32 bytes.
    case sha256([UInt8])
  }
  package var name: String
  package var key: Key
  /// Names of models and aliases it may use; empty for all.
  package var models: [String]
  package var requestsPerMinute: Quantity?
  package var concurrent: Int?
  /// What its answers may cost in a day of UTC.
  package var spendPerDay: Money?
  package init(name: String, key: Key) {
    self.name = name
    self.key = key
    models = []
  }
}
