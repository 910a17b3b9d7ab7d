import Glibc
import Kernel

/// Two connected unix sockets, which do not block.
final class Pair {
  private(set) var a: Int32
  private(set) var b: Int32

  init() {
    var raw: [Int32] = [-1, -1]
    let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    precondition(socketpair(AF_UNIX, flags, 0, &raw) == 0)
    (a, b) = (raw[0], raw[1])
  }

  deinit {
    if a >= 0 { close(a) }
    if b >= 0 { close(b) }
  }

  func closeB() {
    close(b)
    b = -1
  }
}

func isOpen(_ descriptor: Int32) -> Bool { fcntl(descriptor, F_GETFD) >= 0 }
