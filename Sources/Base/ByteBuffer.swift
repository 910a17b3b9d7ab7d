internal import CLinux

/// A growable run of bytes with a read end: bytes are appended behind and consumed in front.
///
/// The only owner of its memory, which it frees itself; ranges handed out by the parsers are offsets from
/// the first readable byte and stay valid until bytes are consumed. It holds no memory until the first
/// append, and `release()` gives all of it back. Frozen: else nothing of it is inlined in other modules.
@frozen @usableFromInline package struct ByteBuffer: ~Copyable {
  // Lifetime: allocated by `reserve`, freed by `release`; nobody else keeps it beyond a `with…` closure.
  @usableFromInline var storage: UnsafeMutableRawPointer?
  @usableFromInline var head: Int
  @usableFromInline var tail: Int
  @usableFromInline package private(set) var capacity: Int

  package init() {
    storage = nil
    head = 0
    tail = 0
    capacity = 0
  }

  package init(capacity: Int) {
    self.init()
    reserve(capacity)
  }

  deinit { free(storage) }

  /// Readable bytes.
  @inlinable package var count: Int { tail - head }
  @inlinable package var isEmpty: Bool { tail == head }

  /// Bytes that can be appended before more memory is needed.
  @inlinable package var room: Int { capacity - tail }

  /// The readable bytes, borrowed for the length of `body`.
  @inlinable @inline(__always)
  package func withBytes<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    try body(bytes)
  }

  /// A part of the readable bytes, borrowed for the length of `body`.
  @inlinable @inline(__always)
  package func withBytes<R, E: Error>(_ range: Range<Int>, _ body: (Span<UInt8>) throws(E) -> R) throws(E)
    -> R
  {
    try body(bytes.extracting(range))
  }

  /// The readable bytes as C takes them. Lifetime: until the buffer is next changed or freed, which the caller
  /// has to see to.
  package var unsafeBytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: storage.map { UnsafeRawPointer($0 + head) }, count: count)
  }

  @inlinable package var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      guard let storage else { return Span<UInt8>() }
      // Lifetime: the span borrows self, which owns the storage.
      let start = UnsafePointer((storage + head).assumingMemoryBound(to: UInt8.self))
      return _overrideLifetime(Span(_unsafeStart: start, count: tail - head), borrowing: self)
    }
  }

  @inlinable package subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count)
    return storage.unsafelyUnwrapped.load(fromByteOffset: head + index, as: UInt8.self)
  }

  /// Makes room for `extra` more bytes, moving what is readable to the front or to a larger block.
  /// Capacity grows by doubling, or to exactly what is asked for where that is more.
  @inlinable @inline(__always)
  package mutating func reserve(_ extra: Int) {
    if capacity &- tail < extra { makeRoom(extra) }
  }

  /// Makes room for `extra` more bytes, with as much to spare as `reserve` gives, but for at most `total` in all.
  package mutating func reserve(_ extra: Int, total: Int) {
    if capacity - tail >= extra { return }
    makeRoom(extra, atMost: max(total, count + extra))
  }

  /// Growth is by a share of what there is, so that all moves together cost no more than the bytes do.
  @inline(never) @usableFromInline
  mutating func makeRoom(_ extra: Int, atMost most: Int = .max) {
    let readable = count
    if let storage, head > 0, readable > 0 { memmove(storage, storage + head, readable) }
    head = 0
    tail = readable
    if capacity - readable >= extra { return }
    let wanted = max(readable + extra, min(most, capacity + min(capacity, max(1 << 20, capacity / 2))), 256)
    // Large blocks are moved by the kernel, without a copy (mremap(2)).
    guard let grown = realloc(storage, wanted) else { abort() }
    storage = grown
    capacity = wanted
  }

  @inlinable package mutating func append(_ bytes: Span<UInt8>) {
    let count = bytes.count
    if count < 4 || count > 16 {
      return bytes.withUnsafeBufferPointer { append(UnsafeRawBufferPointer($0)) }
    }
    // Most are short: two stores, which may overlap, take less than a call.
    reserve(count)
    // Lifetime: into our storage, which `reserve` has made long enough.
    let place = storage.unsafelyUnwrapped + tail
    if count >= 8 {
      place.storeBytes(of: bytes.word(at: 0).littleEndian, as: UInt64.self)
      place.storeBytes(of: bytes.word(at: count &- 8).littleEndian, toByteOffset: count &- 8, as: UInt64.self)
    } else {
      let first = UInt32(truncatingIfNeeded: bytes.halfWord(at: 0))
      let last = UInt32(truncatingIfNeeded: bytes.halfWord(at: count &- 4))
      place.storeBytes(of: first.littleEndian, as: UInt32.self)
      place.storeBytes(of: last.littleEndian, toByteOffset: count &- 4, as: UInt32.self)
    }
    tail &+= count
  }

  /// Appends bytes lent by C. They are copied before the call returns.
  @inlinable @inline(__always)
  package mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count)
    // Lifetime: into our storage, which `reserve` has made long enough.
    (storage.unsafelyUnwrapped + tail).copyMemory(from: base, byteCount: bytes.count)
    tail &+= bytes.count
  }

  /// Inlined always: of a literal whose length is known few stores are left.
  @inlinable @inline(__always)
  package mutating func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// A literal goes by the overload above, which counts no references.
  @_disfavoredOverload
  package mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  @inlinable package mutating func append(_ byte: UInt8) {
    reserve(1)
    // Lifetime: as above.
    storage.unsafelyUnwrapped.storeBytes(of: byte, toByteOffset: tail, as: UInt8.self)
    tail &+= 1
  }

  /// Decimal digits, with a minus sign for negative numbers.
  package mutating func append(decimal value: Int64) {
    guard value >= 10, value < 100_000_000 else { return append(rareDecimal: value) }
    var rest = UInt32(value)
    var word: UInt64 = 0
    var count = 0
    repeat {
      word = word << 8 | UInt64(48 + rest % 10)
      rest /= 10
      count &+= 1
    } while rest > 0
    append(word: word, count)
  }

  /// One digit, more than a word holds, or a negative number.
  private mutating func append(rareDecimal value: Int64) {
    if value >= 0, value < 10 { return append(UInt8(48 + value)) }
    if value < 0 { append(UInt8(ascii: "-")) }
    let (high, low) = value.magnitude.quotientAndRemainder(dividingBy: 100_000_000)
    if high == 0 { return append(decimal: Int64(low)) }
    append(decimal: Int64(high))
    var scale: UInt64 = 10_000_000
    while scale > 0 {
      append(UInt8(48 + low / scale % 10))
      scale /= 10
    }
  }

  /// Up to eight bytes of a word, the lowest first.
  @inline(__always)
  mutating func append(word: UInt64, _ count: Int) {
    reserve(8)
    // Lifetime: into our storage, which `reserve` has made long enough.
    storage.unsafelyUnwrapped.storeBytes(of: word.littleEndian, toByteOffset: tail, as: UInt64.self)
    tail &+= count
  }

  package mutating func append(decimal value: some FixedWidthInteger) {
    append(decimal: Int64(clamping: value))
  }

  /// Billionths as a decimal number without needless zeros.
  package mutating func append(billionths value: Int64) {
    append(decimal: value / 1_000_000_000)
    var rest = value % 1_000_000_000
    if rest == 0 { return }
    append(".")
    var scale: Int64 = 100_000_000
    while rest > 0 {
      append(UInt8(48 + rest / scale))
      rest %= scale
      scale /= 10
    }
  }

  /// Lower-case hexadecimal without leading zeros: a chunk size (RFC 9112 §7.1).
  package mutating func append(hex value: Int) {
    let bits = Int.bitWidth - value.leadingZeroBitCount
    append(hex: UInt64(UInt(bitPattern: value)), digits: max(1, (bits + 3) / 4))
  }

  /// The last `digits` digits of a number in lower-case hexadecimal.
  package mutating func append(hex value: UInt64, digits: Int) {
    var shift = digits * 4
    while shift > 0 {
      shift -= 4
      let nibble = UInt8(truncatingIfNeeded: value >> UInt64(shift) & 15)
      append(nibble < 10 ? 48 + nibble : 87 + nibble)
    }
  }

  /// Lets `fill` write into at least `room` free bytes; it returns how many it wrote (0 for none).
  @inlinable package mutating func fill(room: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
    reserve(room)
    // Lifetime: the pointer is into our storage and valid for the call only.
    let written = fill(UnsafeMutableRawBufferPointer(start: storage! + tail, count: capacity - tail))
    precondition(written >= 0 && written <= capacity - tail)
    tail += written
    return written
  }

  /// The readable bytes, writable in place for the length of `body` (chunked decoding compacts them).
  @inlinable package mutating func withMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) -> R) -> R {
    // Lifetime: the pointer is into our storage and valid for the call only.
    body(UnsafeMutableRawBufferPointer(start: storage.map { $0 + head }, count: count))
  }

  /// Drops bytes in front.
  @inlinable package mutating func consume(_ n: Int) {
    precondition(n >= 0 && n <= count)
    head += n
    if head == tail { removeAll() }
  }

  /// Drops bytes behind, keeping the first `n`.
  @inlinable package mutating func truncate(to n: Int) {
    precondition(n >= 0 && n <= count)
    tail = head + n
  }

  /// Empties the buffer and keeps its memory.
  @inlinable package mutating func removeAll() {
    head = 0
    tail = 0
  }

  /// Empties the buffer and gives its memory back.
  package mutating func release() {
    free(storage)
    storage = nil
    capacity = 0
    removeAll()
  }

  /// Empties the buffer, and gives its memory back if it grew beyond `keeping` bytes.
  package mutating func recycle(keeping: Int) {
    if capacity > keeping { release() } else { removeAll() }
  }

  /// Takes the contents out, leaving this buffer empty and without memory.
  package mutating func take() -> ByteBuffer {
    var taken = ByteBuffer()
    swap(&taken, &self)
    return taken
  }
}
