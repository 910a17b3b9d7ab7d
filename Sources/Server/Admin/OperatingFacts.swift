/// What the pages tell of the cache. What is counted goes on counting when a reload switches it off.
package struct CacheFacts: Sendable {
  var isEnabled = false
  var entries = 0
  var bytes = 0
  var stored: Int64 = 0
  var evicted: Int64 = 0
  var expired: Int64 = 0
}

/// What is so at the time the page is asked for.
package struct OperatingFacts: Sendable {
  var isDraining = false
  var connections = 0
  var connectionLimit = 0
  var exchanges = 0
  /// Bytes of requests and answers that wait in clients' connections.
  var bufferedBytes = 0
  var logLinesDropped: Int64 = 0
  var cache = CacheFacts()

  package init() {}
}
