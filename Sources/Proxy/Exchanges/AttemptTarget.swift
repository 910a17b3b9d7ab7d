internal import Base
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

// Whom an attempt asks, and by which name of the model.
extension Runner {
  func target(_ attempt: Int, _ run: ExchangeRun) -> TargetID {
    let choice = run.exchange.attempts[attempt].choice
    if let stored = run.stored {
      let target = run.runtime.newTarget(
        provider: choice.provider, key: choice.key, storedResponse: stored.path)
      stored.targets.append(target)
      return target
    }
    return run.runtime.target(
      provider: choice.provider, key: choice.key, path: .endpoint(run.exchange.shape.endpoint))
  }

  /// The model's name in the provider's spelling, where that differs.
  func modelSplice(for choice: Choice, _ run: ExchangeRun) -> Splice? {
    if run.stored != nil { return nil }
    let catalog = run.runtime.catalog
    let route = run.exchange.shape.route
    let requested = run.facts.model
    guard
      catalog.needsModelSplice(choice.candidate, route: route, requested: requested.span)
    else {
      return nil
    }
    let candidate = catalog[choice.candidate]
    var name = ByteBuffer()
    switch (run.facts.form, candidate.isWildcard) {
    case (.json, false): name.append(candidate.upstreamJSON.span)
    case (.multipart, false): name.append(candidate.upstreamName.span)
    case (.json, true): name.append(jsonString: requested.span.extracting(route.passedName))
    case (.multipart, true): name.append(requested.span.extracting(route.passedName))
    }
    let bytes = name.withBytes { $0.array }
    return Splice(range: run.facts.modelRange, replacement: bytes)
  }
}
