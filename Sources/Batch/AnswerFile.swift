internal import Base
internal import CLinux
internal import Kernel

/// The output: locked while it is open, and whole lines only.
struct AnswerFile: ~Copyable {
  private let file: Descriptor
  /// Where the last whole line ends.
  private var end: Int64 = 0

  var raw: Int32 { file.raw }

  /// Opens the file for appending, and makes it if it is not there.
  init(_ path: String) throws(BatchFault) {
    let raw = linux_open_to_append(path)
    if raw < 0 { throw .openOutput(linux_errno()) }
    if !linux_lock(raw) {
      _ = close(raw)
      throw .locked
    }
    file = Descriptor(owning: raw)
  }

  /// Cuts off what stands behind the last whole line: a line that a kill or a full disk tore.
  mutating func mend(to end: Int64) throws(BatchFault) {
    self.end = end
    if ftruncate(file.raw, off_t(end)) < 0 { throw .write(linux_errno()) }
  }

  /// Appends a line, its end included: all of it or, where that fails, nothing.
  mutating func append(_ line: borrowing ByteBuffer) throws(BatchFault) {
    var written = 0
    while written < line.count {
      let n = line.withBytes(written..<line.count) { bytes in
        bytes.withUnsafeBufferPointer { pointer in
          // Lifetime: the kernel only reads the bytes, during the call.
          CLinux.write(file.raw, pointer.baseAddress, pointer.count)
        }
      }
      if n < 0, linux_errno() == EINTR { continue }
      if n <= 0 {
        let code = linux_errno()
        _ = ftruncate(file.raw, off_t(end))
        throw .write(code)
      }
      written += n
    }
    end += Int64(line.count)
  }
}
