internal import Base
internal import CLinux

/// Exit codes of sysexits(3).
enum ExitCode {
  static let ok: Int32 = 0
  static let failed: Int32 = 1
  static let usage: Int32 = 64
  static let data: Int32 = 65
  static let unavailable: Int32 = 69
  static let io: Int32 = 74
  static let config: Int32 = 78
}

/// What the commands say on the terminal. Blocking: only before and after the loop runs.
enum Console {
  static func say(_ text: String) { put(text, on: STDOUT_FILENO) }
  static func complain(_ text: String) { put(text, on: STDERR_FILENO) }
  static func say(_ text: StaticString) { say(text.description) }

  private static func put(_ text: String, on descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var sent = 0
      while sent < bytes.count {
        let n = write(descriptor, bytes.baseAddress! + sent, bytes.count - sent)
        if n < 0, linux_errno() == EINTR { continue }
        if n <= 0 { return }
        sent += n
      }
    }
  }

  static func say(_ bytes: borrowing ByteBuffer) { say(bytes.withBytes { $0.text }) }
}
