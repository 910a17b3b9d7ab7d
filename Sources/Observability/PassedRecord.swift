package import Base
package import Exchange

/// What is kept of a request that was passed on to a provider's own API.
package struct PassedRecord {
  package var id: RequestID
  package var trace: TraceID?
  package var client: String?
  package var provider: String
  package var method: [UInt8]
  package var path: [UInt8]
  package var status = 0
  /// How it ended, and in words why not well.
  package var end: StaticString = ""
  package var reason = ""
  package var total = Interval.zero
  package var bytesIn: UInt64 = 0
  package var bytesOut: UInt64 = 0

  package init(
    id: RequestID, trace: TraceID?, client: String?, provider: String, method: [UInt8], path: [UInt8]
  ) {
    self.id = id
    self.trace = trace
    self.client = client
    self.provider = provider
    self.method = method
    self.path = path
  }
}
