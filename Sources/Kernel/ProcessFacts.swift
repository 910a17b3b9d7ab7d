package import Base
internal import CLinux

/// What the process knows about itself, and the few things that it sets for itself.
package enum ProcessFacts {
  /// Resident memory in bytes.
  package static var residentBytes: Int { max(0, Int(clamping: linux_resident_bytes())) }

  package static var openDescriptors: Int { max(0, Int(linux_open_descriptors())) }

  /// Most descriptors that may be open: the soft limit.
  package static var descriptorLimit: Int { max(0, Int(linux_raise_descriptor_limit(0))) }

  /// Processor time of all threads, user and system.
  package static var processorTime: Interval { Interval(nanoseconds: Int64(linux_processor_ns())) }

  package static var processID: Int32 { getpid() }

  /// Raises the soft limit of open descriptors towards `wanted`, at most to the hard one; never lowers it.
  /// Returns the limit that holds now.
  @discardableResult package static func raiseDescriptorLimit(to wanted: Int) -> Int {
    max(0, Int(linux_raise_descriptor_limit(wanted)))
  }

  /// One malloc arena for all threads: glibc otherwise reserves 64 MB of address space for the resolver's.
  /// Call it before a second thread starts.
  package static func useOneArena() { _ = mallopt(M_ARENA_MAX, 1) }

  /// Lets go of the pages of program and libraries: what only the start needed (relocation and symbol tables,
  /// initialisers), or a peak. They are clean copies of files, and come back when they are touched.
  package static func dropFilePages() { linux_drop_file_pages() }

  /// Gives free heap pages back to the kernel, after a peak. Takes up to some milliseconds.
  package static func trimHeap() {
    linux_slabs_trim()
    _ = malloc_trim(0)
  }

  /// The same, with the pages of what malloc keeps at hand. Takes a tenth of a millisecond more.
  package static func emptyHeap() {
    linux_empty_heap_cache()
    trimHeap()
  }
}
