import CLinux
import TestSupport
import Testing

/// Small blocks apart from malloc's heap: `Slab.h`.
@Suite(.serialized) struct SlabTests {
  private struct Block {
    var place: UnsafeMutableRawPointer
    var size: Int
    var value: UInt8
    var isWhole: Bool { UnsafeRawBufferPointer(start: place, count: size).allSatisfy { $0 == value } }

    init(_ place: UnsafeMutableRawPointer, _ size: Int, _ value: UInt8) {
      self.place = place
      self.size = size
      self.value = value
      memset(place, Int32(value), size)
    }
  }

  /// Blocks of all sizes, malloc's too, keep their bytes until they are freed, whatever they grow or shrink to.
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func blocksKeepTheirBytes(_ seed: UInt64) throws {
    _ = linux_slabs_begin()
    var random = SeededRandom(seed)
    var blocks: [Block] = []
    for turn in 0..<20_000 {
      let size = Int.random(in: 1...(turn % 4 > 0 ? 200 : 1500), using: &random)
      let at = blocks.isEmpty ? 0 : Int.random(in: 0..<blocks.count, using: &random)
      let isGrowing = turn % 5000 < 2500
      switch Int.random(in: 0..<5, using: &random) {
      case 0..<2 where isGrowing:
        blocks.append(Block(try #require(linux_slab_allocate(size, nil, 0)), size, UInt8(turn & 255)))
      case 2 where !blocks.isEmpty:
        let old = blocks[at]
        let place = try #require(linux_slab_reallocate(old.place, size, nil, 0))
        let kept = UnsafeRawBufferPointer(start: place, count: min(size, old.size))
        #expect(kept.allSatisfy { $0 == old.value })
        blocks[at] = Block(place, size, old.value)
      case 3... where !blocks.isEmpty:
        let block = blocks.remove(at: at)
        #expect(block.isWhole && UInt(bitPattern: block.place) % 16 == 0)
        linux_slab_free(block.place, nil, 0)
      default: break
      }
      if turn % 500 == 0 { linux_slabs_trim() }
    }
    for block in blocks {
      #expect(block.isWhole)
      linux_slab_free(block.place, nil, 0)
    }
  }

  @Test func nothingIsOfNoSize() throws {
    _ = linux_slabs_begin()
    #expect(linux_slab_allocate(0, nil, 0) == nil)
    for size in [16, 4096] {
      let block = try #require(linux_slab_reallocate(nil, size, nil, 0))
      #expect(linux_slab_reallocate(block, 0, nil, 0) == nil)
    }
    linux_slab_free(nil, nil, 0)
  }

  /// More than the range holds is malloc's; and what is free goes back to the kernel, all but a few pages in which
  /// other tests may have something.
  @Test func whatDoesNotFitIsMallocsAndPagesAreGivenBack() throws {
    // Under AddressSanitizer there are none.
    if !linux_slabs_begin() { return }
    let count = 66_000
    var blocks: [Block] = []
    for turn in 0..<count {
      blocks.append(Block(try #require(linux_slab_allocate(1024, nil, 0)), 1024, UInt8(turn & 255)))
    }
    let places = blocks.map { UInt(bitPattern: $0.place) }.sorted()
    #expect(places.last! - places.first! > 64 << 20)
    for block in blocks {
      #expect(block.isWhole)
      linux_slab_free(block.place, nil, 0)
    }
    linux_slabs_trim()
    let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
    // The longest run of pages is the range.
    let pages = Set(places.map { $0 / page }).sorted()
    var run = 0..<0
    var start = 0
    for at in 1...pages.count where at == pages.count || pages[at] != pages[at - 1] + 1 {
      if at - start > run.count { run = start..<at }
      start = at
    }
    var states = [UInt8](repeating: 0, count: run.count)
    let first = UnsafeMutableRawPointer(bitPattern: pages[run.lowerBound] * page)
    #expect(mincore(first, run.count * Int(page), &states) == 0)
    #expect(run.count > 1000 && states.filter { $0 & 1 != 0 }.count < run.count / 10)
  }
}
