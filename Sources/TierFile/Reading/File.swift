internal import Base
internal import CLinux

/// A file read whole, up to a bound: the tier file itself, and files that hold a key.
package enum File {
  package enum Fault: Error {
    /// errno's own words.
    case cannotRead(String)
    case tooLarge
  }

  package static func read(_ path: String, atMost bound: Int) throws(Fault) -> [UInt8] {
    let descriptor = linux_open(path, Int32(O_RDONLY | O_CLOEXEC | O_NOCTTY))
    guard descriptor >= 0 else { throw .cannotRead(message()) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      // Lifetime: read(2) fills the block during the call.
      let n = block.withUnsafeMutableBytes { CLinux.read(descriptor, $0.baseAddress, $0.count) }
      if n < 0 {
        if linux_errno() == EINTR { continue }
        throw .cannotRead(message())
      }
      if n == 0 { return bytes }
      bytes.append(contentsOf: block[..<n])
      if bytes.count > bound { throw .tooLarge }
    }
  }

  private static func message() -> String { String(cString: strerror(linux_errno())) }

  /// A path as seen from the directory of another file.
  static func path(_ path: String, besides file: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let slash = file.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(file[...slash]) + path
  }
}
