import Base
import Policy
import Proxy
import Testing

@Suite struct RedactionTests {
  private func masked(_ text: String, keys: [String], headers: [(String, String)] = []) -> String {
    var provider = Provider(name: "p", type: "openai", endpoint: "http://p")
    provider.keys = keys.map { Secret($0) }
    provider.headers = headers.map { (name: $0.0, value: $0.1) }
    return String(decoding: Redaction(provider).apply(to: Array(text.utf8)), as: UTF8.self)
  }

  @Test func takesSecretsOut() {
    #expect(masked("key my.key-1 and my.key-1", keys: ["my.key-1"]) == "key *** and ***")
    #expect(masked("value-of-header", keys: [], headers: [("X", "value-of")]) == "***-header")
    #expect(masked("nothing here", keys: ["my.key-1"]) == "nothing here")
    #expect(masked("cut at my.key", keys: ["my.key-1"]) == "cut at ***")
    #expect(masked("my.k", keys: ["my.key-1"]) == "my.k")
    #expect(masked("a word", keys: ["a"]) == "a word")
  }
}

@Suite struct ToldErrorTests {
  @Test(arguments: [
    (#"{"error":{"message":"no"}}"#, "no"),
    (#"{"choices":[]}"#, ""),
    (": hello\n\ndata: {\"error\":{\"message\":\"busy\"}}\n\n", "busy"),
    ("data: {\"choices\":[{\"delta\":{\"content\":\"the \\\"error\\\"\"}}]}\n\n", ""),
    ("<html>\"error\"</html>", ""),
    ("data: {\"error\":", ""),
    ("", ""),
  ])
  func finds(body: String, text: String) {
    let bytes = Array(body.utf8)
    #expect(String(decoding: AttemptDetail.told(inside: bytes.span), as: UTF8.self) == text)
  }
}
