package import Base
internal import Observability
internal import Policy

/// What those who have the page for people open were told last, all the same.
package struct ToldState {
  private var exchange: UInt64 = 0
  private var bin: Int64 = 0
  private var statuses: [ProviderStatus] = []
  private var inFlight = 0

  package init() {}

  /// All of a source is told now.
  package init(_ source: PageSource, now: Instant) {
    exchange = source.activity.exchanges
    bin = source.activity.currentBin(now: now)
    statuses = source.statuses(now: now)
    inFlight = source.facts.exchanges
  }

  /// Writes an event of at most `Limits.watchBytes`: providers whose state is another, then the others that changed,
  /// then exchanges, the last first. Providers that have no room come the next time; exchanges are left out, which
  /// their numbers tell. False where there is nothing to tell.
  package mutating func writeChanges(of source: PageSource, now: Moment, into out: inout ByteBuffer) -> Bool {
    let statuses = source.statuses(now: now.instant)
    let activity = source.activity
    let inFlight = source.facts.exchanges
    let isChanged =
      activity.exchanges != exchange || inFlight != self.inFlight
      || statuses != self.statuses
    guard isChanged else { return false }
    out.append("data: {")
    source.writeFigures(now: now, into: &out)
    source.writeBins(from: bin, now: now, into: &out)
    bin = activity.currentBin(now: now.instant)
    self.inFlight = inFlight
    // A list of another length is another configuration's, whose streams have ended.
    var told = self.statuses
    out.append(#","providers":["#)
    var isFirst = true
    for isUrgent in [true, false] {
      for place in statuses.indices where statuses[place] != told[place] {
        if (statuses[place].state != told[place].state) != isUrgent { continue }
        let isIn = Self.append(isFirst: isFirst, to: &out) { out in
          ProviderPage.write(statuses[place], now: now, into: &out)
          out.append("}")
        }
        guard isIn else { break }
        told[place] = statuses[place]
        isFirst = false
      }
    }
    self.statuses = told
    out.append(#"],"exchanges":["#)
    isFirst = true
    activity.forEachMark(after: exchange) { mark in
      let isIn = Self.append(isFirst: isFirst, to: &out) { out in mark.write(into: &out) }
      isFirst = false
      return isIn
    }
    exchange = activity.exchanges
    out.append("]}\n\n")
    return true
  }

  /// One more element of the event's list; taken back where it is too much.
  private static func append(
    isFirst: Bool, to out: inout ByteBuffer, _ write: (inout ByteBuffer) -> Void
  ) -> Bool {
    let before = out.count
    if !isFirst { out.append(",") }
    write(&out)
    if out.count > Limits.watchBytes {
      out.truncate(to: before)
      return false
    }
    return true
  }
}

extension PageSource {
  fileprivate func statuses(now: Instant) -> [ProviderStatus] {
    (0..<health.statusCount).map { health.status(at: $0, now: now) }
  }
}
