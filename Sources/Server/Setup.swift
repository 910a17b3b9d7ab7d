internal import Base
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

/// The running configuration and what is made of it. A reload makes a new one; exchanges in flight keep theirs.
final class Setup {
  let configuration: Configuration
  let catalog: Catalog
  let ledger: Ledger
  let gate: Gate
  /// Per provider.
  let edits: [BodyEdits]
  /// `GET /v1/models`, ready to be sent.
  let modelList: [UInt8]
  private let upstream: Upstream
  private var targets: [TargetKey: TargetID] = [:]
  /// The one that was asked for last: most requests are like the one before.
  private var latest: (place: TargetKey, id: TargetID)?

  /// What the URL and the fixed header lines of a transfer depend on.
  private struct TargetKey: Hashable {
    var provider: Int
    var key: Int
    var suffix: [UInt8]
  }

  init(_ configuration: Configuration, upstream: Upstream, seed: UInt64, keeping old: Setup?) {
    self.configuration = configuration
    self.upstream = upstream
    catalog = Catalog(configuration, seed: seed)
    if let old {
      ledger = Ledger(catalog, keeping: old.ledger)
    } else {
      ledger = Ledger(catalog, seed: seed)
    }
    gate = Gate(configuration, keeping: old?.gate)
    edits = configuration.providers.map { BodyEdits($0.edits) }
    modelList = ModelPage.list(catalog)
  }

  deinit {
    for target in targets.values { upstream.forget(target) }
  }

  /// The prepared target for a provider, a key and a path behind `/v1`. Bounded: paths are the known endpoints.
  func target(provider index: Int, key: Int, suffix: Span<UInt8>) -> TargetID {
    if let latest, latest.place.provider == index, latest.place.key == key,
      latest.place.suffix.span.equals(suffix)
    {
      return latest.id
    }
    let place = TargetKey(
      provider: index, key: key, suffix: suffix.withUnsafeBufferPointer { Array($0) })
    if let known = targets[place] {
      latest = (place, known)
      return known
    }
    let provider = catalog.providers[index]
    var target = TransferTarget(url: provider.endpoint + suffix.text)
    target.headerLines = Self.headerLines(provider, key: key, suffix: suffix)
    target.proxy = provider.proxy
    target.connectTimeout = configuration.timeouts.connect
    let id = upstream.prepare(target)
    targets[place] = id
    return id
  }

  /// Host, length and encoding are the transfer's own; what the client may add is appended per request.
  private static func headerLines(_ provider: Provider, key: Int, suffix: Span<UInt8>) -> [String] {
    var lines: [String] = []
    if key < provider.keys.count {
      let secret = provider.keys[key].exposed
      switch provider.keyScheme {
      // Anthropic takes its own scheme for its own form, and Bearer for OpenAI's.
      case .header where provider.type == "anthropic" && !suffix.equals("/messages"), .bearer:
        lines.append("Authorization: Bearer \(secret)")
      case .header(let name): lines.append("\(name): \(secret)")
      case .none: break
      }
    }
    for (name, value) in provider.headers { lines.append("\(name): \(value)") }
    return lines
  }
}
