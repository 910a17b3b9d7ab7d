/// What an epoll registration is called: the kind of its owner, the owner's slot, and the slot's generation.
///
/// A slot that is used again has another generation, so an event that was already taken from epoll for the
/// former owner does not match the new one.
package struct Token: Hashable, Sendable {
  package var bits: UInt64

  @inlinable package init(bits: UInt64) { self.bits = bits }

  /// `kind` is the owner's to define; `slot` must be below 2^24.
  @inlinable package init(kind: UInt8, slot: Int, generation: UInt32 = 0) {
    precondition(slot >= 0 && slot < 1 << 24)
    bits = UInt64(kind) << 56 | UInt64(slot) << 32 | UInt64(generation)
  }

  @inlinable package var kind: UInt8 { UInt8(truncatingIfNeeded: bits >> 56) }
  @inlinable package var slot: Int { Int(bits >> 32 & 0xff_ffff) }
  @inlinable package var generation: UInt32 { UInt32(truncatingIfNeeded: bits) }
}
