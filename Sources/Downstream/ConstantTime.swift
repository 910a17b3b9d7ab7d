internal import Base

extension Span<UInt8> {
  /// Whether these bytes are the secret, in a time that depends on their own number alone: neither on where they
  /// differ nor on how long the secret is.
  package func equalsInConstantTime(_ secret: String) -> Bool {
    var secret = secret
    return secret.withUTF8 { secret in
      if secret.isEmpty { return false }
      var difference = count ^ secret.count
      var at = 0
      for i in 0..<count {
        difference |= Int(self[i] ^ secret[at])
        // Without a branch: back to the start behind the secret's end.
        at += 1
        at &= ~((secret.count - 1 - at) >> (Int.bitWidth - 1))
      }
      return difference == 0
    }
  }
}
