internal import Base
internal import Kernel

/// The process that started us, as far as it wants to know how we are: systemd, or whoever speaks like it.
///
/// Mute where there is none. It never blocks, and nothing depends on whether anybody listens.
package final class ServiceNotifier {
  private let socket: NotifySocket?
  private let period: Interval?
  private var beatAt = Instant.distantPast
  /// Descriptors of listening sockets that were handed to us and not yet taken over.
  private var inherited: Set<Int32>

  /// What the variables of sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3) say.
  package init(
    notifySocket: String? = nil, watchdogMicroseconds: String? = nil, watchdogPID: String? = nil,
    listenFDs: String? = nil, listenPID: String? = nil
  ) {
    let process = ProcessFacts.processID
    socket = notifySocket.flatMap { NotifySocket($0) }
    period =
      socket == nil
      ? nil
      : ServiceManager.watchdogPeriod(
        microseconds: watchdogMicroseconds, watchdogPID: watchdogPID, processID: process)
    inherited = Set(
      ServiceManager.inheritedDescriptors(listenFDs: listenFDs, listenPID: listenPID, processID: process))
  }

  /// Gives out the n-th socket that was handed over, once: after that its number may mean another.
  func takeInherited(_ index: Int) -> Int32? {
    inherited.remove(ServiceManager.firstInherited + Int32(clamping: index))
  }

  func ready(_ status: String) { socket?.send("READY=1\nSTATUS=\(status)") }

  /// `READY=1` follows when the reload is over, whichever way (Type=notify-reload, systemd.service(5)).
  func reloading(monotonic microseconds: UInt64) {
    socket?.send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)\nSTATUS=reading the tier file")
  }

  func stopping(_ status: String) { socket?.send("STOPPING=1\nSTATUS=\(status)") }

  /// When `turn` wants to be called.
  var nextDue: Instant? {
    if socket?.hasUnsent == true { return min(beatAt, retryAt) }
    return period == nil ? nil : beatAt
  }

  private var retryAt = Instant.distantPast

  /// Says that the loop turns, when it is time to.
  func turn(now: Instant) {
    guard let socket else { return }
    if let period, beatAt <= now {
      beatAt = now + period
      socket.send("WATCHDOG=1")
    } else if socket.hasUnsent, retryAt <= now {
      socket.retry()
    }
    if socket.hasUnsent { retryAt = now + Limits.logRetry }
    if period == nil { beatAt = .distantFuture }
  }
}
