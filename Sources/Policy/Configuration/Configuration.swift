package import Base

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
