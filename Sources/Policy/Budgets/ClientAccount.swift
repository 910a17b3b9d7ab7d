package import Base

/// What one of the `clients` may do and has done. One object for as long as the client stays in the file: a
/// reload changes its limits, never what it has spent.
@usableFromInline package final class ClientAccount {
  /// The client's own limit as the answer tells it, in OpenAI's header fields.
  package struct Quota: Equatable, Sendable {
    package var limit: Quantity
    package var remaining: Quantity
    /// Until all of it is there again.
    package var reset: Interval
    package init(limit: Quantity, remaining: Quantity, reset: Interval) {
      self.limit = limit
      self.remaining = remaining
      self.reset = reset
    }
  }

  package let name: String
  /// What it may ask for; empty for all.
  package private(set) var models: [String]
  private var requestsPerMinute: Quantity?
  private var concurrent: Int?
  package private(set) var spendPerDay: Money?
  package let spending = Spending()
  private var window = RollingWindow.minute
  /// Answers that are being made for it.
  package fileprivate(set) var running = 0

  package init(_ client: Client) {
    name = client.name
    models = client.models
    requestsPerMinute = client.requestsPerMinute
    concurrent = client.concurrent
    spendPerDay = client.spendPerDay
  }

  package func adopt(_ client: Client) {
    models = client.models
    requestsPerMinute = client.requestsPerMinute
    concurrent = client.concurrent
    spendPerDay = client.spendPerDay
  }

  /// Nil where the client has no such limit.
  package func quota(now: Instant) -> Quota? {
    guard let limit = requestsPerMinute else { return nil }
    let used = window.total(now: now)
    let reset = used == 0 ? .zero : window.due(limit, limit: limit, now: now) - now
    return Quota(limit: limit, remaining: limit - used, reset: reset)
  }

  /// Counts one more exchange; where a limit forbids it nothing is counted, and when to come back is returned.
  package func takeTurn(now: Instant) -> Interval? {
    if isBusy { return .seconds(1) }
    if let limit = requestsPerMinute {
      let due = window.due(1, limit: limit, now: now)
      if due > now { return due - now }
    }
    window.add(1, now: now)
    return nil
  }

  /// As many answers as it may have at a time are being made.
  package var isBusy: Bool { concurrent.map { running >= $0 } ?? false }

  /// Whether a request may name this model: one of the client's own, or one of them at a provider it names.
  package func mayUse(_ model: Span<UInt8>, of catalog: Catalog) -> Bool {
    if models.isEmpty { return true }
    for name in models where model.equals(name) { return true }
    guard let slash = model.firstIndex(of: UInt8(ascii: "/")),
      catalog.providerIndex(named: model.extracting(0..<slash)) != nil
    else { return false }
    let rest = model.extracting(slash + 1..<model.count)
    for name in models where rest.equals(name) { return true }
    return false
  }

  package func mayUse(_ model: String, of catalog: Catalog) -> Bool {
    var model = model
    return model.withUTF8 { mayUse($0.span, of: catalog) }
  }
}

/// One of the answers that a client may have at a time: given back when it is let go, wherever that happens.
@frozen @usableFromInline package struct ClientPermit: ~Copyable {
  private let account: ClientAccount

  package init(_ account: ClientAccount) {
    self.account = account
    account.running += 1
  }

  deinit { account.running -= 1 }
}
