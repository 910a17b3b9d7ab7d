package import Base
internal import CLinux

/// What systemd tells a process that it starts. The environment is read by the caller.
package enum ServiceManager {
  /// The first descriptor of LISTEN_FDS (sd_listen_fds(3)).
  package static let firstInherited: Int32 = 3

  /// The descriptors that were passed to this process: none where the variables are missing, malformed, or
  /// meant for another process.
  package static func inheritedDescriptors(listenFDs: String?, listenPID: String?, processID: Int32)
    -> Range<Int32>
  {
    let none = firstInherited..<firstInherited
    guard let listenFDs, let listenPID, number(listenPID) == Int64(processID), let count = number(listenFDs),
      count <= Limits.inheritedSockets
    else { return none }
    return firstInherited..<firstInherited + Int32(count)
  }

  /// Half of the time after which the manager takes a silent process for hung: `$WATCHDOG_USEC`, where it is
  /// meant for this process (sd_watchdog_enabled(3)).
  package static func watchdogPeriod(microseconds: String?, watchdogPID: String?, processID: Int32)
    -> Interval?
  {
    guard let microseconds, let time = number(microseconds), time > 0 else { return nil }
    if let watchdogPID, number(watchdogPID) != Int64(processID) { return nil }
    return .microseconds(max(1, time / 2))
  }

  private static func number(_ text: String) -> Int64? {
    var text = text
    return text.withUTF8 { Span(_unsafeElements: $0).decimal }
  }
}
