import Base
import Testing

@Suite struct Base64Tests {
  /// RFC 4648 §10, and the last letters of the alphabet.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"), ("u:p?>~", "dTpwPz5+"),
  ])
  func encodes(_ text: String, _ encoded: String) {
    let bytes = Array(text.utf8)
    #expect(Base64.encode(bytes.span) == encoded)
  }
}
