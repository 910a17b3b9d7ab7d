/// Bytes that several owners may hold together: each says what it takes and what it gives back.
///
/// Shared by reference, so that what an owner still holds stays counted wherever it has wandered, until its
/// memory is really freed.
package final class MemoryMeter {
  package var limit: Int
  package private(set) var used = 0
  /// Where the owners' blocks come from.
  package let pool: BlockPool

  package init(limit: Int, pool: BlockPool = BlockPool()) {
    self.limit = limit
    self.pool = pool
  }

  /// Counts `bytes` if they fit under the limit; false (and nothing counted) where they do not.
  package func take(_ bytes: Int) -> Bool {
    if bytes > limit - used { return false }
    used += bytes
    return true
  }

  /// Counts `bytes` that are held in any case, even above the limit.
  package func takeAnyway(_ bytes: Int) { used += bytes }

  package func give(_ bytes: Int) {
    precondition(bytes >= 0 && bytes <= used)
    used -= bytes
  }
}
