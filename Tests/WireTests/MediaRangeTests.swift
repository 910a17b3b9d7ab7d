import Testing
import Wire

@Suite struct MediaRangeTests {
  @Test(arguments: [
    ("text/plain", 1_000), ("Text/PLAIN", 1_000), ("", 0), ("text/html", 0), ("*/*", 0), ("text/*", 0),
    ("text/plainer", 0), ("a/b,text/plain", 1_000), (" text/plain ;q=0.5", 500), ("text/plain; Q=0.125", 125),
    ("text/plain;version=0.0.4;q=0.3, */*;q=0.1", 300), ("text/plain;q=0", 0), ("text/plain;q=0.000", 0),
    ("text/plain;q=1.000", 1_000), ("text/plain;q=1.9", 1_000),
    ("text/plain;q=0.2,text/plain;a=b;q=0.7", 700),
    ("text/plain;q=", 0), ("text/plain;q=2", 0), ("text/plain;q=.5", 0), ("text/plain;q=0.5555", 0),
    ("text/plain;q=0.x", 0), ("text/plain;", 1_000), (",,;,text/plain", 1_000), ("text/plain;q=0.", 0),
    ("q=1;text/plain", 0),
  ])
  func weights(_ accept: String, _ weight: Int) {
    #expect(Array(accept.utf8).span.weight(ofMediaType: "text/plain") == weight)
  }
}
