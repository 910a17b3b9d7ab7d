package import Base

/// Where clients are listened for.
package enum Listen: Hashable, Sendable {
  /// An IP address (v6 without brackets) and a port; port 0 takes any free one.
  case tcp(host: String, port: UInt16)
  /// A unix socket's path.
  case unix(path: String)
  /// A socket handed over by systemd: the n-th of LISTEN_FDS.
  case inherited(index: Int)

  package var isLoopback: Bool {
    switch self {
    case .tcp(let host, _): host.hasPrefix("127.") || host == "::1" || host == "localhost"
    case .unix: true
    case .inherited: false
    }
  }
}

/// The files of a listener that speaks TLS, in PEM.
package struct ListenerTLS: Equatable, Sendable {
  package var certificate: String
  package var key: String
  /// Who must have signed a client's certificate; nil: none is asked for.
  package var clientAuthorities: String?

  package init(certificate: String, key: String, clientAuthorities: String? = nil) {
    self.certificate = certificate
    self.key = key
    self.clientAuthorities = clientAuthorities
  }
}

package struct AdminSettings: Equatable, Sendable {
  package var token: Secret?
  package var listen: [Listen] = []
  package init() {}
}

/// The `limits` section. Sizes in bytes.
package struct LimitSettings: Equatable, Sendable {
  package var concurrentRequests = 100
  package var queue = 100
  package var connections = 512
  package var requestBody = 32 << 20
  package var header = 32 << 10
  package var memory = 64 << 20
  package init() {}
}

/// The `timeouts` section.
package struct TimeoutSettings: Equatable, Sendable {
  package var failover = Interval.milliseconds(80)
  package var connect = Interval.seconds(5)
  package var firstToken = Interval.seconds(60)
  package var streamIdle = Interval.seconds(60)
  package var request = Interval.seconds(120)
  package var drain = Interval.seconds(300)
  /// A server that loads models when they are asked for may say nothing for this long, and is not left earlier.
  package static let local = Interval.seconds(300)
  package init() {}
}

/// The `cache` section.
package struct CacheSettings: Equatable, Sendable {
  package enum Replay: Equatable, Sendable { case atOnce, paced }
  package var enabled = true
  /// Also answers that are drawn by lot are kept and shared. Else only those meant to be repeatable are: temperature
  /// 0, embeddings, moderations, rerank.
  package var sampled = false
  package var ttl = Interval.seconds(300)
  package var size = 8 << 20
  /// Request headers that are part of the key, in lower case; `authorization` stands for who asks.
  package var vary = ["authorization"]
  package var coalesce = true
  package var replay = Replay.atOnce
  /// Requests with a higher `temperature` are neither stored nor answered from the cache.
  package var maxTemperature: Double?
  package init() {}

  /// Nobody is answered with what another client's request brought.
  package var keepsClientsApart: Bool { vary.contains("authorization") }
}

/// The `affinity` section: conversations stay where they were answered last.
package struct AffinitySettings: Equatable, Sendable {
  package var enabled = true
  /// How long after its last use a provider is taken to have a prompt in its cache.
  package var ttl = Interval.seconds(600)
  package var entries = 4096
  package init() {}
}

/// The `log` section.
package struct LogSettings: Equatable, Sendable {
  package enum Format: Equatable, Sendable { case logfmt, json }
  package enum Level: Int, Comparable, Sendable {
    /// No line has it: nothing is logged.
    case silent
    case error, warning, info, debug
    package static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
  }
  package var format = Format.logfmt
  package var level = Level.info
  package init() {}
}

/// A provider of the file that is not used.
package struct DisabledProvider: Equatable, Sendable {
  package var name: String
  /// What it lacks, in words; nil: the file says `enabled: false`.
  package var reason: String?
  /// Our names of its models, as far as they were read.
  package var models: [String]
  /// Aliases that lead to it and to nobody who is used.
  package var aliases: [String] = []
  package init(name: String, reason: String? = nil, models: [String] = []) {
    self.name = name
    self.reason = reason
    self.models = models
  }
}

/// Everything that the tier file says, checked and with defaults filled in. A value: a reload makes a new one,
/// and exchanges in flight keep theirs.
package struct Configuration: Equatable, Sendable {
  package var listen: [Listen] = [.tcp(host: "127.0.0.1", port: 8080)]
  /// Of these listeners, and of the admin's, those that speak TLS.
  package var secured: [Listen: ListenerTLS] = [:]
  package var admin = AdminSettings()
  package var clients: [Client] = []
  package var allowAnonymous = false
  package var exposeHeaders = true
  /// Origins that a browser page may call from, exactly as in the Origin header.
  package var corsOrigins: [String] = []
  /// Host names that a request may carry on a loopback listener besides the loopback names.
  package var hosts: [String] = []
  package var limits = LimitSettings()
  package var timeouts = TimeoutSettings()
  package var cache = CacheSettings()
  package var affinity = AffinitySettings()
  package var log = LogSettings()
  /// Start a second request at the next candidate when no content has come by then; nil: never.
  package var hedge: Interval?
  /// In the order of the file; disabled ones are left out.
  package var providers: [Provider] = []
  package var disabledProviders: [DisabledProvider] = []
  package var aliases: [Alias] = []
  package init() {}
}
