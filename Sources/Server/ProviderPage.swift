internal import Base
internal import Policy
internal import Wire

/// A provider's state as JSON, for `/admin/…`. `latency` is in milliseconds, `successRate` between 0 and 1; what is
/// not known is null.
enum ProviderPage {
  /// One word for all: `healthy` while every enabled provider can be used, `unhealthy` when none can.
  static func overall(_ statuses: [ProviderStatus]) -> StaticString {
    var usable = 0
    var enabled = 0
    for status in statuses {
      switch status.state {
      case .online:
        usable += 1
        enabled += 1
      case .cooling, .offline: enabled += 1
      case .disabled: break
      }
    }
    return usable == 0 ? "unhealthy" : usable < enabled ? "degraded" : "healthy"
  }

  static func write(_ statuses: [ProviderStatus], now: Moment, into out: inout ByteBuffer) {
    out.append("[")
    for (index, status) in statuses.enumerated() {
      if index > 0 { out.append(",") }
      write(status, now: now, into: &out)
    }
    out.append("]")
  }

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
    out.append(#"},"models":["#)
    for (index, model) in status.models.enumerated() {
      if index > 0 { out.append(",") }
      out.append(jsonString: model)
    }
    out.append(#"],"lastChecked":"#)
    append(status.lastChecked, now, to: &out)
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

extension ByteBuffer {
  /// A number between 0 and 1 with four digits behind the point.
  mutating func append(share: Double) {
    let parts = Int(max(0, min(1, share)) * 10_000 + 0.5)
    append(decimal: parts / 10_000)
    append(".")
    append(UInt8(48 + parts / 1000 % 10))
    append(UInt8(48 + parts / 100 % 10))
    append(UInt8(48 + parts / 10 % 10))
    append(UInt8(48 + parts % 10))
  }
}
