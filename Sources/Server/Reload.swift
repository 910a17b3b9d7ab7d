internal import Base
internal import CLinux
internal import Downstream
internal import Kernel
internal import Observability
package import Policy
internal import Transport

// A new configuration for a server that runs. Who reads the tier file is above: `run` returns `.reloadWanted`, and
// is called again after `reload` or `keepConfiguration`.
extension Server {
  /// Takes another configuration over: all of it, or nothing where one of its addresses cannot be had.
  ///
  /// Exchanges under way finish on what they began with. Listeners that both have are not touched; those that
  /// are gone are closed when their backlog was taken. What was learned of providers, and what clients have
  /// spent, stays.
  @discardableResult package func reload(_ configuration: Configuration) -> Bool {
    let now = Clock.now()
    let identities: [Listen: TLSIdentity]
    do throws(StartFault) {
      identities = try Self.identities(of: configuration)
    } catch {
      if case .identity(let fault) = error {
        log.note(.error, "not reloaded, the former configuration stays", fault.text)
      }
      announce()
      return false
    }
    var places: [Downstream.ListenerPlace] = []
    var added: [String] = []
    let wanted =
      configuration.listen.map { ($0, false) } + configuration.admin.listen.map { ($0, true) }
    for (listen, isAdmin) in wanted {
      if var kept = downstream.listeners.first(where: { $0.listen == listen }) {
        kept.isAdmin = isAdmin
        kept.identity = identities[listen]
        places.append(kept)
        continue
      }
      do throws(KernelFault) {
        let listener = try open(listen)
        added.append(listener.text)
        places.append(
          Downstream.ListenerPlace(
            listener: listener, listen: listen, isAdmin: isAdmin, identity: identities[listen]))
      } catch {
        log.note(.error, "not reloaded, the former configuration stays", error.text)
        announce()
        return false
      }
    }
    self.identities = identities
    replaceListeners(places, now: now.instant)
    for address in added { log.note(.info, "listening", address) }
    let former = runner.configuration
    let forgets = configuration.providers != former.providers || configuration.aliases != former.aliases
    runner.adopt(configuration, now: now.instant)
    runner.runs.capacity = configuration.limits.connections
    downstream.apply(configuration.limits)
    runner.sharing.adopt(configuration.cache, limits: configuration.limits, forgets: forgets)
    log.settings = configuration.log
    log.note(.info, "reloaded")
    announce()
    return true
  }

  /// The tier file cannot be used: the running configuration stays.
  package func keepConfiguration() {
    log.note(.error, "not reloaded, the former configuration stays")
    announce()
  }

  private func replaceListeners(_ places: [Downstream.ListenerPlace], now: Instant) {
    for (index, place) in downstream.listeners.enumerated()
    where !places.contains(where: { $0.listen == place.listen }) {
      downstream.takeBacklog(of: index, now: now)
      log.note(.info, "no longer listening", place.listener.text)
    }
    for place in downstream.listeners where !downstream.isPaused { poller.remove(place.listener.descriptor) }
    downstream.listeners = places
    if downstream.isPaused { return }
    for index in places.indices { downstream.watch(listener: index) }
  }

  /// Tells the supervisor that we serve, and where.
  func announce() {
    notifier.ready("serving on \(addresses.joined(separator: ", "))")
  }
}
