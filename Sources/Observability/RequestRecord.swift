package import Base
package import Exchange
package import Policy
package import Wire

/// What is kept of one client's request when its answer is over: its log line, the metrics and the page for people are
/// made from it. Never copied: a copy counts fifteen references.
package struct RequestRecord: ~Copyable {
  package var id: RequestID
  package var trace: TraceID?
  /// Its name in the configuration that the request came under.
  package var client: String?
  package var endpoint: Endpoint
  package var model: [UInt8]
  package var wantsStream: Bool
  package var version: HTTPVersion
  package var status = 0
  package var bytesIn = 0
  package var bytesOut: UInt64 = 0
  package var cacheState = CacheState.bypass
  /// What a stored answer would have cost, and the tokens that it had cost.
  package var worth = Money.none
  package var storedUsage = AnswerUsage()
  /// From the request's last byte to the answer's first and last; our own part of that.
  package var firstByte: Interval?
  package var total = Interval.zero
  package var overhead = Interval.zero
  /// How it ended for this client, where not as its exchange did.
  package var word: StaticString?
  /// How its exchange ended; nil for stored answers, and where it goes on for others.
  package var ending: Ending?
  /// It was a provider's answer, not a stored one.
  package var hasExchange = false
  package var attempts: [Attempt] = []
  package var providers: [Provider] = []
  package var usage = TokenUsage()
  package var bill: Bill?
  /// Requests that were sent as one with it, itself counted.
  package var batchSize = 1
  /// Why its exchange failed, where there is something to tell.
  package var reason: [UInt8] = []

  package init(
    id: RequestID, trace: TraceID?, client: String?, endpoint: Endpoint, model: [UInt8], wantsStream: Bool,
    version: HTTPVersion
  ) {
    self.id = id
    self.trace = trace
    self.client = client
    self.endpoint = endpoint
    self.model = model
    self.wantsStream = wantsStream
    self.version = version
  }

  package var end: StaticString { word ?? ending?.word ?? "complete" }
}
