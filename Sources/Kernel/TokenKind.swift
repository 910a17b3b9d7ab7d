/// Who waits for what a registration tells: the kinds that a `Token` has.
package enum TokenKind {
  package static let listener: UInt8 = 1
  package static let connection: UInt8 = 2
  package static let upstream: UInt8 = 3
  package static let signals: UInt8 = 4
  package static let guest: UInt8 = 5
}
