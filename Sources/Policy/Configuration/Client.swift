package import Base

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
