package import Base
internal import Observability
internal import Policy
internal import Wire

// How the instance is: for whoever balances the load, and for the operator.
extension PageSource {
  /// Ready as long as some provider can be used; `degraded` when some cannot.
  package func writeReadiness(now: Moment, into out: inout ByteBuffer) -> Int {
    let usable = health.usableProviders(now: now.instant)
    let enabled = health.catalog.providers.count
    if facts.isDraining {
      out.append(#"{"status":"draining"}"#)
      return 503
    }
    out.append(
      usable == 0
        ? #"{"status":"unavailable""# : usable < enabled ? #"{"status":"degraded""# : #"{"status":"ok""#)
    out.append(#","providers":{"usable":"#)
    out.append(decimal: usable)
    out.append(#","enabled":"#)
    out.append(decimal: enabled)
    out.append("}}")
    return usable == 0 ? 503 : 200
  }

  /// `GET /admin/health`, up to the list of providers.
  package func writeHealth(now: Moment, into out: inout ByteBuffer) {
    out.append(#"{"overallStatus":""#)
    out.append(facts.isDraining ? "draining" : ProviderPage.overall(health, now: now.instant))
    out.append(#"","timestamp":""#)
    out.append(rfc3339: now.wall)
    out.append(#"","version":"#)
    out.append(jsonString: metrics.version)
    out.append(#","savings":"#)
    Savings(health, metrics).write(into: &out)
    out.append(#","services":[{"name":"proxy","status":""#)
    out.append(facts.isDraining ? "draining" : "healthy")
    out.append(#"","uptimeSeconds":"#)
    out.append(decimal: Int64((now.instant - metrics.startedAt).seconds))
    out.append(#","connections":"#)
    out.append(decimal: facts.connections)
    out.append(#","inFlight":"#)
    out.append(decimal: facts.exchanges)
    out.append(#"},{"name":"cache","status":""#)
    writeCache(facts.cache, into: &out)
    out.append(#"],"providers":["#)
  }

  private func writeCache(_ cache: CacheFacts, into out: inout ByteBuffer) {
    out.append(cache.isEnabled ? "healthy" : "disabled")
    out.append(#"","entries":"#)
    out.append(decimal: cache.entries)
    out.append(#","bytes":"#)
    out.append(decimal: cache.bytes)
    for state in CacheState.allCases {
      out.append(",\"")
      out.append(state.name)
      out.append("\":")
      out.append(decimal: metrics.cacheStates[state.rawValue])
    }
    out.append(#","evicted":"#)
    out.append(decimal: cache.evicted)
    out.append(#","callsSaved":"#)
    out.append(decimal: metrics.callsSaved)
    out.append("}")
  }
}
