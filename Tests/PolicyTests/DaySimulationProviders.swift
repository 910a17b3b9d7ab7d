import Base
import Policy

/// A free tier as it might be: quotas in windows of its own clock, hours in which it is slow, and outages.
struct FreeTier {
  struct Outage {
    var from: Int64
    var minutes: Int64
    var fault: Fault
    /// Milliseconds until the fault shows.
    var after: Int64
  }
  var name: String
  var tier: Int
  var perMinute: Int
  var perDay: Int
  /// What it tells in headers: for the minute, for the day.
  var tellsMinute = false
  var tellsDay = false
  /// What the tier file says of it.
  var ownPerMinute: Int?
  var ownPerDay: Int?
  /// Milliseconds to the first token, typically.
  var latency: Int64
  /// Hours of the day in which it takes four times as long.
  var slowHours: Range<Int64> = 0..<0
  var outages: [Outage] = []
  /// A 429 says how long to wait.
  var tellsRetryAfter = true

  static let day: [FreeTier] = [
    FreeTier(
      name: "alpha", tier: 0, perMinute: 30, perDay: 14_400, tellsDay: true, ownPerMinute: 30, latency: 220,
      outages: [Outage(from: 9 * 60, minutes: 25, fault: .serverError, after: 60)]),
    FreeTier(
      name: "bravo", tier: 0, perMinute: 30, perDay: 14_400, tellsDay: true, ownPerMinute: 30, latency: 180,
      slowHours: 14..<16),
    FreeTier(
      name: "charlie", tier: 1, perMinute: 30, perDay: 10_000, tellsMinute: true, tellsDay: true,
      latency: 400,
      outages: [Outage(from: 13 * 60, minutes: 12, fault: .silence, after: 80)]),
    FreeTier(name: "delta", tier: 1, perMinute: 60, perDay: 1_000_000, tellsMinute: true, latency: 500),
    FreeTier(
      name: "echo", tier: 2, perMinute: 15, perDay: 1_500, ownPerMinute: 15, ownPerDay: 1_500, latency: 650,
      slowHours: 8..<11),
    FreeTier(
      name: "foxtrot", tier: 2, perMinute: 15, perDay: 1_000, ownPerMinute: 15, latency: 900,
      outages: [Outage(from: 18 * 60, minutes: 90, fault: .unreachable, after: 30)]),
  ]

  /// The same day with nothing in the tier file but names and keys: minutes are told by headers or, by the
  /// last two, only by a 429.
  static let untold: [FreeTier] = day.map { tier in
    var tier = tier
    tier.ownPerMinute = nil
    tier.ownPerDay = nil
    tier.tellsMinute = tier.name != "echo" && tier.name != "foxtrot"
    return tier
  }

  /// The same day with each sidecar's part of the limits in its file; one request is the least that can be written.
  static func divided(by sidecars: Int) -> [FreeTier] {
    day.map { tier in
      var tier = tier
      tier.ownPerMinute = tier.ownPerMinute.map { max(1, $0 / sidecars) }
      tier.ownPerDay = tier.ownPerDay.map { max(1, $0 / sidecars) }
      return tier
    }
  }

  var settings: Provider {
    var provider = Provider(name: name, type: "openai", endpoint: "http://\(name)/v1")
    provider.tier = tier
    provider.free = true
    // What the same model costs where it is paid for.
    provider.cost = Cost(input: 0.59, output: 0.79)
    provider.keys = [Secret(name)]
    provider.models = [Model(name: "m", upstreamName: "m")]
    provider.budgets.requestsPerMinute = ownPerMinute.map { Quantity($0) }
    provider.budgets.requestsPerDay = ownPerDay.map { Quantity($0) }
    var pairs: [QuotaHeaders.Pair] = []
    if tellsMinute { pairs.append(.init(remaining: "minute", reset: "minute", unit: .requests)) }
    if tellsDay { pairs.append(.init(remaining: "day", reset: "day", unit: .requests)) }
    provider.quotaHeaders = QuotaHeaders(pairs)
    return provider
  }
}

/// The other side of the simulation: counts what reaches it, and answers or refuses.
struct SimulatedProvider {
  struct Answer {
    var fault: Fault?
    var timeToFirstToken = Interval.zero
    var total = Interval.zero
    /// What its headers say: what is left and when it comes back, in the order of the preset's pairs.
    var quota: [(left: Int, resetAt: Instant)] = []
  }

  let tier: FreeTier
  private var minute: Int64 = -1
  private var inMinute = 0
  private var today: Int64 = -1
  private var inDay = 0
  private(set) var requests = 0
  private(set) var refused = 0
  private(set) var answered = 0

  init(_ tier: FreeTier) { self.tier = tier }

  mutating func receive(at now: Instant, random: inout RandomSource) -> Answer {
    let seconds = now.nanoseconds / 1_000_000_000
    requests += 1
    for outage in tier.outages
    where seconds / 60 >= outage.from && seconds / 60 < outage.from + outage.minutes {
      return Answer(fault: outage.fault, total: .milliseconds(outage.after))
    }
    if seconds / 60 != minute {
      minute = seconds / 60
      inMinute = 0
    }
    if seconds / 86_400 != today {
      today = seconds / 86_400
      inDay = 0
    }
    let minuteEnds = Instant(nanoseconds: (minute + 1) * 60_000_000_000)
    let dayEnds = Instant(nanoseconds: (today + 1) * 86_400_000_000_000)
    if inDay >= tier.perDay || inMinute >= tier.perMinute {
      refused += 1
      let until = inDay >= tier.perDay ? dayEnds : minuteEnds
      let given = tier.tellsRetryAfter ? until : nil
      let fault: Fault = inDay >= tier.perDay ? .quota(until: given) : .rate(until: given)
      return Answer(fault: fault, total: .milliseconds(35))
    }
    inMinute += 1
    inDay += 1
    answered += 1
    let isSlow = tier.slowHours.contains(seconds / 3_600)
    // A long tail: mostly near the typical time, now and then three times as much.
    let stretch = 0.7 + 0.6 * random.fraction() + (random.below(20) == 0 ? 2 * random.fraction() : 0)
    let first = Int64(Double(tier.latency) * (isSlow ? 4 : 1) * stretch)
    var answer = Answer(timeToFirstToken: .milliseconds(first))
    answer.total = .milliseconds(first + 500 + Int64(random.below(2_500)))
    if tier.tellsMinute { answer.quota.append((tier.perMinute - inMinute, minuteEnds)) }
    if tier.tellsDay { answer.quota.append((tier.perDay - inDay, dayEnds)) }
    return answer
  }
}
