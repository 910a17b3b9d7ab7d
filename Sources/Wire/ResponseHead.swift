internal import Base

/// A provider's response head, as ranges over the header lines that libcurl handed over: the status line and
/// the fields, each with its line end.
package struct ResponseHead: Sendable {
  package private(set) var status = 0
  package private(set) var fields: [HeaderField] = []

  package init() {}

  /// Reads the lines. libcurl has accepted them, so reading is lenient: what is no field is skipped. A later
  /// status line (after an interim response) starts over. False where there is no status line.
  @discardableResult package mutating func parse(_ raw: Span<UInt8>) -> Bool { false }

  /// The value of the first field with that lower-case name.
  package func value(of name: StaticString, in raw: Span<UInt8>) -> Range<Int>? { nil }

  /// Whether a field may cross to the client: by its name, and not named by a Connection field.
  package func crosses(_ field: HeaderField, in raw: Span<UInt8>) -> Bool { false }
}
