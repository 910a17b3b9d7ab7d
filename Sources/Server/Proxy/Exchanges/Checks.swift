internal import Base
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

/// Unbilled questions to providers: `GET /models`, never a completion.
///
/// For `probe`: at the start, so that the round trip is known before the first request, and when a cooldown has
/// passed. For `discover`: hourly, for the models that a provider has; a stale list serves while a new one is
/// fetched. One question per provider at a time.
final class Checks {
  private struct Place {
    /// When the provider is to be asked next.
    var askAt = Instant.distantFuture
    var startedAt: Instant?
    /// What its last list said.
    var names: [String] = []
  }

  let runtime: RuntimeConfiguration
  private let upstream: Upstream
  private var places: [Place]
  private var running: [TransferID: Int] = [:]
  private var probe = JSONProbe()
  /// Somebody is to be asked at all.
  private let isWanted: Bool

  init(_ runtime: RuntimeConfiguration, upstream: Upstream, keeping old: Checks?, now: Instant) {
    self.runtime = runtime
    self.upstream = upstream
    let providers = runtime.catalog.providers
    isWanted = providers.contains { $0.probes || $0.discovers }
    places = providers.map { provider in
      var place = Place()
      let before = old?.runtime.catalog.providers.firstIndex {
        $0.name == provider.name && $0.endpoint == provider.endpoint
      }
      if let old, let before { place.names = old.places[before].names }
      if provider.probes || provider.discovers {
        place.askAt = place.names.isEmpty ? now : now + Limits.discoverEvery
      }
      return place
    }
  }

  deinit {
    for transfer in running.keys { upstream.cancel(transfer) }
  }

  var nextDue: Instant {
    guard isWanted else { return .distantFuture }
    var due = Instant.distantFuture
    for place in places { due = min(due, place.startedAt.map { $0 + Limits.checkTime } ?? place.askAt) }
    return due
  }

  func owns(_ transfer: TransferID) -> Bool { running[transfer] != nil }

  /// A provider is left alone until then: it is asked before a client's request is risked on it.
  func cooled(_ provider: Int, until: Instant) {
    guard runtime.catalog.providers[provider].probes else { return }
    places[provider].askAt = min(places[provider].askAt, until)
  }

  /// Asks who is due, and gives up on who does not answer.
  func turn(_ now: Instant) {
    for (transfer, provider) in running {
      if let startedAt = places[provider].startedAt, startedAt + Limits.checkTime <= now {
        settle(transfer, provider, .tooSlow, now)
      }
    }
    for provider in places.indices where places[provider].askAt <= now && places[provider].startedAt == nil {
      ask(provider, now)
    }
  }

  private func ask(_ provider: Int, _ now: Instant) {
    places[provider].askAt = now + Limits.discoverRetry
    var request = TransferRequest(target: runtime.target(provider: provider, key: 0, path: .models))
    request.method = .get
    let transfer = upstream.open(request, headerLines: Span(), body: Span(), now: now)
    running[transfer] = provider
    places[provider].startedAt = now
  }

  /// Takes an event of one of its transfers. True: a list of models has changed.
  func take(_ event: TransferEvent, now: Instant) -> Bool {
    guard let provider = running[event.transfer] else { return false }
    switch event.fact {
    case .ended(let outcome):
      if !outcome.isReused { runtime.health.noteRoundTrip(outcome.connectTime, provider: provider) }
      return ended(event.transfer, provider, outcome, now)
    case .heldFull:
      settle(event.transfer, provider, .foreign, now)
      return false
    case .connected, .head, .content, .blocked, .recorded, .roomy: return false
    }
  }

  /// Any answer shows that the provider is there: a refused key or an unknown path is no outage.
  private func ended(_ transfer: TransferID, _ provider: Int, _ outcome: TransferOutcome, _ now: Instant)
    -> Bool
  {
    var fault = outcome.fault.map { Judge.transfer(TransferEnd($0, of: outcome)) }
    if fault == nil, outcome.status >= 500 { fault = .serverError }
    let found = fault == nil && outcome.status == 200 ? upstream.withHeld(transfer) { names(in: $0) } : nil
    settle(transfer, provider, fault, now)
    guard runtime.catalog.providers[provider].discovers, let found, !found.isEmpty else { return false }
    places[provider].askAt = now + Limits.discoverEvery
    if found == places[provider].names { return false }
    places[provider].names = found
    return true
  }

  private func settle(_ transfer: TransferID, _ provider: Int, _ fault: Fault?, _ now: Instant) {
    let elapsed = places[provider].startedAt.map { now - $0 } ?? .zero
    runtime.health.recordCheck(provider: provider, fault: fault, elapsed: elapsed, now: now)
    upstream.cancel(transfer)
    running[transfer] = nil
    places[provider].startedAt = nil
    if runtime.catalog.providers[provider].discovers { return }
    // Asked again after its next cooldown, and after this one if it has just failed.
    let status = runtime.health.status(of: provider, now: now)
    places[provider].askAt =
      fault == nil ? .distantFuture : status.cooldownUntil ?? now + Limits.discoverRetry
  }

  /// The ids of a list in OpenAI's form, `{"data":[{"id":…}]}`, or the bare array that some send.
  private func names(in body: Span<UInt8>) -> [String] {
    do throws(JSONFault) { try probe.scan(body) } catch { return [] }
    let list = probe.root.kind == .array ? probe.root : probe.value(of: "data", in: body)
    guard let list, list.kind == .array else { return [] }
    var names: [String] = []
    var cursor = JSONCursor(list)
    while let entry = cursor.next(body), names.count < Limits.discoveredModels {
      guard let id = body.jsonMember("id", in: entry) else { continue }
      var name = ByteBuffer()
      guard body.jsonString(id, into: &name), !name.isEmpty, name.count <= Limits.modelName else { continue }
      names.append(name.withBytes { $0.text })
    }
    return names
  }

  /// The configuration with what was discovered among the models of those who are to be asked. The file's own
  /// names come first and win.
  func merged(into configuration: Configuration) -> Configuration {
    var merged = configuration
    for (index, provider) in merged.providers.enumerated() where provider.discovers {
      guard let place = runtime.catalog.providers.firstIndex(where: { $0.name == provider.name }) else {
        continue
      }
      let known = Set(provider.models.map { $0.name } + provider.models.map { $0.upstreamName })
      for name in places[place].names where !known.contains(name) {
        merged.providers[index].models.append(Model(name: name, upstreamName: name))
      }
    }
    return merged
  }
}
