import Base
import Downstream
import Testing

@Suite struct ConstantTimeTests {
  @Test(arguments: [
    ("secret", "secret", true), ("secret", "secreT", false), ("", "secret", false), ("s", "secret", false),
    ("secrets", "secret", false), ("secretsecret", "secret", false), ("tecret", "secret", false),
    ("", "", false), ("x", "", false), ("a", "a", true),
  ])
  func compares(shown: String, secret: String, isEqual: Bool) {
    let bytes = Array(shown.utf8)
    #expect(bytes.span.equalsInConstantTime(secret) == isEqual)
  }
}
