internal import Base

/// What an error body says, in the words of the fault table.
package struct ErrorTraits: OptionSet, Hashable, Sendable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }
  /// Quota or billing: waiting a minute does not help.
  package static let quota = ErrorTraits(rawValue: 1)
  package static let modelNotFound = ErrorTraits(rawValue: 2)
  package static let contextTooLong = ErrorTraits(rawValue: 4)
  package static let badKey = ErrorTraits(rawValue: 8)
  package static let toolUseFailed = ErrorTraits(rawValue: 16)
  package static let degraded = ErrorTraits(rawValue: 32)
  /// A daily or monthly allowance is named.
  package static let daily = ErrorTraits(rawValue: 64)
}

/// An error body of a provider, read for the fault table and for the log.
package struct ErrorBody: Sendable {
  package private(set) var traits: ErrorTraits = []
  package private(set) var isJSON = false
  /// At most 200 bytes of valid UTF-8 without control characters and without what looks like a key.
  package private(set) var message: [UInt8] = []

  package init(_ body: Span<UInt8>) {}
}
