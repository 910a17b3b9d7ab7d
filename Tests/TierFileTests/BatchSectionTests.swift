import Base
import Policy
import Testing
import TierFile

/// How a provider's requests for embeddings are sent together.
@Suite struct BatchSectionTests {
  private func batch(_ text: String) throws -> BatchSettings? {
    let reading = Samples.read(
      "providers: { p: { type: openai, endpoint: \"http://127.0.0.1:1/v1\", models: [m]\(text) } }")
    #expect(reading.report == "")
    return try #require(reading.configuration?.providers.first).batch
  }

  @Test func offUnlessAskedFor() throws {
    for text in ["", ", batch: false", ", batch: off", ", batch: { enabled: false, size: 9 }"] {
      #expect(try batch(text) == nil)
    }
    #expect(try batch(", batch: true") == BatchSettings())
    #expect(try batch(", batch: {}") == BatchSettings())
    #expect(BatchSettings().window == .milliseconds(3) && BatchSettings().size == 64)
  }

  @Test func windowAndSize() throws {
    let settings = try #require(try batch(", batch: { window: 20ms, size: 100 }"))
    #expect(settings.window == .milliseconds(20) && settings.size == 100)
  }

  @Test(arguments: [
    "{ window: 0 }", "{ window: 1h }", "{ size: 1 }", "{ size: 4096 }", "{ wait: 3ms }", "3ms",
  ])
  func wrong(_ value: String) {
    let reading = Samples.read(
      "providers: { p: { type: openai, endpoint: \"http://127.0.0.1:1/v1\", models: [m], batch: \(value) } }")
    #expect(reading.hasErrors)
  }
}
