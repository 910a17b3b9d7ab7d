internal import Base
internal import CLinux

/// The two things that systemd and a service say to each other. The environment is read by the caller.
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

  /// Sends a state line (`READY=1`, `WATCHDOG=1`) to $NOTIFY_SOCKET (sd_notify(3)); `@` means the abstract
  /// namespace. False when it did not get there: nothing depends on it.
  @discardableResult package static func notify(_ state: String, socket: String) -> Bool {
    guard let address = try? SocketAddress(unix: socket) else { return false }
    var target = address.raw
    var state = state
    return state.withUTF8 { utf8 in
      // Lifetime: the kernel only reads the text, during the call.
      utf8.withMemoryRebound(to: CChar.self) { text in
        guard let base = text.baseAddress else { return false }
        return linux_send_datagram(&target, base, text.count) == 0
      }
    }
  }

  private static func number(_ text: String) -> Int64? {
    var text = text
    return text.withUTF8 { Span(_unsafeElements: $0).decimal }
  }
}
