internal import Base
internal import Policy
internal import Wire

/// Providers' states as JSON, for `/admin/…`, a piece at a time: of each provider what is so when its turn has come.
///
/// `latency` is in milliseconds, `successRate` between 0 and 1; what is not known is null.
struct ProviderPage {
  private let health: HealthStore
  /// Places as the health store counts them.
  private var places: Range<Int>
  /// The provider that is half written: which of its models is next, and its last member.
  private var half: (model: Int, lastChecked: Instant?)?
  /// What follows the last provider.
  private let ending: StaticString

  /// A list's elements and what follows them. The list is open.
  init(allOf health: HealthStore, ending: StaticString) {
    self.health = health
    self.ending = ending
    places = 0..<health.statusCount
  }

  /// One provider.
  init(_ place: Int, of health: HealthStore) {
    self.health = health
    ending = ""
    places = place..<place + 1
  }

  /// One word for all: `healthy` while every enabled provider can be used, `unhealthy` when none can.
  static func overall(_ health: HealthStore, now: Instant) -> StaticString {
    let usable = health.usableProviders(now: now)
    return usable == 0 ? "unhealthy" : usable < health.catalog.providers.count ? "degraded" : "healthy"
  }

  /// Adds what comes next until `out` has `size` bytes. False: that was the page's end.
  mutating func write(upTo size: Int, now: Moment, into out: inout ByteBuffer) -> Bool {
    while !places.isEmpty {
      let place = places.lowerBound
      var (model, lastChecked) = half ?? (0, nil)
      if half == nil {
        let status = health.status(at: place, now: now.instant)
        Self.write(status, now: now, into: &out)
        Self.writeSpending(status, into: &out)
        out.append(#","models":["#)
        lastChecked = status.lastChecked
      }
      while let name = health.catalog.modelName(model, ofProvider: place) {
        if out.count >= size {
          half = (model, lastChecked)
          return true
        }
        if model > 0 { out.append(",") }
        out.append(jsonString: name)
        model += 1
      }
      half = nil
      out.append(#"],"lastChecked":"#)
      Self.append(lastChecked, now, to: &out)
      out.append("}")
      places.removeFirst()
      if !places.isEmpty { out.append(",") }
    }
    out.append(ending)
    return false
  }

  /// What stands before the models' names. The object is open.
  static func write(_ status: ProviderStatus, now: Moment, into out: inout ByteBuffer) {
    out.append(#"{"name":"#)
    out.append(jsonString: status.name)
    out.append(#","status":""#)
    out.append(status.state.word)
    out.append(#"","tier":"#)
    if status.state == .disabled { out.append("null") } else { out.append(decimal: status.tier) }
    out.append(#","latency":"#)
    if let latency = status.latency { out.append(milliseconds: latency) } else { out.append("null") }
    out.append(#","successRate":"#)
    if let rate = status.successRate { out.append(share: rate) } else { out.append("null") }
    out.append(#","inFlight":"#)
    out.append(decimal: status.inFlight)
    out.append(#","cooldownUntil":"#)
    append(status.cooldownUntil, now, to: &out)
    out.append(#","reason":"#)
    if let reason = status.reason { out.append(jsonString: reason) } else { out.append("null") }
    out.append(#","quota":{"requests":"#)
    append(status.quota.requests, to: &out)
    out.append(#","tokens":"#)
    append(status.quota.tokens, to: &out)
    out.append("}")
  }

  /// What its answers used and cost since the start, in USD.
  private static func writeSpending(_ status: ProviderStatus, into out: inout ByteBuffer) {
    out.append(#","tokens":{"input":"#)
    out.append(decimal: status.tokens.input.value)
    out.append(#","cached":"#)
    out.append(decimal: status.tokens.cached.value)
    out.append(#","output":"#)
    out.append(decimal: status.tokens.output.value)
    out.append(#"},"spent":{"total":"#)
    out.append(status.bill.spent)
    out.append(#","today":"#)
    out.append(status.spentToday)
    out.append(#","limit":"#)
    if let limit = status.spendPerDay { out.append(limit) } else { out.append("null") }
    out.append("}")
  }

  private static func append(_ number: Quantity?, to out: inout ByteBuffer) {
    if let number { out.append(decimal: number.value) } else { out.append("null") }
  }

  private static func append(_ instant: Instant?, _ now: Moment, to out: inout ByteBuffer) {
    // A cooldown without end has no date.
    guard let instant, instant != .distantFuture else {
      out.append("null")
      return
    }
    out.append("\"")
    out.append(rfc3339: now.wall(of: instant))
    out.append("\"")
  }
}

extension ProviderStatus.State {
  var word: StaticString {
    switch self {
    case .online: "online"
    case .cooling: "cooling"
    case .offline: "offline"
    case .disabled: "disabled"
    }
  }
}
