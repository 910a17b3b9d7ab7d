package import Base

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
