internal import Base
internal import Observability
internal import Policy
internal import Wire

/// `GET /admin/activity`, and what `/admin/events` tells of it, as JSON.
///
/// Times are milliseconds, but `start` of a bin and `uptime`, which are seconds since the program began. A bin is
/// `[start, requests, failed, first token p50, p95, tokens in, tokens out]`.
extension Runner {
  /// All of it: its beginning in `page`, and the providers, who may be many.
  func activityText(ending: StaticString = "]}", now: Moment) -> PageText {
    page.append("{")
    writeFigures(now: now)
    page.append(#","version":"#)
    page.append(jsonString: metrics.version)
    page.append(#","startedAt":""#)
    page.append(rfc3339: metrics.startedOn)
    page.append(#"","bin":"#)
    page.append(decimal: Int64(Limits.activityBin.seconds))
    writeBins(from: 0, now: now)
    page.append(#","exchanges":["#)
    var isFirst = true
    activity.forEachMark(after: 0) { mark in
      if !isFirst { page.append(",") }
      isFirst = false
      mark.write(into: &page)
      return true
    }
    page.append(#"],"providers":["#)
    return .providers(ProviderPage(allOf: runtime.health, ending: ending))
  }

  /// What is true of the whole at this moment, as the first members of an object.
  func writeFigures(now: Moment) {
    page.append(#""now":""#)
    page.append(rfc3339: now.wall)
    page.append(#"","uptime":"#)
    page.append(decimal: Int64((now.instant - metrics.startedAt).seconds))
    page.append(#","overallStatus":""#)
    page.append(isDraining ? "draining" : ProviderPage.overall(runtime.health, now: now.instant))
    page.append(#"","inFlight":"#)
    page.append(decimal: runs.count)
    page.append(#","firstToken":"#)
    var all = LogBuckets()
    activity.forEachBin(now: now.instant) { $0.addFirstTokens(to: &all) }
    page.append("[")
    page.append(all.quantile(0.5))
    page.append(",")
    page.append(all.quantile(0.95))
    page.append(#"],"saved":{"calls":"#)
    page.append(decimal: metrics.callsSaved)
    page.append(#","hits":"#)
    page.append(decimal: metrics.cacheStates[CacheState.hit.rawValue])
    page.append(#","coalesced":"#)
    page.append(decimal: metrics.cacheStates[CacheState.coalesced.rawValue])
    page.append(#","tokens":"#)
    page.append(decimal: activity.savedTokens.value)
    let savings = Savings(runtime.health, metrics)
    page.append(#","dollars":"#)
    page.append(savings.saved)
    page.append(#","spent":"#)
    page.append(savings.spent)
    let cache = cacheFacts
    page.append(#","cache":""#)
    page.append(cache.isEnabled ? "enabled" : "disabled")
    page.append(#"","entries":"#)
    page.append(decimal: cache.entries)
    page.append(#","bytes":"#)
    page.append(decimal: cache.bytes)
    page.append("}")
  }

  func writeBins(from first: Int64, now: Moment) {
    page.append(#","bins":["#)
    var isFirst = true
    activity.forEachBin(from: first, now: now.instant) { bin in
      var times = LogBuckets()
      bin.addFirstTokens(to: &times)
      page.append(isFirst ? "[" : ",[")
      isFirst = false
      page.append(decimal: bin.number * Int64(Limits.activityBin.seconds))
      page.append(",")
      page.append(decimal: bin.requests)
      page.append(",")
      page.append(decimal: bin.failed)
      page.append(",")
      page.append(times.quantile(0.5))
      page.append(",")
      page.append(times.quantile(0.95))
      page.append(",")
      page.append(decimal: bin.tokensIn.value)
      page.append(",")
      page.append(decimal: bin.tokensOut.value)
      page.append("]")
    }
    page.append("]")
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
