package import Base
internal import CLinux

/// A line on stderr that tells how far something is; on a terminal it renews itself.
package struct ProgressLine: ~Copyable {
  package let isTerminal: Bool
  /// What it says, composed anew each time.
  package var text = ByteBuffer()

  package init() { isTerminal = isatty(STDERR_FILENO) == 1 }

  /// Takes away on a terminal what stood there.
  package mutating func begin() { if isTerminal { text.append("\r\u{1b}[K") } }

  package mutating func clear() {
    if !isTerminal { return }
    begin()
    write()
  }

  /// A line that the terminal does not take is a line that nobody misses.
  package mutating func write() {
    text.withBytes { bytes in
      bytes.withUnsafeBufferPointer { pointer in
        // Lifetime: write(2) only reads the bytes, during the call.
        _ = CLinux.write(STDERR_FILENO, pointer.baseAddress, pointer.count)
      }
    }
    text.removeAll()
  }
}
