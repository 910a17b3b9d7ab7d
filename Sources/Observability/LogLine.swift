internal import Base
internal import CLinux
internal import Policy
internal import Wire

/// One line of the log being written: `logfmt` (`key=value`, quoted where needed) or JSON.
struct LogLine: ~Copyable {
  private let format: LogSettings.Format
  private var bytes: ByteBuffer
  private var value: ByteBuffer

  /// Begins a line behind those that wait already.
  init(
    _ format: LogSettings.Format, _ stamp: Span<UInt8>, _ level: LogSettings.Level,
    behind lines: consuming ByteBuffer, scratch: consuming ByteBuffer
  ) {
    self.format = format
    bytes = lines
    value = scratch
    switch format {
    case .logfmt: bytes.append("ts=")
    case .json: bytes.append(#"{"ts":""#)
    }
    bytes.append(stamp)
    if case .json = format { bytes.append("\"") }
    switch level {
    case .silent, .error: add("level", word: "error")
    case .warning: add("level", word: "warning")
    case .info: add("level", word: "info")
    case .debug: add("level", word: "debug")
    }
  }

  /// Inlined always, as are those that are called for most fields: of a name whose length is known few stores are left.
  @inline(__always)
  private mutating func key(_ name: StaticString) {
    switch format {
    case .logfmt:
      bytes.append(UInt8(ascii: " "))
      bytes.append(name)
      bytes.append(UInt8(ascii: "="))
    case .json:
      bytes.append(",\"")
      bytes.append(name)
      bytes.append("\":")
    }
  }

  @inline(__always)
  mutating func add(_ name: StaticString, _ number: some FixedWidthInteger) {
    key(name)
    bytes.append(decimal: number)
  }

  @inline(__always)
  mutating func add(_ name: StaticString, milliseconds time: Interval) {
    key(name)
    bytes.append(milliseconds: time)
  }

  mutating func add(_ name: StaticString, _ text: StaticString) {
    add(name) { $0.append(text) }
  }

  /// A word of letters, digits and underscores, which needs a look by no format.
  @inline(__always)
  mutating func add(_ name: StaticString, word: StaticString) {
    key(name)
    if case .json = format { bytes.append(UInt8(ascii: "\"")) }
    bytes.append(word)
    if case .json = format { bytes.append(UInt8(ascii: "\"")) }
  }

  @_disfavoredOverload
  mutating func add(_ name: StaticString, _ text: String) {
    add(name) { $0.append(text) }
  }

  @inline(__always)
  mutating func add(_ name: StaticString, _ text: Span<UInt8>) {
    key(name)
    let start = bytes.count
    bytes.append(text)
    quote(from: start)
  }

  @inline(__always)
  mutating func add(_ name: StaticString, writing write: (inout ByteBuffer) -> Void) {
    key(name)
    let start = bytes.count
    write(&bytes)
    quote(from: start)
  }

  /// Quotes the value that begins at `start` as a JSON string, where JSON wants it or a logfmt reader would lose
  /// its way. Few values need it, so they are written first and looked at then.
  private mutating func quote(from start: Int) {
    if case .logfmt = format, Self.isPlain(bytes.bytes.extracting(start..<bytes.count)) { return }
    value.removeAll()
    bytes.withBytes(start..<bytes.count) { value.append($0) }
    bytes.truncate(to: start)
    value.withBytes { bytes.append(jsonString: $0) }
  }

  private static func isPlain(_ text: Span<UInt8>) -> Bool {
    if text.isEmpty { return false }
    var at = 0
    while at &+ 8 <= text.count {
      let word = text.word(at: at)
      // What is not plain leaves its high bit, and so does what is not ASCII.
      let blanks: UInt64 = word &- .every(33)
      let quotes: UInt64 = (word ^ .every(UInt8(ascii: "\""))) &- .every(1)
      let equals: UInt64 = (word ^ .every(UInt8(ascii: "="))) &- .every(1)
      let deletes: UInt64 = (word ^ .every(127)) &- .every(1)
      if (word | blanks | quotes | equals | deletes) & .highBits != 0 { return false }
      at &+= 8
    }
    while at < text.count {
      let byte = text[at]
      if byte <= 32 || byte >= 127 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "=") { return false }
      at &+= 1
    }
    return true
  }

  /// Ends the line and gives the memory back.
  mutating func end(into lines: inout ByteBuffer, scratch: inout ByteBuffer) {
    if case .json = format { bytes.append("}") }
    bytes.append("\n")
    lines = bytes.take()
    scratch = value.take()
  }
}
