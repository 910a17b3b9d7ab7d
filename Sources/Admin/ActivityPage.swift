package import Base
internal import Observability
internal import Policy
internal import Wire

/// `GET /admin/activity`, and what `/admin/events` tells of it, as JSON.
///
/// Times are milliseconds, but `start` of a bin and `uptime`, which are seconds since the program began. A bin is
/// `[start, requests, failed, first token p50, p95, tokens in, tokens out]`.
extension PageSource {
  /// All of it: writes its beginning; returned are the providers, who may be many.
  package func writeActivity(ending: StaticString = "]}", now: Moment, into out: inout ByteBuffer) -> PageText
  {
    out.append("{")
    writeFigures(now: now, into: &out)
    out.append(#","version":"#)
    out.append(jsonString: metrics.version)
    out.append(#","startedAt":""#)
    out.append(rfc3339: metrics.startedOn)
    out.append(#"","bin":"#)
    out.append(decimal: Int64(Limits.activityBin.seconds))
    writeBins(from: 0, now: now, into: &out)
    out.append(#","exchanges":["#)
    var isFirst = true
    activity.forEachMark(after: 0) { mark in
      if !isFirst { out.append(",") }
      isFirst = false
      mark.write(into: &out)
      return true
    }
    out.append(#"],"providers":["#)
    return .providers(ProviderPage(allOf: health, ending: ending))
  }

  /// What is true of the whole at this moment, as the first members of an object.
  func writeFigures(now: Moment, into out: inout ByteBuffer) {
    out.append(#""now":""#)
    out.append(rfc3339: now.wall)
    out.append(#"","uptime":"#)
    out.append(decimal: Int64((now.instant - metrics.startedAt).seconds))
    out.append(#","overallStatus":""#)
    out.append(facts.isDraining ? "draining" : ProviderPage.overall(health, now: now.instant))
    out.append(#"","inFlight":"#)
    out.append(decimal: facts.exchanges)
    out.append(#","firstToken":"#)
    var all = LogBuckets()
    activity.forEachBin(now: now.instant) { $0.addFirstTokens(to: &all) }
    out.append("[")
    out.append(all.quantile(0.5))
    out.append(",")
    out.append(all.quantile(0.95))
    out.append(#"],"saved":{"calls":"#)
    out.append(decimal: metrics.callsSaved)
    out.append(#","hits":"#)
    out.append(decimal: metrics.cacheStates[CacheState.hit.rawValue])
    out.append(#","coalesced":"#)
    out.append(decimal: metrics.cacheStates[CacheState.coalesced.rawValue])
    out.append(#","tokens":"#)
    out.append(decimal: activity.savedTokens.value)
    let savings = Savings(health, metrics)
    out.append(#","dollars":"#)
    out.append(savings.saved)
    out.append(#","spent":"#)
    out.append(savings.spent)
    let cache = facts.cache
    out.append(#","cache":""#)
    out.append(cache.isEnabled ? "enabled" : "disabled")
    out.append(#"","entries":"#)
    out.append(decimal: cache.entries)
    out.append(#","bytes":"#)
    out.append(decimal: cache.bytes)
    out.append("}")
  }

  func writeBins(from first: Int64, now: Moment, into out: inout ByteBuffer) {
    out.append(#","bins":["#)
    var isFirst = true
    activity.forEachBin(from: first, now: now.instant) { bin in
      var times = LogBuckets()
      bin.addFirstTokens(to: &times)
      out.append(isFirst ? "[" : ",[")
      isFirst = false
      out.append(decimal: bin.number * Int64(Limits.activityBin.seconds))
      out.append(",")
      out.append(decimal: bin.requests)
      out.append(",")
      out.append(decimal: bin.failed)
      out.append(",")
      out.append(times.quantile(0.5))
      out.append(",")
      out.append(times.quantile(0.95))
      out.append(",")
      out.append(decimal: bin.tokensIn.value)
      out.append(",")
      out.append(decimal: bin.tokensOut.value)
      out.append("]")
    }
    out.append("]")
  }
}

extension ExchangeMark {
  func write(into out: inout ByteBuffer) {
    out.append(#"{"n":"#)
    out.append(decimal: number)
    out.append(#","at":""#)
    out.append(rfc3339: endedAt)
    out.append(#"","model":"#)
    out.append(jsonString: model.span)
    out.append(#","provider":"#)
    if provider.isEmpty { out.append("null") } else { out.append(jsonString: provider) }
    out.append(#","status":"#)
    out.append(decimal: status)
    out.append(#","end":""#)
    out.append(end)
    out.append(#"","first":"#)
    out.append(firstToken)
    out.append(#","total":"#)
    out.append(milliseconds: total)
    out.append(#","cache":""#)
    out.append(cache.name)
    out.append(#"","tries":"#)
    out.append(decimal: tryCount)
    out.append(#","attempts":["#)
    for index in keptTries {
      let attempt = attempt(index)
      out.append(index == keptTries.lowerBound ? "[" : ",[")
      out.append(jsonString: attempt.provider)
      out.append(",")
      out.append(decimal: attempt.status)
      out.append(",")
      if let fault = attempt.fault {
        out.append("\"")
        out.append(fault)
        out.append("\"")
      } else {
        out.append("null")
      }
      out.append(",")
      out.append(decimal: attempt.time.milliseconds)
      out.append("]")
    }
    out.append("]}")
  }
}

extension ByteBuffer {
  fileprivate mutating func append(_ time: Interval?) {
    if let time { append(milliseconds: time) } else { append("null") }
  }
}
