internal import CLinux

enum TokenKind {
  static let listener: UInt8 = 1
  static let connection: UInt8 = 2
  static let upstream: UInt8 = 3
  static let signals: UInt8 = 4
  static let guest: UInt8 = 5
  static let output: UInt8 = 6
}
