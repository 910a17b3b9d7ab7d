internal import Base
internal import Downstream
internal import Kernel
internal import Observability
internal import Policy
internal import Wire

// How the instance is: for whoever balances the load, and for the operator.
extension Runner {
  /// Ready as long as some provider can be used; `degraded` when some cannot.
  func writeReadiness(now: Moment) -> Int {
    let usable = runtime.health.usableProviders(now: now.instant)
    let enabled = runtime.catalog.providers.count
    if isDraining {
      page.append(#"{"status":"draining"}"#)
      return 503
    }
    page.append(
      usable == 0
        ? #"{"status":"unavailable""# : usable < enabled ? #"{"status":"degraded""# : #"{"status":"ok""#)
    page.append(#","providers":{"usable":"#)
    page.append(decimal: usable)
    page.append(#","enabled":"#)
    page.append(decimal: enabled)
    page.append("}}")
    return usable == 0 ? 503 : 200
  }

  /// `GET /admin/health`, up to the list of providers.
  func writeHealth(now: Moment) {
    page.append(#"{"overallStatus":""#)
    page.append(isDraining ? "draining" : ProviderPage.overall(runtime.health, now: now.instant))
    page.append(#"","timestamp":""#)
    page.append(rfc3339: now.wall)
    page.append(#"","version":"#)
    page.append(jsonString: metrics.version)
    page.append(#","savings":"#)
    Savings(runtime.health, metrics).write(into: &page)
    page.append(#","services":[{"name":"proxy","status":""#)
    page.append(isDraining ? "draining" : "healthy")
    page.append(#"","uptimeSeconds":"#)
    page.append(decimal: Int64((now.instant - metrics.startedAt).seconds))
    page.append(#","connections":"#)
    page.append(decimal: downstream.connections.count)
    page.append(#","inFlight":"#)
    page.append(decimal: runs.count)
    page.append(#"},{"name":"cache","status":""#)
    writeCache(cacheFacts)
    page.append(#"],"providers":["#)
  }

  private func writeCache(_ cache: CacheFacts) {
    page.append(cache.isEnabled ? "healthy" : "disabled")
    page.append(#"","entries":"#)
    page.append(decimal: cache.entries)
    page.append(#","bytes":"#)
    page.append(decimal: cache.bytes)
    for state in CacheState.allCases {
      page.append(",\"")
      page.append(state.name)
      page.append("\":")
      page.append(decimal: metrics.cacheStates[state.rawValue])
    }
    page.append(#","evicted":"#)
    page.append(decimal: cache.evicted)
    page.append(#","callsSaved":"#)
    page.append(decimal: metrics.callsSaved)
    page.append("}")
  }
}
