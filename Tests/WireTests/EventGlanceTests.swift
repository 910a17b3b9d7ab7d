import Testing

@testable import Wire

/// What may be told of an event without reading it, wherever in the event it stands.
@Suite struct EventGlanceTests {
  private func needsReading(_ member: String, behind count: Int) -> Bool {
    let text = String(repeating: "fue\\\"", count: count / 5) + String(repeating: "x", count: count % 5)
    let event = Array("{\"id\":\"\(text)\",\(member),\"usages\":null,\"final\":1}".utf8)
    return event.span.needsReading
  }

  @Test(arguments: [
    ("\"finish_reason\":\"stop\"", true), ("\"finish_reason\" : \"length\"", true),
    ("\"finish_reason\":null", false), ("\"finish_reason\": null", false),
    ("\"finish_reasons\":\"stop\"", false),
    ("\"usage\":{}", true), ("\"usage\":null", false), ("\"error\":{}", true), ("\"error\":null", false),
    ("\"delta\":{\"content\":\"\\\"finish_reason\\\":\\\"stop\\\"\"}", false),
    ("\"choices\":[{\"finish_reason\":null},{\"finish_reason\":\"stop\"}]", true),
  ])
  func isSeenAtAnyPlace(_ member: String, _ isTold: Bool) {
    for count in 0..<80 { #expect(needsReading(member, behind: count) == isTold, "behind \(count) bytes") }
  }
}
