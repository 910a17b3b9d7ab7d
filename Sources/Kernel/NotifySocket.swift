internal import CLinux

/// The way to the service manager that started us: datagrams of `NAME=value` lines (sd_notify(3)).
///
/// The socket stays open, so that a process without a free descriptor can still say that it lives. Nothing here
/// blocks: what the manager does not take at once is sent with what comes next.
package final class NotifySocket {
  private let socket: Descriptor
  private var target: linux_address
  private var unsent = ""

  /// `$NOTIFY_SOCKET`: an absolute path, or `@` and a name in the abstract namespace. Nil for anything else.
  package init?(_ path: String) {
    guard let address = try? SocketAddress(unix: path) else { return nil }
    let raw = linux_datagram_socket()
    guard raw >= 0 else { return nil }
    target = address.raw
    socket = Descriptor(owning: raw)
  }

  /// Something waits for the manager to read.
  package var hasUnsent: Bool { !unsent.isEmpty }

  /// Sends lines without a final line end, behind those that wait. False: they wait, or nobody listens.
  @discardableResult package func send(_ lines: String) -> Bool {
    var message = unsent.isEmpty ? lines : unsent + "\n" + lines
    let count = message.utf8.count
    let outcome = message.withUTF8 { utf8 in
      // Lifetime: the kernel only reads the text, during the call.
      utf8.withMemoryRebound(to: CChar.self) { text in
        linux_send_to(socket.raw, &target, text.baseAddress, text.count)
      }
    }
    // A message that is too long has waited too long: then only the newest counts.
    unsent = outcome < 0 && linux_errno() == EAGAIN ? (count > 4096 ? lines : message) : ""
    return outcome == 0
  }

  /// Tries again what waits.
  package func retry() {
    guard hasUnsent else { return }
    let lines = unsent
    unsent = ""
    send(lines)
  }
}
