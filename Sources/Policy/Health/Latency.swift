package import Base

/// A peak-sensitive moving average of the time to first token: it rises to a slow sample at once and comes down
/// slowly, and it fades while nothing is heard, so that what was slow gets another chance.
package struct Latency: Equatable, Sendable {
  private var average = 0.0
  private var sampledAt = Instant.distantPast
  package private(set) var isSampled = false

  package init() {}

  package mutating func add(_ sample: Interval, now: Instant) {
    let value = Double(max(0, min(sample, Limits.longestLatency).nanoseconds))
    let weight = isSampled ? Self.fading(now - sampledAt) : 0
    average = value > average ? value : average * weight + value * (1 - weight)
    sampledAt = max(sampledAt, now)
    isSampled = true
  }

  /// A failure is slow, however soon it came: nothing must look fast because it fails at once.
  package mutating func addFailure(after elapsed: Interval, now: Instant) {
    let doubled = min(Interval(nanoseconds: Int64(faded(now: now) * 2)), Limits.longestFailureLatency)
    add(max(elapsed, doubled, Limits.failureLatency), now: now)
  }

  /// The average as last computed; nil before the first sample.
  package var current: Interval? { isSampled ? Interval(nanoseconds: Int64(average)) : nil }

  /// What candidates are compared by: nanoseconds, weighted with the attempts under way. 0 for one that has no
  /// sample yet and none on its way.
  package func score(inFlight: Int, now: Instant) -> Double {
    if isSampled { return faded(now: now) * Double(inFlight + 1) }
    return inFlight == 0 ? 0 : Double(Limits.assumedLatency.nanoseconds) * Double(inFlight + 1)
  }

  private func faded(now: Instant) -> Double { average * Self.fading(now - sampledAt) }

  /// About e^(−t/decay): the reciprocal of the exponential series' first terms.
  private static func fading(_ elapsed: Interval) -> Double {
    let x = max(0, elapsed.seconds) / Limits.latencyDecay.seconds
    return 1 / (1 + x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4))))
  }
}
