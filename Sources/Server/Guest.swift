package import Base
internal import CLinux

/// A part of the same process that lives on the same loop: it has a descriptor that becomes readable when it
/// has work, and a time at which it wants a turn.
package struct Guest {
  package let descriptor: Int32
  package let nextDue: () -> Instant?
  package let turn: (Instant) -> Void
  package init(descriptor: Int32, nextDue: @escaping () -> Instant?, turn: @escaping (Instant) -> Void) {
    self.descriptor = descriptor
    self.nextDue = nextDue
    self.turn = turn
  }
}
