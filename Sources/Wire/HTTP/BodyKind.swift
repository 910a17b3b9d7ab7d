internal import Base

/// What the first bytes of an answer's body say it is.
package enum BodyKind: Hashable, Sendable {
  /// An object or an array. No line of an event stream begins so.
  case json
  /// A field or a comment of an event stream (WHATWG HTML, 9.2.6).
  case events
  case other
  /// Blanks only, or the beginning of a field's name.
  case unknown

  package init(_ body: Span<UInt8>) {
    var blanks = 0
    self.init(body, blanks: &blanks)
  }

  /// - Parameter blanks: bytes at the beginning that are known to be blank, none at first: who looks again with more
  ///   goes on from there, since some providers send blanks for as long as they think.
  package init(_ body: Span<UInt8>, blanks: inout Int) {
    if blanks == 0, body.hasPrefix("\u{FEFF}") { blanks = 3 }
    while blanks < body.count, body[blanks] <= 32 { blanks += 1 }
    self = blanks == body.count ? .unknown : Self(unpadded: body.extracting(blanks..<body.count))
  }

  private init(unpadded body: Span<UInt8>) {
    switch body[0] {
    case UInt8(ascii: "{"), UInt8(ascii: "["): self = .json
    case UInt8(ascii: ":"): self = .events
    case UInt8(ascii: "d"): self = Self(body, "data:")
    case UInt8(ascii: "e"):
      self = body.count > 1 && body[1] == UInt8(ascii: "r") ? Self(body, "error:") : Self(body, "event:")
    case UInt8(ascii: "i"): self = Self(body, "id:")
    case UInt8(ascii: "r"): self = Self(body, "retry:")
    default: self = .other
    }
  }

  private init(_ body: Span<UInt8>, _ field: StaticString) {
    let common = min(body.count, field.utf8CodeUnitCount)
    for i in 0..<common where body[i] != field.utf8Start[i] {
      self = .other
      return
    }
    self = common == field.utf8CodeUnitCount ? .events : .unknown
  }
}
