package import Base
internal import Wire

/// What a load run measured.
package struct LoadReport: Sendable {
  /// Why answers did not count as good.
  package struct Errors: Equatable, Sendable {
    package var connect = 0
    /// The connection ended before the answer did, or what came is not HTTP.
    package var cut = 0
    package var status = 0
    /// Of `status`: how often each, in the order of their coming.
    package var statuses: [StatusCount] = []
    /// A stream that reported an error, or ended without saying so.
    package var stream = 0
    package var timeout = 0
    /// Due in an open loop, but no connection was free before the run's end.
    package var unsent = 0

    package struct StatusCount: Equatable, Sendable {
      package var status: Int
      package var count: Int
    }

    mutating func note(status code: Int) {
      status += 1
      if let place = statuses.firstIndex(where: { $0.status == code }) {
        statuses[place].count += 1
      } else {
        statuses.append(StatusCount(status: code, count: 1))
      }
    }

    package var total: Int { connect + cut + status + stream + timeout + unsent }
  }

  package init() {}

  package var elapsed = Interval.zero
  package var completed = 0
  package var errors = Errors()
  /// Bytes of answers' bodies.
  package var bytes = 0
  /// Events with content.
  package var events = 0
  package var firstToken = Histogram()
  package var total = Histogram()
  package var gap = Histogram()
  package var wasInterrupted = false
  package var isStream = false
  package var connections = 0
  package var rate: Int?

  package var finished: Int { completed + errors.total }
  /// Good answers per second.
  package var requestsPerSecond: Double { elapsed > .zero ? Double(completed) / elapsed.seconds : 0 }
  /// Between 0 and 1.
  package var errorRate: Double { finished > 0 ? Double(errors.total) / Double(finished) : 0 }

  /// The table for people.
  package func table() -> ByteBuffer {
    var out = ByteBuffer()
    if wasInterrupted { out.append("interrupted: this is what there was so far\n") }
    out.append("requests      ")
    out.append(decimal: finished)
    out.append(" in ")
    out.append(fixed: elapsed.seconds, digits: 2)
    out.append(" s, ")
    out.append(decimal: connections)
    out.append(connections == 1 ? " connection" : " connections")
    if let rate {
      out.append(", ")
      out.append(decimal: rate)
      out.append("/s wanted")
    }
    out.append("\nrequests/s    ")
    out.append(fixed: requestsPerSecond, digits: 1)
    out.append("\nerrors        ")
    out.append(fixed: errorRate * 100, digits: 2)
    out.append(" %")
    appendErrors(to: &out)
    if isStream {
      out.append("\nevents/s      ")
      out.append(fixed: elapsed > .zero ? Double(events) / elapsed.seconds : 0, digits: 1)
    }
    out.append("\nbody bytes    ")
    out.append(decimal: bytes)
    out.append("\n\nms                   p50        p95        p99        max\n")
    Self.row("first token ", firstToken, &out)
    Self.row("total       ", total, &out)
    if isStream { Self.row("gap         ", gap, &out) }
    return out
  }

  private func appendErrors(to out: inout ByteBuffer) {
    var isFirst = true
    func add(_ name: StaticString, _ count: Int) {
      if count == 0 { return }
      out.append(isFirst ? " (" : ", ")
      isFirst = false
      out.append(name)
      out.append(": ")
      out.append(decimal: count)
    }
    add("connect", errors.connect)
    add("cut", errors.cut)
    for entry in errors.statuses {
      out.append(isFirst ? " (" : ", ")
      isFirst = false
      out.append(decimal: entry.status)
      out.append(" ")
      out.append(ReasonPhrase.of(entry.status))
      out.append(": ")
      out.append(decimal: entry.count)
    }
    add("stream", errors.stream)
    add("timeout", errors.timeout)
    add("unsent", errors.unsent)
    if !isFirst { out.append(")") }
  }

  private static func row(_ name: StaticString, _ histogram: Histogram, _ out: inout ByteBuffer) {
    out.append(name)
    for part in [0.5, 0.95, 0.99, 1.0] {
      var cell = ByteBuffer()
      if let value = histogram.percentile(part) {
        cell.append(fixed: Double(value.nanoseconds) / 1e6, digits: 3)
      } else {
        cell.append("-")
      }
      for _ in 0..<max(1, 11 - cell.count) { out.append(" ") }
      cell.withBytes { out.append($0) }
    }
    out.append("\n")
  }

  /// The same as one JSON object; times in milliseconds.
  package func json() -> ByteBuffer {
    var out = ByteBuffer()
    out.append("{\"requests\":")
    out.append(decimal: finished)
    out.append(",\"completed\":")
    out.append(decimal: completed)
    out.append(",\"seconds\":")
    out.append(fixed: elapsed.seconds, digits: 3)
    out.append(",\"connections\":")
    out.append(decimal: connections)
    out.append(",\"rate\":")
    if let rate { out.append(decimal: rate) } else { out.append("null") }
    out.append(",\"requests_per_second\":")
    out.append(fixed: requestsPerSecond, digits: 2)
    out.append(",\"error_rate\":")
    out.append(fixed: errorRate, digits: 6)
    out.append(",\"errors\":{\"connect\":")
    out.append(decimal: errors.connect)
    out.append(",\"cut\":")
    out.append(decimal: errors.cut)
    out.append(",\"status\":")
    out.append(decimal: errors.status)
    out.append(",\"stream\":")
    out.append(decimal: errors.stream)
    out.append(",\"timeout\":")
    out.append(decimal: errors.timeout)
    out.append(",\"unsent\":")
    out.append(decimal: errors.unsent)
    out.append("},\"statuses\":{")
    for (index, entry) in errors.statuses.enumerated() {
      out.append(index == 0 ? "\"" : ",\"")
      out.append(decimal: entry.status)
      out.append("\":")
      out.append(decimal: entry.count)
    }
    out.append("},\"bytes\":")
    out.append(decimal: bytes)
    out.append(",\"events\":")
    out.append(decimal: events)
    out.append(",\"interrupted\":")
    out.append(wasInterrupted ? "true" : "false")
    Self.member(",\"first_token_ms\":", firstToken, &out)
    Self.member(",\"total_ms\":", total, &out)
    Self.member(",\"gap_ms\":", gap, &out)
    out.append("}\n")
    return out
  }

  private static func member(_ name: StaticString, _ histogram: Histogram, _ out: inout ByteBuffer) {
    out.append(name)
    guard let middle = histogram.percentile(0.5), let high = histogram.percentile(0.95),
      let higher = histogram.percentile(0.99)
    else { return out.append("null") }
    out.append("{\"p50\":")
    out.append(fixed: Double(middle.nanoseconds) / 1e6, digits: 4)
    out.append(",\"p95\":")
    out.append(fixed: Double(high.nanoseconds) / 1e6, digits: 4)
    out.append(",\"p99\":")
    out.append(fixed: Double(higher.nanoseconds) / 1e6, digits: 4)
    out.append(",\"min\":")
    out.append(fixed: Double(histogram.least.nanoseconds) / 1e6, digits: 4)
    out.append(",\"max\":")
    out.append(fixed: Double(histogram.greatest.nanoseconds) / 1e6, digits: 4)
    out.append("}")
  }
}

extension ByteBuffer {
  /// A number ≥ 0 with so many digits behind the point.
  package mutating func append(fixed value: Double, digits: Int) {
    var scale: Int64 = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int64(max(0, min(value, 1e12)) * Double(scale) + 0.5)
    append(decimal: scaled / scale)
    if digits == 0 { return }
    append(".")
    var rest = scaled % scale
    while scale > 1 {
      scale /= 10
      append(UInt8(48 + rest / scale))
      rest %= scale
    }
  }
}
