import Base
import Testing

@testable import Wire

private let key = KeyedHash.Key(first: 1, second: 2)

/// The opening of a body, read in one go and with pauses of several lengths.
private func opening(_ text: String) -> Fingerprint? {
  let whole = opening(text, step: .max)
  for step in [1, 2, 3, 7, 16, 100, 5000] { #expect(opening(text, step: step) == whole) }
  return whole
}

private func opening(_ text: String, step: Int) -> Fingerprint? {
  let bytes = Array(text.utf8)
  var probe = JSONProbe(openingKey: key)
  probe.begin()
  var limit = step
  do throws(JSONFault) {
    while try !probe.goOn(bytes.span, upTo: limit) { limit = limit &+ step }
  } catch {
    Issue.record("\(error)")
  }
  return probe.opening
}

@Suite struct OpeningTests {
  private static let system = #"{"role":"system","content":"be short"}"#
  private static let first = #"{"role":"user","content":"hello"}"#
  private static let later = #"{"role":"assistant","content":"hi"},{"role":"user","content":"and now?"}"#

  /// Pairs of bodies that are turns of one conversation.
  @Test(arguments: [
    (#"{"messages":[\#(system),\#(first)]}"#, #"{"messages":[\#(system),\#(first),\#(later)]}"#),
    (
      #"{"messages":[\#(first)],"temperature":0}"#,
      #"{"temperature":1, "messages": [ \#(first), \#(later) ] }"#
    ),
    // Anthropic: the mark moves on, and the text becomes a block for its sake.
    (
      #"{"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"hello","cache_control":{"type":"ephemeral"}}]}]}"#,
      #"{"system":"s","messages":[\#(first),\#(later)]}"#
    ),
    // The Responses API, with and without roles.
    (
      #"{"instructions":"i","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hello"}]}]}"#,
      #"{"instructions":"i","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hello"}]},{"type":"function_call","name":"f"}]}"#
    ),
    (#"{"input":"hello"}"#, #"{"input":"hello","x":"y"}"#),
    // The role may come last; a nested one is none.
    (
      #"{"messages":[{"content":"hello","role":"user"}]}"#,
      #"{"messages":[{"content":"hello","role":"user"},{"role":"user"}]}"#
    ),
    (
      #"{"messages":[{"role":"system","content":[{"role":"user","text":"a"}]},{"role":"user","content":"b"}]}"#,
      #"{"messages":[{"role":"system","content":[{"role":"user","text":"a"}]},{"role":"user","content":"b"},{"role":"user"}]}"#
    ),
    // Tools count, wherever they stand.
    (
      #"{"messages":[\#(first)],"tools":[{"name":"f"}]}"#,
      #"{"messages":[\#(first),\#(later)],"tools":[{"name":"f"}]}"#
    ),
  ])
  func staysWhileTheConversationGoesOn(_ one: String, _ next: String) {
    #expect(opening(one) != nil)
    #expect(opening(one) == opening(next))
  }

  @Test(arguments: [
    (#"{"messages":[\#(first)]}"#, #"{"messages":[{"role":"user","content":"hello!"}]}"#),
    (#"{"messages":[\#(first)]}"#, #"{"messages":[\#(system),\#(first)]}"#),
    (
      #"{"messages":[\#(first)],"tools":[{"name":"f"}]}"#, #"{"messages":[\#(first)],"tools":[{"name":"g"}]}"#
    ),
    (#"{"messages":[\#(first)],"tools":[{"name":"f"}]}"#, #"{"messages":[\#(first)]}"#),
    (#"{"system":"a","messages":[\#(first)]}"#, #"{"system":"b","messages":[\#(first)]}"#),
    (#"{"instructions":"a","input":"hello"}"#, #"{"instructions":"b","input":"hello"}"#),
    // Texts do not run into each other.
    (
      #"{"messages":[{"role":"user","content":["ab","c"]}]}"#,
      #"{"messages":[{"role":"user","content":["a","bc"]}]}"#
    ),
  ])
  func differsBetweenConversations(_ one: String, _ other: String) {
    #expect(opening(one) != nil)
    #expect(opening(one) != opening(other))
  }

  @Test(arguments: [
    #"{}"#, #"{"messages":[]}"#, #"{"messages":[\#(system)]}"#, #"{"messages":"user"}"#, #"{"input":[]}"#,
    #"{"messages":[{"role":"user"# + #"s","content":"x"}]}"#, #"{"x":{"messages":[\#(first)]}}"#,
    #"[\#(first)]"#,
    #"{"messages":[{"type":{"role":"user"}}]}"#,
  ])
  func isNoneWhereNoUserHasSpoken(_ text: String) { #expect(opening(text) == nil) }

  @Test func ofALongTextLengthAndEndsCount() {
    func body(_ text: String) -> String { #"{"messages":[{"role":"user","content":"\#(text)"}]}"# }
    let ends = String(repeating: "a", count: Limits.openingEnd)
    let long = opening(body(ends + String(repeating: "b", count: 9000) + ends))
    #expect(long == opening(body(ends + String(repeating: "c", count: 9000) + ends)))
    #expect(long != opening(body(ends + String(repeating: "b", count: 9001) + ends)))
    #expect(long != opening(body(ends + String(repeating: "b", count: 9000) + ends.dropLast() + "x")))
    #expect(long != opening(body("x" + ends.dropLast() + String(repeating: "b", count: 9000) + ends)))
  }

  @Test func isNotTakenUnasked() {
    let bytes = Array(#"{"input":"hello"}"#.utf8)
    var probe = JSONProbe()
    #expect(throws: Never.self) { try probe.scan(bytes.span) }
    #expect(probe.opening == nil)
  }

  @Test func theBodyBeforeIsForgotten() {
    var probe = JSONProbe(openingKey: key)
    for (text, isKnown) in [
      (#"{"input":"hello"}"#, true), (#"{"x":"y"}"#, false), (#"{"input":"hello"}"#, true),
    ] {
      let bytes = Array(text.utf8)
      #expect(throws: Never.self) { try probe.scan(bytes.span) }
      #expect(probe.opening == (isKnown ? opening(#"{"input":"hello"}"#) : nil))
    }
  }
}
