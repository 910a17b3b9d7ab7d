internal import Base
internal import Transport

// What requests are sent to, prepared once.
extension Upstream {
  /// Takes in a target. Equal targets share one name; each `prepare` is undone by one `forget`.
  package func prepare(_ spec: TransferTarget) -> TargetID {
    var free: Int?
    for (index, target) in targets.enumerated() {
      guard let target else {
        free = index
        continue
      }
      if target.holders > 0, target.spec == spec {
        target.holders += 1
        return TargetID(index: Int32(index))
      }
    }
    let host = Host(spec)
    let place = hosts.firstIndex { $0.host == host } ?? hosts.count
    if place == hosts.count { hosts.append(HostRecord(host: host)) }
    let target = Target(spec, host: Int32(place))
    if let destination = target.destination, destination.isSecure {
      target.peer = peer(of: target, destination)
    }
    target.holders = 1
    if let free {
      targets[free] = target
      return TargetID(index: Int32(free))
    }
    targets.append(target)
    return TargetID(index: Int32(targets.count - 1))
  }

  /// Targets at one host share what was learned for resuming sessions, and those with equal settings one context.
  private func peer(of target: Target, _ destination: Destination) -> TLSPeer {
    var settings = target.spec.tls
    if settings.authorityFile == nil { trust.fill(in: &settings) }
    var context: TLSContext?
    for case let other? in targets {
      guard let peer = other.peer, peer.context.settings == settings else { continue }
      if other.host == target.host { return peer }
      context = peer.context
    }
    return TLSPeer(
      context ?? TLSContext(settings), name: target.spec.serverName ?? destination.hostName,
      protocols: ApplicationProtocols(target.spec.versions))
  }

  /// Gives a target back. Its transfers go on to their end.
  package func forget(_ id: TargetID) {
    guard let target = targets[Int(id.index)], target.holders > 0 else { return }
    target.holders -= 1
    if target.holders > 0 { return }
    targets[Int(id.index)] = nil
    for case let dial? in dials { dial.forget(target) }
  }
}

extension ApplicationProtocols {
  init(_ versions: HTTPVersions) {
    switch versions {
    case .offered: self = .both
    case .http1: self = .http1
    case .http2: self = .http2
    }
  }
}
