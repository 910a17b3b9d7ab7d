package import Base
package import Exchange
internal import Policy
internal import Wire

// The lines about attempts: what they cost a provider, and at `debug` the time of every phase.
extension Log {
  /// Once for each exchange, when it is over.
  package func attempts(of record: ExchangeRecord, now: Moment) {
    let isVerbose = level >= .debug
    for index in record.attempts.indices {
      if isVerbose { phases(of: index, record) }
      if record.attempts[index].consequence != nil { consequence(of: index, record, now) }
    }
  }

  /// When one attempt was opened, connected, answered, showed content and ended: milliseconds from the request's
  /// last byte. What did not happen is left out.
  private func phases(of index: Int, _ record: ExchangeRecord) {
    let attempt = record.attempts[index]
    line(.debug) { line in
      line.add("msg", "attempt")
      addNames(of: index, record, to: &line)
      line.add("opened_ms", milliseconds: attempt.openedAt - record.startedAt)
      if let at = attempt.sentAt { line.add("connected_ms", milliseconds: at - record.startedAt) }
      if let at = attempt.answeredAt { line.add("head_ms", milliseconds: at - record.startedAt) }
      if let at = attempt.firstContentAt {
        line.add("first_ms", milliseconds: at - record.startedAt)
      }
      if let at = attempt.endedAt { line.add("end_ms", milliseconds: at - record.startedAt) }
      if attempt.status > 0 { line.add("status", attempt.status) }
      line.add("reason", attempt.fault?.reason ?? "ok")
      addDetail(of: index, record, to: &line)
    }
  }

  /// A provider, key or model that is left alone from now on is worth a line, once.
  private func consequence(of index: Int, _ record: ExchangeRecord, _ now: Moment) {
    let attempt = record.attempts[index]
    guard let consequence = attempt.consequence, consequence.isNew, let fault = attempt.fault else { return }
    line(fault == .keyRejected ? .error : .warning) { line in
      line.add("msg", fault == .keyRejected ? "the provider rejects the key" : "cooling down")
      addNames(of: index, record, to: &line)
      switch consequence.scope {
      case .provider: line.add("scope", "provider")
      case .account: line.add("scope", "account")
      case .key: line.add("scope", "key")
      case .candidate: line.add("scope", "model")
      case .endpoint:
        line.add("scope", "endpoint")
        line.add("endpoint", record.endpoint.name)
      }
      line.add("reason", fault.reason)
      line.add("for_s", (consequence.until - now.instant).wholeSecondsUp)
      addDetail(of: index, record, to: &line)
    }
  }

  private func addNames(of index: Int, _ record: ExchangeRecord, to line: inout LogLine) {
    let choice = record.attempts[index].choice
    if let id = record.requestID { line.add("id", id.span) }
    line.add("provider", record.providers[choice.provider].name)
    line.add("model", record.health.catalog[choice.candidate].name)
    line.add("key", choice.key + 1)
  }

  private func addDetail(of index: Int, _ record: ExchangeRecord, to line: inout LogLine) {
    let words = record.attempts[index].words
    if !words.isEmpty { line.add("detail", words.span) }
  }
}
