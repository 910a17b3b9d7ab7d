internal import CLinux

/// One descriptor held back for the day when there are no others: let go, it makes room for one more socket.
package final class ReserveDescriptor {
  private var raw: Int32 = -1

  package init() { restore() }

  deinit { release() }

  /// False where there is none to let go.
  @discardableResult package func release() -> Bool {
    guard raw >= 0 else { return false }
    _ = close(raw)
    raw = -1
    return true
  }

  /// Takes it back, if there is one to be had.
  package func restore() {
    if raw < 0 { raw = linux_open("/dev/null", O_RDONLY | O_CLOEXEC) }
  }
}
