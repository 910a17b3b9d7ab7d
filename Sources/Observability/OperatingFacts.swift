/// What the pages tell of the cache. What is counted goes on counting when a reload switches it off.
package struct CacheFacts: Sendable {
  package var isEnabled = false
  package var entries = 0
  package var bytes = 0
  package var stored: Int64 = 0
  package var evicted: Int64 = 0
  package var expired: Int64 = 0

  package init() {}
}

/// What is so at the time the page is asked for.
package struct OperatingFacts: Sendable {
  package var isDraining = false
  package var connections = 0
  package var connectionLimit = 0
  package var exchanges = 0
  /// Bytes of requests and answers that wait in clients' connections.
  package var bufferedBytes = 0
  package var logLinesDropped: Int64 = 0
  package var cache = CacheFacts()

  package init() {}
}
