internal import CLinux

/// Blocks of one size for recordings, straight from the kernel, and a few spare ones.
///
/// Kept out of malloc's heap: there, blocks that live for minutes between allocations of other sizes that live
/// for moments leave holes which nothing fits, and the heap grows to twice of what is in use. To be shared by
/// all that hold recordings, since one gives back what the other needs.
package final class BlockPool {
  /// Bytes of a block: a few pages.
  package static let room = 16 * 1024

  // Lifetime: blocks come from mmap; those in here are unmapped by `deinit`, those taken belong to the taker
  // until they are given back.
  private var spare: [UnsafeMutableRawPointer] = []

  package init() { spare.reserveCapacity(Limits.spareBlocks) }

  deinit { empty() }

  /// Gives the spare blocks back to the kernel.
  package func empty() {
    while let block = spare.popLast() { munmap(block, Self.room) }
  }

  /// A block with anything in it.
  func take() -> UnsafeMutableRawPointer {
    if let block = spare.popLast() { return block }
    guard let block = linux_map_pages(Self.room) else { abort() }
    return block
  }

  func give(_ block: UnsafeMutableRawPointer) {
    if spare.count < Limits.spareBlocks { spare.append(block) } else { munmap(block, Self.room) }
  }
}
