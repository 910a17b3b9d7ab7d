import Base
import TestSupport
import Testing

@testable import Wire

@Suite struct BodyKindTests {
  @Test(arguments: [
    ("{", BodyKind.json), ("[1]", .json), (" \n\t{}", .json), ("\u{FEFF}{}", .json),
    (#"{"data: ":1}"#, .json),
    ("data: x", .events), ("data:", .events), ("event: x", .events), (": comment", .events),
    ("id: 1", .events),
    ("retry: 5", .events), ("\n\ndata: x", .events), ("\u{FEFF}data: x", .events), ("error: {}", .events),
    ("", .unknown), (" \r\n", .unknown), ("d", .unknown), ("dat", .unknown), ("\n\nevent", .unknown),
    ("er", .unknown), ("i", .unknown), ("\u{FEFF}", .unknown),
    ("<html>", .other), ("date: x", .other), ("data ", .other), ("Data: x", .other), ("idea", .other),
    ("hello", .other), ("12", .other), ("\"text\"", .other), ("e.g.", .other), ("\u{EF}", .other),
  ])
  func tells(_ text: String, _ kind: BodyKind) { #expect(BodyKind(text.bytes.span) == kind) }

  /// What cannot be told yet is told with more, and what is told does not change.
  @Test(arguments: ["data: x\n\n", "\n\nevent: x\ndata: y\n\n", ": x\n", "  {\"a\":1}", "retry: 1\n", "damn"])
  func isToldOnce(_ text: String) {
    let bytes = text.bytes
    var told = BodyKind.unknown
    var blanks = 0
    for count in 0...bytes.count {
      let kind = BodyKind(bytes.span.extracting(0..<count))
      #expect(BodyKind(bytes.span.extracting(0..<count), blanks: &blanks) == kind)
      #expect(told == .unknown || kind == told)
      told = kind
    }
    #expect(told != .unknown)
  }
}
