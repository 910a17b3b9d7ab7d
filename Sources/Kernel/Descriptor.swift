internal import CLinux

/// An open file descriptor with one owner, closed when the owner goes.
@frozen @usableFromInline package struct Descriptor: ~Copyable {
  package let raw: Int32

  /// Takes ownership of an open descriptor.
  package init(owning raw: Int32) {
    precondition(raw >= 0)
    self.raw = raw
  }

  deinit { _ = close(raw) }

  /// Gives the descriptor to an owner that closes it itself.
  package consuming func take() -> Int32 {
    let raw = raw
    discard self
    return raw
  }
}
